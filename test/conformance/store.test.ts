/** What every store must do. One implementation today; PostgreSQL joins the list. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../coordinator/store/change.ts";
import { openMemoryStore, openSqliteStore } from "../../coordinator/store/sqlite/open-sqlite.ts";
import type { LogQuery, Store } from "../../coordinator/store/store.ts";
import { asSessionId, asWorkerId } from "../../src/core/ids.ts";
import {
  committed,
  FUSE_KEY,
  granted,
  idOf,
  linksOf,
  logLine,
  logs,
  metrics,
  newCell,
  resultRecord,
  S1,
  sweepRecord,
  sweepWith,
  token,
  W1,
} from "./store-fixture.ts";

interface Implementation {
  readonly name: string;
  open(folder: string): Promise<Store>;
  /** Can it be closed and opened again with what was in it? */
  readonly durable: boolean;
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: "sqlite in a folder", open: openSqliteStore, durable: true },
  { name: "sqlite in memory", open: openMemoryStore, durable: false },
];

const ALL_LOGS: LogQuery = { sweepSeq: undefined, cellIdPrefix: "", workerId: "", minLevel: 0, sinceMs: 0 };
const ALL_CELLS = { sweepSeq: 1, states: [], idPrefix: "" } as const;

describe.each(IMPLEMENTATIONS)("a store: $name", ({ open, durable }) => {
  let folder: string;
  let store: Store;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "occam-store-"));
    store = await open(folder);
  });

  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });

  const apply = (...changes: readonly (Change | readonly Change[])[]) => store.apply(changes.flat());

  describe("applies changes", () => {
    it("all or none: a failing change takes the ones before it with it", async () => {
      await apply(sweepWith([1]));
      await expect(
        apply(
          granted(7, [1]),
          { kind: "sweep-added", sweep: sweepRecord(2) },
          { kind: "sweep-added", sweep: sweepRecord(2) },
        ),
      ).rejects.toThrow();
      expect(await store.loadOpenLeases()).toEqual([]);
      expect(await store.loadSweeps()).toHaveLength(1);
      // And goes on after it.
      await apply(granted(7, [1]));
      expect(await store.loadOpenLeases()).toHaveLength(1);
    });

    it("a list of more rows than one statement can bind", async () => {
      const keys = Array.from({ length: 40_000 }, (_, index) => index + 1);
      await apply(sweepWith(keys), { kind: "cells-cancelled", cellKeys: keys });
      expect(await store.loadCounts()).toEqual([
        { sweepSeq: 1, state: "cancelled", diverged: false, cached: false, count: 40_000 },
      ]);
    });
  });

  describe("makes true by itself", () => {
    beforeEach(() => apply(sweepWith([1, 2]), granted(1, [1, 2])));

    it("one result of a cell", async () => {
      await apply(committed(1, 1));
      await expect(apply(committed(1, 1, { digest: "another" }))).rejects.toThrow();
      expect((await store.findAttempt(token(1), idOf(1)))?.cell.digest).toBe("digest-1");
    });

    it("one cell of a content id and scope, and the same id in another scope", async () => {
      await expect(apply({ kind: "cells-added", cells: [{ ...newCell(1), key: 9 }] })).rejects.toThrow();
      await apply({ kind: "cells-added", cells: [{ ...newCell(1), key: 9, scope: "sweep-2" }] });
    });

    it("a token granted once", async () => {
      await expect(apply(granted(1, [1]))).rejects.toThrow();
    });

    it("a grid index of a sweep taken once, by a cell that is in the sweep once", async () => {
      const link = (gridIndex: number, cellKey: number): Change => ({
        kind: "cells-linked",
        sweepSeq: 1,
        links: [{ gridIndex, cellKey, cached: false }],
      });
      await expect(apply(link(1, 2))).rejects.toThrow();
      await expect(apply(link(9, 2))).rejects.toThrow();
    });

    it("contiguous offsets: an append starts where its stream ends", async () => {
      await apply(metrics(1, 0, 3), metrics(1, 3, 2));
      await expect(apply(metrics(1, 6, 1))).rejects.toThrow();
      await expect(apply(metrics(1, 4, 1))).rejects.toThrow();
      await expect(apply(metrics(2, 0, 1))).rejects.toThrow();
      expect(await store.findStream({ kind: "metrics", cellKey: 1, token: token(1), sessionId: "" })).toEqual({
        streamId: 1,
        nextOffset: 5,
      });
    });

    it("a quarantine with a reason", async () => {
      const figures = { state: "quarantined", reason: "", lost: 3, failed: 0, oom: 0, widthLimit: 1 } as const;
      await expect(apply({ kind: "cell-changed", cellKey: 1, figures })).rejects.toThrow();
      await apply({ kind: "cell-changed", cellKey: 1, figures: { ...figures, reason: "it kills workers" } });
    });
  });

  describe("gives back for a start", () => {
    it("an epoch that grows", async () => {
      expect(await store.beginEpoch()).toBe(1n);
      expect(await store.beginEpoch()).toBe(2n);
    });

    it("counters that go on after the largest of each", async () => {
      expect(await store.loadCounters()).toEqual({
        nextToken: 1,
        nextCellKey: 1,
        nextSweepSeq: 1,
        nextSessionSeq: 1,
        nextStreamId: 1,
        nextLogSeq: 1,
      });
      await apply(sweepWith([1, 5]), granted(8, [1]), metrics(4, 0, 1, 1, 8), logs(6, 0, [logLine(11)]));
      expect(await store.loadCounters()).toMatchObject({
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
      expect(await store.loadSweeps()).toEqual([
        sweepRecord(1),
        sweepRecord(2, { state: "finished", finishedMs: 1_700_000_200_000, expandedTo: 12, expanded: true }),
      ]);
    });

    it("pending cells by key, in pages, with their counters and sweeps", async () => {
      await apply(sweepWith([1, 2, 3]), { kind: "sweep-added", sweep: sweepRecord(2) }, linksOf([2], 2));
      await apply(granted(1, [1, 2]), {
        kind: "cell-changed",
        cellKey: 2,
        figures: { state: "pending", reason: "", lost: 1, failed: 2, oom: 3, widthLimit: 4 },
      });
      const first = await store.loadPendingCells(0, 2);
      expect(first.map((cell) => cell.key)).toEqual([1, 2]);
      expect(first[1]).toMatchObject({ lost: 1, failed: 2, oom: 3, widthLimit: 4, attempts: 1, sweeps: [1, 2] });
      expect((await store.loadPendingCells(2, 2)).map((cell) => cell.key)).toEqual([3]);
    });

    it("open leases with the cells whose attempt goes on", async () => {
      await apply(sweepWith([1, 2, 3]), granted(1, [1, 2]), granted(2, [3]));
      await apply(
        { kind: "attempt-ended", token: token(1), cellKey: 1, ended: "failed" },
        { kind: "attempt-ended", token: token(2), cellKey: 3, ended: "lost" },
        { kind: "lease-ended", token: token(2), ended: "lost", endedMs: 1 },
      );
      expect(await store.loadOpenLeases()).toEqual([
        { token: token(1), workerId: W1, sessionId: S1, fuseKey: FUSE_KEY, width: 2, openCells: [2] },
      ]);
    });

    it("counts of a sweep by state, with what diverged and what was cached", async () => {
      await apply(sweepWith([1, 2, 3, 4]), granted(1, [1, 2, 3]));
      await apply(committed(1, 1), committed(2, 1), committed(3, 1, { diverged: true }));
      await apply({ kind: "sweep-added", sweep: sweepRecord(2) }, linksOf([1], 2, true));
      const counts = [...(await store.loadCounts())].sort((a, b) => a.sweepSeq - b.sweepSeq || a.count - b.count);
      expect(counts).toHaveLength(4);
      expect(counts).toContainEqual({ sweepSeq: 1, state: "committed", diverged: false, cached: false, count: 2 });
      expect(counts).toContainEqual({ sweepSeq: 1, state: "committed", diverged: true, cached: false, count: 1 });
      expect(counts).toContainEqual({ sweepSeq: 1, state: "pending", diverged: false, cached: false, count: 1 });
      expect(counts).toContainEqual({ sweepSeq: 2, state: "committed", diverged: false, cached: true, count: 1 });
    });

    it("the newest sessions, oldest of them first, and committed cells by worker", async () => {
      for (const seq of [1, 2, 3]) {
        const sessionId = asSessionId(`s${seq}`);
        await apply({ kind: "session-added", seq, sessionId, workerId: asWorkerId("w1"), seenMs: seq });
      }
      expect((await store.loadSessions(2)).map((session) => session.sessionId)).toEqual(["s2", "s3"]);
      await apply(sweepWith([1, 2]), granted(1, [1, 2]), committed(1, 1), committed(2, 1));
      expect(await store.loadCommitCounts()).toEqual(new Map([["w1", 2]]));
    });

    it("figures of fuse groups as they were last", async () => {
      await apply({ kind: "fuse-group-set", fuseKey: FUSE_KEY, bytesPerMember: 10, flopsPerCell: 2 ** 60 });
      await apply({ kind: "fuse-group-set", fuseKey: FUSE_KEY, bytesPerMember: 20, flopsPerCell: 2 ** 61 });
      expect(await store.loadFuseGroups()).toEqual([{ fuseKey: FUSE_KEY, bytesPerMember: 20, flopsPerCell: 2 ** 61 }]);
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
      const found = await store.findCells("", [idOf(1), idOf(2), idOf(3), idOf(4)]);
      expect(found.map(({ key, state, digest, diverged }) => ({ key, state, digest, diverged }))).toEqual(
        expect.arrayContaining([
          { key: 1, state: "committed", digest: "digest-1", diverged: true },
          { key: 2, state: "pending", digest: "", diverged: false },
        ]),
      );
      expect(found).toHaveLength(2);
      expect(await store.findCached([idOf(1), idOf(2), idOf(3)])).toEqual([idOf(1)]);
    });

    it("an attempt with its worker, its end and its cell; nothing for a cell that the token was not granted", async () => {
      await apply(sweepWith([1, 2]), granted(1, [1]));
      expect(await store.findAttempt(token(1), idOf(1))).toMatchObject({
        workerId: "w1",
        ended: null,
        cell: { key: 1 },
      });
      await apply({ kind: "attempt-ended", token: token(1), cellKey: 1, ended: "lost" });
      expect((await store.findAttempt(token(1), idOf(1)))?.ended).toBe("lost");
      expect(await store.findAttempt(token(1), idOf(2))).toBeUndefined();
      expect(await store.findAttempt(token(2), idOf(1))).toBeUndefined();
    });

    it("of two ends of one attempt in one transaction the later", async () => {
      await apply(sweepWith([1]), granted(1, [1]));
      await apply({ kind: "attempt-ended", token: token(1), cellKey: 1, ended: "lost" }, committed(1, 1));
      expect((await store.findAttempt(token(1), idOf(1)))?.ended).toBe("committed");
    });

    it("cancelled cells of a sweep, in pages", async () => {
      await apply(sweepWith([1, 2, 3]), { kind: "cells-cancelled", cellKeys: [1, 3] });
      expect((await store.findCancelledCells(1, 0, 1)).map((cell) => cell.key)).toEqual([1]);
      expect((await store.findCancelledCells(1, 1, 5)).map((cell) => cell.key)).toEqual([3]);
    });

    it("configurations, stored once for a content id in any number of scopes", async () => {
      await apply(sweepWith([1]));
      await apply(
        { kind: "sweep-added", sweep: sweepRecord(2, { scope: "sweep-2" }) },
        { kind: "cells-added", cells: [{ ...newCell(1), key: 2, scope: "sweep-2" }] },
      );
      expect(await store.readConfigs([idOf(1), idOf(5)])).toEqual(new Map([[idOf(1), '{"cell":1}']]));
    });
  });

  describe("lists", () => {
    it("cells by grid index, in pages, by state and by id", async () => {
      await apply(sweepWith([1, 2, 3]), granted(1, [2]), committed(2, 1));
      const first = await store.listCells(ALL_CELLS, -1, 2);
      expect(first.map((row) => row.gridIndex)).toEqual([1, 2]);
      expect(first[1]).toMatchObject({
        state: "committed",
        configJson: '{"cell":2}',
        result: { json: '{"result":2}', workerId: "w1", committedMs: 1_700_000_100_000 },
      });
      expect(first[0]?.result).toBeUndefined();
      expect((await store.listCells(ALL_CELLS, 2, 2)).map((row) => row.gridIndex)).toEqual([3]);
      const pending = await store.listCells({ ...ALL_CELLS, states: ["pending"] }, -1, 9);
      expect(pending.map((row) => row.gridIndex)).toEqual([1, 3]);
      const byId = await store.listCells({ ...ALL_CELLS, idPrefix: idOf(3).slice(0, 20) }, -1, 9);
      expect(byId.map((row) => row.gridIndex)).toEqual([3]);
    });

    it("metric chunks of committed attempts alone, by grid index and offset, in pages", async () => {
      await apply(sweepWith([1, 2]), granted(1, [1, 2]), granted(2, [1]));
      await apply(metrics(1, 0, 2, 1, 1), metrics(2, 0, 3, 1, 2), metrics(2, 3, 1, 1, 2), metrics(3, 0, 1, 2, 1));
      await apply(committed(1, 2), committed(2, 1));
      const start = { gridIndex: -1, firstOffset: -1 };
      const all = await store.listChunks(1, "", start, 9);
      expect(all.map(({ gridIndex, firstOffset }) => [gridIndex, firstOffset])).toEqual([
        [1, 0],
        [1, 3],
        [2, 0],
      ]);
      expect([...all[1]!.data]).toEqual([3]);
      const second = await store.listChunks(1, "", all[0]!, 9);
      expect(second.map(({ gridIndex, firstOffset }) => [gridIndex, firstOffset])).toEqual([
        [1, 3],
        [2, 0],
      ]);
      expect(await store.listChunks(1, idOf(2), start, 9)).toHaveLength(1);
    });

    it("log lines in the order of their seq, with every filter, forwards and backwards", async () => {
      await apply(sweepWith([1]), granted(1, [1]));
      await apply(
        logs(1, 0, [logLine(1), logLine(2, { level: 4 }), logLine(3, { workerId: "w2" })]),
        logs(2, 0, [logLine(4, { cellKey: 1, token: token(1), fieldsJson: '{"a":1}' })], "s2"),
      );
      const seqs = async (query: Partial<LogQuery>, after = 0) =>
        (await store.listLogs({ ...ALL_LOGS, ...query }, after, 99)).map((row) => row.seq);
      expect(await seqs({})).toEqual([1, 2, 3, 4]);
      expect(await seqs({}, 2)).toEqual([3, 4]);
      expect(await seqs({ minLevel: 3 })).toEqual([2]);
      expect(await seqs({ workerId: "w2" })).toEqual([3]);
      expect(await seqs({ sinceMs: 1_700_000_000_003 })).toEqual([3, 4]);
      expect(await seqs({ sweepSeq: 1 })).toEqual([4]);
      expect(await seqs({ cellIdPrefix: idOf(1).slice(0, 8) })).toEqual([4]);
      const back = await store.listLogsBackwards(ALL_LOGS, 4, 2);
      expect(back.map((row) => row.seq)).toEqual([3, 2]);
      expect((await store.listLogs(ALL_LOGS, 3, 9))[0]).toEqual({
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
      expect(await store.lambdaExtremes(1)).toEqual({ lowest: undefined, highest: undefined });
      await apply(
        committed(1, 1, { lambdaHat: -3, verdict: "biased" }),
        committed(2, 1, { lambdaHat: 1.5 }),
        committed(3, 1, { lambdaHat: 4 }),
        committed(4, 1, { lambdaHat: null, verdict: "ok" }),
      );
      const { lowest, highest } = await store.lambdaExtremes(1);
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
      expect(await store.listFindings()).toEqual([
        { cellId: idOf(1), token: token(1), workerId: "w1", digest: "other" },
      ]);
    });
  });

  it("keeps the largest integers, texts of every script and bytes of every value as they were", async () => {
    const big = 2 ** 53 - 1;
    await apply(sweepWith([1]), granted(big, [1]));
    await apply({ kind: "metrics-appended", ...bytesAppend(big) });
    await apply(logs(2, 0, [logLine(1, { message: "λ̂ 学習 \u2400 end", timeMs: big })]));
    await apply({ kind: "result-committed", result: resultRecord(1, big, { lambdaHat: 1e-10 }) });
    const [chunk] = await store.listChunks(1, "", { gridIndex: -1, firstOffset: -1 }, 1);
    expect([...chunk!.data]).toEqual([...Array(256).keys()]);
    const [line] = await store.listLogs(ALL_LOGS, 0, 1);
    expect(line).toMatchObject({ message: "λ̂ 学習 \u2400 end", timeMs: big });
    expect((await store.lambdaExtremes(1)).lowest?.lambdaHat).toBe(1e-10);
  });

  if (durable)
    it("holds what was applied after it was closed and opened again", async () => {
      await store.beginEpoch();
      await apply(sweepWith([1, 2]), granted(1, [1, 2]), metrics(1, 0, 2), committed(1, 1), logs(2, 0, [logLine(1)]));
      await store.close();
      store = await open(folder);
      expect(await store.beginEpoch()).toBe(2n);
      expect(await store.loadOpenLeases()).toMatchObject([{ token: token(1), openCells: [2] }]);
      expect((await store.listCells(ALL_CELLS, -1, 9)).map((row) => row.state)).toEqual(["committed", "pending"]);
      expect(await store.listLogs(ALL_LOGS, 0, 9)).toHaveLength(1);
      await apply(metrics(1, 2, 1));
    });
});

function bytesAppend(value: number) {
  return {
    stream: { kind: "metrics", cellKey: 1, token: token(value), sessionId: "" } as const,
    streamId: 1,
    firstOffset: 0,
    count: 256,
    data: Uint8Array.from({ length: 256 }, (_, index) => index),
  };
}
