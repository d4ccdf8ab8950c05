/** What every store must keep: changes whole and in order, its invariants, and what it was given. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../coordinator/store/change.ts";
import {
  cellAdded,
  committed,
  FUSE_KEY,
  granted,
  idOf,
  logLine,
  logs,
  metrics,
  newCell,
  resultRecord,
  sweepRecord,
  sweepWith,
  token,
  NO_FAULTS,
  NO_FIGURES,
} from "./store-fixture.ts";
import { ALL_CELLS, ALL_LOGS, describeStores } from "./store-under-test.ts";

describeStores(({ apply, store, durable, shared, open, reopen }) => {
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
      expect(await store().loadOpenLeases()).toEqual([]);
      expect(await store().loadSweeps()).toHaveLength(1);
      // And goes on after it.
      await apply(granted(7, [1]));
      expect(await store().loadOpenLeases()).toHaveLength(1);
    });

    it("a list of more rows than one statement can bind", async () => {
      const keys = Array.from({ length: 40_000 }, (_, index) => index + 1);
      await apply(sweepWith(keys), { kind: "cells-cancelled", cellKeys: keys });
      expect(await store().loadCounts()).toEqual([
        { sweepSeq: 1, state: "cancelled", diverged: false, cached: false, count: 40_000, faults: NO_FAULTS },
      ]);
    });
  });

  describe("keeps the order of one transaction", () => {
    const figures = { ...NO_FIGURES, state: "pending", lost: 1 } as const;
    const changed: Change = { kind: "cell-changed", cellKey: 1, figures };
    const cancelled: Change = { kind: "cells-cancelled", cellKeys: [1] };
    const stateOf = async () => (await store().findCells("", [idOf(1)]))[0];

    it("for a cell that is changed and then cancelled", async () => {
      await apply(sweepWith([1]), changed, cancelled);
      expect(await stateOf()).toMatchObject({ state: "cancelled", lost: 1 });
    });

    it("for a cell that is cancelled and then pending again", async () => {
      await apply(sweepWith([1]), cancelled, changed);
      expect(await stateOf()).toMatchObject({ state: "pending", lost: 1 });
    });

    it("for a lease that is granted, given back and granted again, and its attempts", async () => {
      const ended: Change = { kind: "lease-ended", token: token(1), ended: "lost", endedMs: 5 };
      const end: Change = { kind: "attempt-ended", token: token(1), cellKey: 1, ended: "lost" };
      await apply(sweepWith([1]), granted(1, [1]), end, ended, granted(2, [1]));
      expect(await store().loadOpenLeases()).toMatchObject([{ token: token(2), openCells: [1] }]);
      expect(await stateOf()).toMatchObject({ attempts: 2 });
    });

    it("for a stream that is opened and moved on, in that transaction and the next", async () => {
      await apply(sweepWith([1]), granted(1, [1]), metrics(1, 0, 2), metrics(1, 2, 3));
      await apply(metrics(1, 5, 1), metrics(1, 6, 4));
      await expect(apply(metrics(1, 10, 1), metrics(1, 12, 1))).rejects.toThrow("ends at 11, not at 12");
      expect(await store().findStream({ kind: "metrics", cellKey: 1, token: token(1), sessionId: "" })).toMatchObject({
        nextOffset: 10,
      });
    });

    it("for a sweep that grows twice and a group that is measured twice", async () => {
      const grown = (expandedTo: number): Change => ({
        kind: "sweep-changed",
        seq: 1,
        state: "running",
        finishedMs: null,
        expandedTo,
        expanded: false,
      });
      const measured = (bytesPerMember: number): Change => ({
        kind: "fuse-group-set",
        fuseKey: FUSE_KEY,
        bytesPerMember,
        flopsPerCell: 1,
      });
      await apply({ kind: "sweep-added", sweep: sweepRecord(1) }, grown(5), measured(1), grown(9), measured(2));
      expect(await store().loadSweeps()).toMatchObject([{ expandedTo: 9, finishedMs: null }]);
      expect(await store().loadFuseGroups()).toMatchObject([{ bytesPerMember: 2 }]);
    });
  });

  describe("makes true by itself", () => {
    beforeEach(() => apply(sweepWith([1, 2]), granted(1, [1, 2])));

    it("one result of a cell", async () => {
      await apply(committed(1, 1));
      await expect(apply(committed(1, 1, { digest: "another" }))).rejects.toThrow();
      expect((await store().findAttempt(token(1), idOf(1)))?.cell.digest).toBe("digest-1");
    });

    it("one cell of a content id and scope, and the same id in another scope", async () => {
      await expect(apply(cellAdded(9, newCell(1)))).rejects.toThrow();
      await apply(cellAdded(9, newCell(1), "sweep-2"));
    });

    it("a token granted once", async () => {
      await expect(apply(granted(1, [1]))).rejects.toThrow();
    });

    it("a grid index of a sweep taken once, by a cell that is in the sweep once", async () => {
      const link = (gridIndex: number, cellKey: number): Change => ({
        kind: "cells-linked",
        sweepSeq: 1,
        links: [{ gridIndex, firstKey: cellKey, lastKey: cellKey, cached: false }],
      });
      await expect(apply(link(1, 2))).rejects.toThrow();
      await expect(apply(link(9, 2))).rejects.toThrow();
    });

    it("contiguous offsets: an append starts where its stream ends", async () => {
      await apply(metrics(1, 0, 3), metrics(1, 3, 2));
      await expect(apply(metrics(1, 6, 1))).rejects.toThrow();
      await expect(apply(metrics(1, 4, 1))).rejects.toThrow();
      await expect(apply(metrics(2, 0, 1))).rejects.toThrow();
      expect(await store().findStream({ kind: "metrics", cellKey: 1, token: token(1), sessionId: "" })).toEqual({
        streamId: 1,
        nextOffset: 5,
      });
    });

    it("a quarantine with a reason", async () => {
      const figures = { ...NO_FIGURES, state: "quarantined", lost: 3, widthLimit: 1 } as const;
      await expect(apply({ kind: "cell-changed", cellKey: 1, figures })).rejects.toThrow();
      await apply({ kind: "cell-changed", cellKey: 1, figures: { ...figures, reason: "it kills workers" } });
    });
  });

  it("keeps the largest integers, texts of every script and bytes of every value as they were", async () => {
    const big = 2 ** 53 - 1;
    await apply(sweepWith([1]), granted(big, [1]));
    await apply({ kind: "metrics-appended", ...bytesAppend(big) });
    const halved = "half of a pair: \ud83d";
    await apply(
      logs(2, 0, [logLine(1, { message: "λ̂ 学習 \u2400 end", timeMs: big }), logLine(2, { message: halved })]),
    );
    await apply({ kind: "result-committed", result: resultRecord(1, big, { lambdaHat: 1e-10 }) });
    const [chunk] = await store().listChunks(1, "", { gridIndex: -1, firstOffset: -1 }, 1);
    expect([...chunk!.data]).toEqual([...Array(256).keys()]);
    const [line, cut] = await store().listLogs(ALL_LOGS, 0, 2);
    expect(cut?.message).toMatch(/^half of a pair: .+$/u);
    expect(line).toMatchObject({ message: "λ̂ 学習 \u2400 end", timeMs: big });
    expect((await store().lambdaExtremes(1)).lowest?.lambdaHat).toBe(1e-10);
  });

  it("takes no write before an epoch has begun", async () => {
    if (durable) await reopen();
    const fresh = durable ? store() : await open();
    await expect(fresh.apply(sweepWith([1]))).rejects.toThrow("before an epoch has begun");
    await fresh.beginEpoch();
    await fresh.apply(sweepWith([1]));
    if (!durable) await fresh.close();
  });

  if (durable)
    it("holds what was applied after it was closed and opened again", async () => {
      await apply(sweepWith([1, 2]), granted(1, [1, 2]), metrics(1, 0, 2), committed(1, 1), logs(2, 0, [logLine(1)]));
      await reopen();
      expect(await store().beginEpoch()).toBe(2n);
      expect(await store().loadOpenLeases()).toMatchObject([{ token: token(1), openCells: [2] }]);
      expect((await store().listCells(ALL_CELLS, -1, 9)).map((row) => row.state)).toEqual(["committed", "pending"]);
      expect(await store().listLogs(ALL_LOGS, 0, 9)).toHaveLength(1);
      await apply(metrics(1, 2, 1));
    });

  if (shared)
    it("refuses the writes of an epoch once a later one has begun, and takes those of the later", async () => {
      await apply(sweepWith([1]));
      const later = await open();
      await later.beginEpoch();
      await expect(apply(granted(1, [1]))).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("epoch 2 has begun"),
      });
      expect(await later.loadOpenLeases()).toEqual([]);
      await later.apply([granted(1, [1])]);
      expect(await store().loadOpenLeases()).toHaveLength(1);
      await later.close();
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
