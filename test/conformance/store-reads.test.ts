/** What every store gives back: for a start of the coordinator, by key, and in pages. */
import { describe, expect, it } from "vitest";
import type { CellArm, Change } from "../../coordinator/store/change.ts";
import type { LogQuery, StoredCell } from "../../coordinator/store/store.ts";
import { asFuseKey, asSessionId, asWorkerId } from "../../src/core/ids.ts";
import {
  cellAdded,
  cellsAdded,
  committed,
  FUSE_KEY,
  granted,
  idOf,
  linkRuns,
  linksOf,
  logLine,
  logs,
  metrics,
  newCell,
  S1,
  sweepRecord,
  sweepWith,
  token,
  W1,
  NO_FAULTS,
  NO_FIGURES,
} from "./store-fixture.ts";
import { ALL_CELLS, ALL_LOGS, describeStores } from "./store-under-test.ts";

describeStores(({ apply, store }) => {
  describe("gives back for a start", () => {
    it("an epoch that grows", async () => {
      // The suite's own was the first.
      expect(await store().beginEpoch()).toBe(2n);
      expect(await store().beginEpoch()).toBe(3n);
    });

    it("counters that go on after the largest of each", async () => {
      expect(await store().loadCounters()).toEqual({
        nextToken: 1,
        nextCellKey: 1,
        nextSweepSeq: 1,
        nextSessionSeq: 1,
        nextStreamId: 1,
        nextLogSeq: 1,
      });
      await apply(sweepWith([1, 5]), granted(8, [1]), metrics(4, 0, 1, 1, 8), logs(6, 0, [logLine(11)]));
      expect(await store().loadCounters()).toMatchObject({
        nextToken: 9,
        nextCellKey: 6,
        nextSweepSeq: 2,
        nextStreamId: 7,
        nextLogSeq: 12,
      });
    });

    it("sweeps as they were last", async () => {
      await apply({ kind: "sweep-added", sweep: sweepRecord(1) }, { kind: "sweep-added", sweep: sweepRecord(2) });
      await apply({
        kind: "sweep-changed",
        seq: 2,
        state: "finished",
        finishedMs: 1_700_000_200_000,
        expandedTo: 12,
        expanded: true,
      });
      expect(await store().loadSweeps()).toEqual([
        sweepRecord(1),
        sweepRecord(2, { state: "finished", finishedMs: 1_700_000_200_000, expandedTo: 12, expanded: true }),
      ]);
    });

    it("pending cells by key, in pages, with their counters and sweeps", async () => {
      await apply(sweepWith([1, 2, 3]), { kind: "sweep-added", sweep: sweepRecord(2) }, linksOf([2], 2));
      await apply(granted(1, [1, 2]), {
        kind: "cell-changed",
        cellKey: 2,
        figures: { ...NO_FIGURES, state: "pending", lost: 1, failed: 2, oom: 3, widthLimit: 4 },
      });
      const first = await store().loadPendingCells(0, 2);
      expect(first.map((cell) => cell.key)).toEqual([1, 2]);
      expect(first[1]).toMatchObject({ lost: 1, failed: 2, oom: 3, widthLimit: 4, attempts: 1, sweeps: [1, 2] });
      expect((await store().loadPendingCells(2, 2)).map((cell) => cell.key)).toEqual([3]);
    });

    it("pending cells of several scopes, fuse keys and sweeps, with ended ones between them", async () => {
      const keys = Array.from({ length: 40 }, (_, index) => index + 1);
      const other = asFuseKey("f".repeat(64));
      const cells = keys.map((key) => ({
        key,
        id: idOf(key),
        scope: key > 20 ? "s" : "",
        fuseKey: key % 3 === 0 ? other : FUSE_KEY,
      }));
      const added = cells.map(({ key, fuseKey }) => newCell(key, fuseKey));
      await apply(
        { kind: "sweep-added", sweep: sweepRecord(1) },
        { kind: "sweep-added", sweep: sweepRecord(2) },
        cellsAdded(1, added.slice(0, 20)),
        cellsAdded(21, added.slice(20), "s"),
        { kind: "cells-linked", sweepSeq: 1, links: linkRuns(keys, 100) },
        linksOf([5, ...keys.slice(9, 25)], 2),
        { kind: "cells-cancelled", cellKeys: [7, 33] },
      );
      const inSecond = (key: number): boolean => key === 5 || (key >= 10 && key <= 25);
      for (const page of [3, 8, 40]) {
        const read: StoredCell[] = [];
        for (let after = 0; ; after = read.at(-1)!.key) {
          const next = await store().loadPendingCells(after, page);
          if (next.length === 0) break;
          read.push(...next);
        }
        const open = cells.filter(({ key }) => key !== 7 && key !== 33);
        expect(read).toMatchObject(
          open.map(({ key, id, scope, fuseKey }) => ({
            key,
            id,
            scope,
            fuseKey,
            sweeps: inSecond(key) ? [1, 2] : [1],
          })),
        );
      }
      expect((await store().findCells("s", [idOf(21), idOf(3)])).map((cell) => cell.key)).toEqual([21]);
      expect((await store().listCells({ ...ALL_CELLS, sweepSeq: 1 }, 138, 9)).map((row) => row.gridIndex)).toEqual([
        139, 140,
      ]);
    });

    it("what happened to cells, and its sums over each sweep", async () => {
      const triedOn = [asWorkerId("w 1"), asWorkerId('w"2')];
      const memoryAbove = 96 * 2 ** 30;
      const hurt = { ...NO_FIGURES, lost: 1, failed: 2, oom: 3, preempted: 4, triedOn, memoryAbove };
      await apply(sweepWith([1, 2, 3]), { kind: "sweep-added", sweep: sweepRecord(2) }, linksOf([2], 2));
      await apply(
        { kind: "cell-changed", cellKey: 1, figures: { ...NO_FIGURES, state: "pending", lost: 5 } },
        { kind: "cell-changed", cellKey: 2, figures: { ...hurt, state: "pending" } },
      );
      const cells = await store().loadPendingCells(0, 9);
      expect(cells[1]).toMatchObject({ ...hurt, state: "pending" });
      expect(cells[2]).toMatchObject({ preempted: 0, triedOn: [], memoryAbove: 0 });
      // Those of pending cells are counted as the cells are read.
      expect(await store().loadCounts()).toEqual([]);
      const ended = { state: "quarantined", reason: "why" } as const;
      await apply(
        { kind: "cell-changed", cellKey: 1, figures: { ...NO_FIGURES, lost: 5, ...ended } },
        { kind: "cell-changed", cellKey: 2, figures: { ...hurt, ...ended } },
      );
      const faults = Object.fromEntries((await store().loadCounts()).map((each) => [each.sweepSeq, each.faults]));
      expect(faults).toEqual({
        1: { lost: 6, failed: 2, oom: 3, preempted: 4 },
        2: { lost: 1, failed: 2, oom: 3, preempted: 4 },
      });
      const [row] = await store().listCells({ ...ALL_CELLS, idPrefix: idOf(2) }, -1, 1);
      expect(row).toMatchObject({ ...hurt, ...ended });
    });

    it("how sweeps are steered, and what they came with", async () => {
      const require = ["backend=wasm", 'zone=a "b"'];
      const given = { paused: "", priority: -3, maxWorkers: 2, require, submitter: "ada" };
      await apply({ kind: "sweep-added", sweep: sweepRecord(1, given) });
      expect(await store().loadSweeps()).toEqual([sweepRecord(1, given)]);
      const steering = { paused: "by ada: a mistake", priority: 7, maxWorkers: 0 };
      await apply(
        { kind: "sweep-steered", seq: 1, paused: "", priority: 7, maxWorkers: 0 },
        { kind: "sweep-steered", seq: 1, ...steering },
        { kind: "sweep-changed", seq: 1, state: "finished", finishedMs: 5, expandedTo: 0, expanded: false },
      );
      const changed = { ...given, ...steering, state: "finished", finishedMs: 5 } as const;
      expect(await store().loadSweeps()).toEqual([sweepRecord(1, changed)]);
    });

    it("workers that are broken, until they are not", async () => {
      const [workerId, other] = [asWorkerId("w1"), asWorkerId("w2")];
      await apply(
        { kind: "worker-broken", workerId, reason: "three cells", times: 1 },
        { kind: "worker-broken", workerId: other, reason: "three cells", times: 1 },
      );
      await apply({ kind: "worker-broken", workerId, reason: "again", times: 2 });
      await apply({ kind: "worker-broken", workerId: other, reason: "", times: 0 });
      expect(await store().loadBrokenWorkers()).toEqual([{ workerId, reason: "again", times: 2 }]);
    });

    it("the last lines of a cell, oldest first, whoever wrote them", async () => {
      await apply(sweepWith([1, 2]));
      const lines = [1, 2, 1, 1, 0, 1].map((cellKey, index) => logLine(index + 1, { cellKey, workerId: `w${index}` }));
      await apply(logs(1, 0, lines));
      expect((await store().lastLines(1, 3)).map(({ seq, workerId }) => [seq, workerId])).toEqual([
        [3, "w2"],
        [4, "w3"],
        [6, "w5"],
      ]);
      expect(await store().lastLines(1, 50)).toHaveLength(4);
      expect(await store().lastLines(2, 50)).toMatchObject([{ message: "line 2", level: 2 }]);
    });

    it("open leases with the cells whose attempt goes on", async () => {
      await apply(sweepWith([1, 2, 3]), granted(1, [1, 2]), granted(2, [3]));
      await apply(
        { kind: "attempt-ended", token: token(1), cellKey: 1, ended: "failed" },
        { kind: "attempt-ended", token: token(2), cellKey: 3, ended: "lost" },
        { kind: "lease-ended", token: token(2), ended: "lost", endedMs: 1 },
      );
      expect(await store().loadOpenLeases()).toEqual([
        { token: token(1), workerId: W1, sessionId: S1, fuseKey: FUSE_KEY, width: 2, openCells: [2] },
      ]);
    });

    it("counts of a sweep by state, with what diverged and what was cached, and without what is pending", async () => {
      await apply(sweepWith([1, 2, 3, 4]), granted(1, [1, 2, 3]));
      await apply(committed(1, 1), committed(2, 1), committed(3, 1, { diverged: true }));
      await apply({ kind: "sweep-added", sweep: sweepRecord(2) }, linksOf([1], 2, true));
      const counts = [...(await store().loadCounts())].sort((a, b) => a.sweepSeq - b.sweepSeq || a.count - b.count);
      expect(counts).toHaveLength(3);
      expect(counts).toContainEqual({
        sweepSeq: 1,
        state: "committed",
        diverged: false,
        cached: false,
        count: 2,
        faults: NO_FAULTS,
      });
      expect(counts).toContainEqual({
        sweepSeq: 1,
        state: "committed",
        diverged: true,
        cached: false,
        count: 1,
        faults: NO_FAULTS,
      });
      expect(counts).toContainEqual({
        sweepSeq: 2,
        state: "committed",
        diverged: false,
        cached: true,
        count: 1,
        faults: NO_FAULTS,
      });
    });

    it("the newest sessions, oldest of them first, and committed cells by worker", async () => {
      for (const seq of [1, 2, 3]) {
        const sessionId = asSessionId(`s${seq}`);
        await apply({ kind: "session-added", seq, sessionId, workerId: asWorkerId("w1"), seenMs: seq });
      }
      expect((await store().loadSessions(2)).map((session) => session.sessionId)).toEqual(["s2", "s3"]);
      await apply(sweepWith([1, 2]), granted(1, [1, 2]), committed(1, 1), committed(2, 1));
      expect(await store().loadCommitCounts()).toEqual(new Map([["w1", 2]]));
    });

    it("figures of fuse groups as they were last", async () => {
      await apply({ kind: "fuse-group-set", fuseKey: FUSE_KEY, bytesPerMember: 10, flopsPerCell: 2 ** 60 });
      await apply({ kind: "fuse-group-set", fuseKey: FUSE_KEY, bytesPerMember: 20, flopsPerCell: 2 ** 61 });
      expect(await store().loadFuseGroups()).toEqual([
        { fuseKey: FUSE_KEY, bytesPerMember: 20, flopsPerCell: 2 ** 61 },
      ]);
    });
  });

  describe("finds", () => {
    it("cells by content id within a scope, with state and digest", async () => {
      await apply(
        sweepWith([1, 2]),
        sweepWith([3], 2, "sweep-2"),
        granted(1, [1]),
        committed(1, 1, { diverged: true }),
      );
      const found = await store().findCells("", [idOf(1), idOf(2), idOf(3), idOf(4)]);
      expect(found.map(({ key, state, digest, diverged }) => ({ key, state, digest, diverged }))).toEqual(
        expect.arrayContaining([
          { key: 1, state: "committed", digest: "digest-1", diverged: true },
          { key: 2, state: "pending", digest: "", diverged: false },
        ]),
      );
      expect(found).toHaveLength(2);
      expect(await store().findCached([idOf(1), idOf(2), idOf(3)])).toEqual([idOf(1)]);
    });

    it("an attempt with its worker, its end and its cell; nothing for a cell that the token was not granted", async () => {
      await apply(sweepWith([1, 2]), granted(1, [1]));
      expect(await store().findAttempt(token(1), idOf(1))).toMatchObject({
        workerId: "w1",
        ended: null,
        cell: { key: 1 },
      });
      await apply({ kind: "attempt-ended", token: token(1), cellKey: 1, ended: "lost" });
      expect((await store().findAttempt(token(1), idOf(1)))?.ended).toBe("lost");
      expect(await store().findAttempt(token(1), idOf(2))).toBeUndefined();
      expect(await store().findAttempt(token(2), idOf(1))).toBeUndefined();
    });

    it("of two ends of one attempt in one transaction the later", async () => {
      await apply(sweepWith([1]), granted(1, [1]));
      await apply({ kind: "attempt-ended", token: token(1), cellKey: 1, ended: "lost" }, committed(1, 1));
      expect((await store().findAttempt(token(1), idOf(1)))?.ended).toBe("committed");
    });

    it("configurations, whose parts are shared, as they were given, also after a transaction that failed", async () => {
      const arm = (depth: number): CellArm => ({
        fuseKey: FUSE_KEY,
        before: [`{"architecture":{"kind":"mlp","depth":${depth}}`],
        after: [',"train":{"batch":8,"evalEvery":10,"steps":10}', ',"z":0}'],
      });
      const config = (text: string): string =>
        [...arm(text.length).before, `,"b":"${text}"`, ...arm(text.length).after].join("");
      const cell = (key: number, text: string) => ({ id: idOf(key), arm: arm(text.length), own: `,"b":"${text}"` });
      await apply(sweepWith([1]));
      const fails = [cellAdded(2, cell(2, "one")), cellAdded(1)];
      await expect(apply(fails)).rejects.toThrow();
      await apply(cellsAdded(3, [cell(3, "two"), cell(4, "and")]));
      await apply(cellsAdded(5, [cell(5, "one"), cell(6, "other")]));
      const expected = new Map([
        [1, '{"cell":1}'],
        [3, config("two")],
        [4, config("and")],
        [5, config("one")],
        [6, config("other")],
      ]);
      expect(await store().readConfigs([1, 2, 3, 4, 5, 6, 7])).toEqual(expected);
    });
  });

  describe("lists", () => {
    it("cells by grid index, in pages, by state and by id", async () => {
      await apply(sweepWith([1, 2, 3]), granted(1, [2]), committed(2, 1));
      const first = await store().listCells(ALL_CELLS, -1, 2);
      expect(first.map((row) => row.gridIndex)).toEqual([1, 2]);
      expect(first[1]).toMatchObject({
        state: "committed",
        configJson: '{"cell":2}',
        result: { json: '{"result":2}', workerId: "w1", committedMs: 1_700_000_100_000 },
      });
      expect(first[0]?.result).toBeUndefined();
      expect((await store().listCells(ALL_CELLS, 2, 2)).map((row) => row.gridIndex)).toEqual([3]);
      const pending = await store().listCells({ ...ALL_CELLS, states: ["pending"] }, -1, 9);
      expect(pending.map((row) => row.gridIndex)).toEqual([1, 3]);
      const byId = await store().listCells({ ...ALL_CELLS, idPrefix: idOf(3).slice(0, 20) }, -1, 9);
      expect(byId.map((row) => row.gridIndex)).toEqual([3]);
    });

    it("metric chunks of committed attempts alone, by grid index and offset, in pages", async () => {
      await apply(sweepWith([1, 2]), granted(1, [1, 2]), granted(2, [1]));
      await apply(metrics(1, 0, 2, 1, 1), metrics(2, 0, 3, 1, 2), metrics(2, 3, 1, 1, 2), metrics(3, 0, 1, 2, 1));
      await apply(committed(1, 2), committed(2, 1));
      const start = { gridIndex: -1, firstOffset: -1 };
      const all = await store().listChunks(1, "", start, 9);
      expect(all.map(({ gridIndex, firstOffset }) => [gridIndex, firstOffset])).toEqual([
        [1, 0],
        [1, 3],
        [2, 0],
      ]);
      expect([...all[1]!.data]).toEqual([3]);
      const second = await store().listChunks(1, "", all[0]!, 9);
      expect(second.map(({ gridIndex, firstOffset }) => [gridIndex, firstOffset])).toEqual([
        [1, 3],
        [2, 0],
      ]);
      expect(await store().listChunks(1, idOf(2), start, 9)).toHaveLength(1);
    });

    it("log lines in the order of their seq, with every filter, forwards and backwards", async () => {
      await apply(sweepWith([1]), granted(1, [1]));
      await apply(
        logs(1, 0, [logLine(1), logLine(2, { level: 4 }), logLine(3, { workerId: "w2" })]),
        logs(2, 0, [logLine(4, { cellKey: 1, token: token(1), fieldsJson: '{"a":1}' })], "s2"),
      );
      const seqs = async (query: Partial<LogQuery>, after = 0) =>
        (await store().listLogs({ ...ALL_LOGS, ...query }, after, 99)).map((row) => row.seq);
      expect(await seqs({})).toEqual([1, 2, 3, 4]);
      expect(await seqs({}, 2)).toEqual([3, 4]);
      expect(await seqs({ minLevel: 3 })).toEqual([2]);
      expect(await seqs({ workerId: "w2" })).toEqual([3]);
      expect(await seqs({ sinceMs: 1_700_000_000_003 })).toEqual([3, 4]);
      expect(await seqs({ sweepSeq: 1 })).toEqual([4]);
      expect(await seqs({ cellIdPrefix: idOf(1).slice(0, 8) })).toEqual([4]);
      const back = await store().listLogsBackwards(ALL_LOGS, 4, 2);
      expect(back.map((row) => row.seq)).toEqual([3, 2]);
      expect((await store().listLogs(ALL_LOGS, 3, 9))[0]).toEqual({
        seq: 4,
        workerId: "w1",
        cellId: idOf(1),
        token: token(1),
        timeMs: 1_700_000_000_004,
        level: 2,
        message: "line 4",
        fieldsJson: '{"a":1}',
      });
    });

    it("the lowest and highest lambda-hat whose verdict is ok", async () => {
      await apply(sweepWith([1, 2, 3, 4, 5]), granted(1, [1, 2, 3, 4, 5]));
      expect(await store().lambdaExtremes(1)).toEqual({ lowest: undefined, highest: undefined });
      await apply(
        committed(1, 1, { lambdaHat: -3, verdict: "biased" }),
        committed(2, 1, { lambdaHat: 1.5 }),
        committed(3, 1, { lambdaHat: 4 }),
        committed(4, 1, { lambdaHat: null, verdict: "ok" }),
      );
      const { lowest, highest } = await store().lambdaExtremes(1);
      expect(lowest).toEqual({ cellId: idOf(2), lambdaHat: 1.5, testLoss: 0.5 });
      expect(highest?.lambdaHat).toBe(4);
    });

    it("findings, each once", async () => {
      await apply(sweepWith([1]), granted(1, [1]), committed(1, 1));
      const finding: Change = {
        kind: "finding-noted",
        cellKey: 1,
        token: token(1),
        workerId: W1,
        digest: "other",
        json: "{}",
        notedMs: 1,
      };
      await apply(finding, finding);
      expect(await store().listFindings()).toEqual([
        { cellId: idOf(1), token: token(1), workerId: "w1", digest: "other" },
      ]);
    });
  });
});
