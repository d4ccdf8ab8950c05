import { beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../coordinator/limits.ts";
import { HandWorker, openWorld, specText, type World } from "./coordinator-fixture.ts";

let world: World;
let worker: HandWorker;

beforeEach(async () => {
  world = await openWorld();
  worker = new HandWorker(() => world);
});

const sweeps = () => world.coordinator.hot.sweeps.all();
const cancel = (place = 0) => world.coordinator.sweeps.cancel(sweeps()[place]!);

async function finishAll(): Promise<void> {
  for (;;) {
    const [grant] = (await worker.sync()).grants;
    if (grant === undefined) return;
    worker.held = [{ token: grant.token, phase: "train" }];
    await worker.sync({ freeSlots: 0 });
    for (const { cellId } of grant.cells) await worker.result(cellId as never, grant.token);
    worker.held = [];
  }
}

/** Chunks are large, and the machine may be busy. */
const SOON = { interval: 5, timeout: 15_000 };

describe("a submission", () => {
  it("makes one sweep of one spec, however often and at once it comes", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => world.submit({ name: "a", cells: 200 })));
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    expect(sweeps()).toHaveLength(1);
    expect(sweeps()[0]!.counts.pending).toBe(200);
    expect((await world.submit({ name: "a", cells: 200 })).created).toBe(false);
  });

  it("shares cells with earlier sweeps: what has a result is cached, what runs is not run twice", async () => {
    await world.submit({ name: "a", cells: 4 });
    const { token, cells } = await worker.take();
    await worker.result(cells[0]!, token);
    const { sweep } = await world.submit({ name: "b", cells: 6 });
    expect(sweep.counts).toMatchObject({ committed: 1, cached: 1, running: 3, pending: 2 });
    expect(world.coordinator.hot.work.size).toBe(2);
    for (const id of cells.slice(1)) await worker.result(id, token);
    expect(sweeps().map((each) => each.counts.committed)).toEqual([4, 4]);
    expect(sweeps()[0]!.state).toBe("finished");
    expect(sweep.counts.cached).toBe(1);
  });

  it("of cells that all have a result is finished at once", async () => {
    await world.submit({ name: "a", cells: 3 });
    await finishAll();
    const { sweep } = await world.submit({ name: "b", cells: 3 });
    expect(sweep).toMatchObject({ state: "finished", counts: { committed: 3, cached: 3 } });
  });

  it("without the cache trains every cell anew, in a scope of its own, once for each request id", async () => {
    await world.submit({ name: "a", cells: 2 });
    await finishAll();
    const first = await world.submit({ name: "a", cells: 2 }, { noCache: true, requestId: "r1" });
    expect(first.sweep.counts).toMatchObject({ pending: 2, cached: 0 });
    expect((await world.submit({ name: "a", cells: 2 }, { noCache: true, requestId: "r1" })).created).toBe(false);
    await world.submit({ name: "a", cells: 2 }, { noCache: true, requestId: "r2" });
    await finishAll();
    expect(sweeps().map((each) => [each.state, each.counts.committed])).toEqual([
      ["finished", 2],
      ["finished", 2],
      ["finished", 2],
    ]);
    await expect(world.submit({ name: "a", cells: 2 }, { noCache: true })).rejects.toMatchObject({ code: "bad-usage" });
  });

  it("of more cells than the limit is refused with the count, and leaves nothing behind", async () => {
    const asked = { maxCells: LIMITS.sweepCells * 2 };
    await expect(world.submit({ name: "a", cells: LIMITS.sweepCells + 1 }, asked)).rejects.toMatchObject({
      code: "resource-exhausted",
      message: expect.stringMatching(/1000001 points.*1000000 cells/u),
    });
    expect(sweeps()).toEqual([]);
    await expect(
      world.coordinator.sweeps.submit({
        specText: specText({ name: "x".repeat(LIMITS.specBytes), cells: 1 }),
        fileName: "a",
        noCache: false,
        requestId: "",
      }),
    ).rejects.toMatchObject({ code: "resource-exhausted" });
  }, 60_000);

  it("is expanded in chunks between which others are served", async () => {
    let turns = 0;
    let over = false;
    const count = (): void => {
      turns += 1;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    await world.submit({ name: "a", cells: LIMITS.expandChunk * 1.5 });
    over = true;
    expect(turns).toBeGreaterThanOrEqual(6);
  });

  it("that breaks at a point is cancelled and says so", async () => {
    await expect(world.submit({ name: "a", cells: 300, broken: [250] })).rejects.toThrow(/point 250 is broken/u);
    expect(sweeps()[0]).toMatchObject({ state: "cancelled", counts: { pending: 0 } });
  });

  it("that was cut off by the end of the process goes on after the next start", async () => {
    const cells = LIMITS.expandChunk * 1.5;
    const submitted = world.submit({ name: "a", cells }).catch(() => "cut off");
    await vi.waitFor(() => expect(sweeps()[0]?.total).toBeGreaterThan(0), SOON);
    world = await world.restart();
    await submitted;
    expect(sweeps()[0]!.total).toBeLessThan(cells);
    // A second on an idle machine.
    await vi.waitFor(() => expect(sweeps()[0]!.expanded).toBe(true), 15_000);
    expect(sweeps()[0]!.counts.pending).toBe(cells);
    expect(await world.store.listCells({ sweepSeq: 1, states: [], idPrefix: "" }, cells - 2, 9)).toHaveLength(1);
  });
});

describe("a cancel of very many cells", () => {
  /** More than one part of rows. */
  const cells = 25_000;
  const stored = async (states: readonly ("pending" | "cancelled")[]) =>
    (await world.store.listCells({ sweepSeq: 1, states, idPrefix: "" }, -1, cells)).length;

  it("is answered before every row is written, and no worker gets one of them any more", async () => {
    await world.submit({ name: "a", cells });
    await cancel();
    expect(sweeps()[0]).toMatchObject({ state: "cancelled", counts: { pending: 0, cancelled: cells } });
    // Those whose rows are not written are still there.
    expect(world.coordinator.hot.cells.size).toBeGreaterThan(0);
    expect((await worker.sync()).grants).toEqual([]);
    await vi.waitFor(async () => expect(await stored(["cancelled"])).toBe(cells), 10_000);
    expect(world.coordinator.hot.cells.size).toBe(0);
  });

  it("that was cut short by the end of the process is taken up at the next start", async () => {
    await world.submit({ name: "a", cells });
    await cancel();
    world = await world.restart();
    expect(sweeps()[0]).toMatchObject({ state: "cancelled", counts: { pending: 0, cancelled: cells } });
    await vi.waitFor(async () => expect(await stored(["cancelled"])).toBe(cells), 10_000);
  });

  it("does not touch those cells that were asked for again meanwhile", async () => {
    await world.submit({ name: "a", cells });
    await cancel();
    await world.submit({ name: "a", cells });
    expect(sweeps()[0]).toMatchObject({ state: "running", counts: { pending: cells, cancelled: 0 } });
    await world.coordinator.sweeps.close();
    await world.coordinator.hot.writer.settled();
    expect(await stored(["pending"])).toBe(cells);
  });
});

describe("work", () => {
  it("of the oldest sweep comes first", async () => {
    await world.submit({ name: "a", cells: 4 });
    await world.submit({ name: "b", cells: 4, from: 100 });
    const first = await worker.take();
    worker.held = [];
    const second = await worker.take();
    const sweepOf = (id: string) =>
      [...world.coordinator.hot.cells.all()].find((cell) => cell.id === id)!.sweeps[0]!.record.name;
    expect([sweepOf(first.cells[0]!), sweepOf(second.cells[0]!)]).toEqual(["a", "b"]);
  });
});

describe("a cancellation", () => {
  it("ends every open cell, tells the workers, and keeps the results", async () => {
    await world.submit({ name: "a", cells: 8 });
    const { token, cells } = await worker.take();
    await worker.result(cells[0]!, token);
    await cancel();
    expect(sweeps()[0]).toMatchObject({
      state: "cancelled",
      counts: { cancelled: 7, committed: 1, pending: 0, running: 0 },
    });
    expect((await worker.sync()).revocations).toMatchObject([
      { token, cellIds: [], reason: "its sweep was cancelled" },
    ]);
    expect((await worker.sync()).grants).toEqual([]);
    expect(world.coordinator.hot.cells.size).toBe(0);
    expect(await world.store.loadOpenLeases()).toEqual([]);
  });

  it("races a commit: one of the two, and the same answer to every reader", async () => {
    for (const first of ["cancel", "commit"] as const) {
      world = await openWorld();
      await world.submit({ name: "a", cells: 1 });
      const { token, cells } = await worker.take();
      const commit = () => worker.result(cells[0]!, token);
      const both = first === "cancel" ? [cancel(), commit()] : [commit(), cancel()];
      const [, reply] = first === "cancel" ? await Promise.all(both) : (await Promise.all(both)).toReversed();
      const { counts } = sweeps()[0]!;
      const outcome = (reply as { outcome: string }).outcome;
      expect(outcome === "committed").toBe(counts.committed === 1);
      expect(counts.committed + counts.cancelled).toBe(1);
      const [row] = await world.store.listCells({ sweepSeq: 1, states: [], idPrefix: "" }, -1, 1);
      expect(row!.state).toBe(counts.committed === 1 ? "committed" : "cancelled");
      world = await world.restart();
      expect(sweeps()[0]!.counts).toEqual(counts);
      worker.held = [];
    }
  });

  it("leaves cells alone that another running sweep wants, and hands them to that one", async () => {
    await world.submit({ name: "a", cells: 4 });
    await world.submit({ name: "b", cells: 4 });
    await cancel();
    expect(sweeps().map((each) => each.counts.pending)).toEqual([4, 4]);
    await finishAll();
    expect(sweeps().map((each) => [each.state, each.counts.committed])).toEqual([
      ["cancelled", 4],
      ["finished", 4],
    ]);
  });

  it("that was cut off by the end of the process is completed at the next start", async () => {
    await world.submit({ name: "a", cells: 3 });
    await world.store.apply([
      { kind: "sweep-changed", seq: 1, state: "cancelled", finishedMs: 5, expandedTo: 3, expanded: true },
      { kind: "cells-cancelled", cellKeys: [1] },
    ]);
    world = await world.restart();
    expect(sweeps()[0]!.counts).toMatchObject({ cancelled: 3, pending: 0 });
    expect(world.coordinator.hot.work.size).toBe(0);
  });
});

describe("a cancelled sweep that is submitted again", () => {
  it("goes on with what is missing", async () => {
    await world.submit({ name: "a", cells: 6 });
    const { token, cells } = await worker.take();
    await worker.result(cells[0]!, token);
    await cancel();
    const { sweep, created } = await world.submit({ name: "a", cells: 6 });
    expect(created).toBe(false);
    expect(sweep).toMatchObject({ state: "running", counts: { pending: 5, committed: 1, cancelled: 0 } });
    worker.held = [];
    await finishAll();
    expect(sweep).toMatchObject({ state: "finished", counts: { committed: 6 } });
  });

  it("goes on also after a restart, and when it was cancelled half expanded", async () => {
    const cells = LIMITS.expandChunk * 1.5;
    const submitted = world.submit({ name: "a", cells }).catch(() => undefined);
    await vi.waitFor(() => expect(sweeps()[0]?.total).toBeGreaterThan(0), SOON);
    await cancel();
    await submitted;
    world = await world.restart();
    expect(sweeps()[0]!.state).toBe("cancelled");
    const { sweep } = await world.submit({ name: "a", cells });
    expect(sweep.counts).toMatchObject({ pending: cells, cancelled: 0 });
  });

  it("completes what an error of the store cut short, when it is submitted again or resumed", async () => {
    await world.submit({ name: "a", cells: 5 });
    await cancel();
    const read = vi.spyOn(world.store, "findCellsIn");
    for (const again of ["submit", "resume"] as const) {
      read.mockRejectedValueOnce(new Error("disk I/O error"));
      await expect(world.submit({ name: "a", cells: 5 })).rejects.toThrow("disk I/O error");
      expect(sweeps()[0]!.counts).toMatchObject({ cancelled: 5, pending: 0 });
      if (again === "submit") await world.submit({ name: "a", cells: 5 });
      else await world.coordinator.sweeps.resume(sweeps()[0]!);
      expect(sweeps()[0]!.counts).toMatchObject({ cancelled: 0, pending: 5 });
      await cancel();
    }
  });

  it("resumes a sweep of several pages by ranges of its keys, and no other sweep's cells", async () => {
    await world.submit({ name: "before", cells: 3 });
    await cancel();
    const cells = 2 * LIMITS.pageKeys + 5;
    const { sweep } = await world.submit({ name: "large", cells, from: 3 });
    await world.coordinator.sweeps.cancel(sweep);
    await vi.waitFor(() => expect(sweep.counts.cancelled).toBe(cells));
    const read = vi.spyOn(world.store, "findCellsIn");
    await world.coordinator.sweeps.resume(sweep);
    expect(sweep.counts).toMatchObject({ pending: cells, cancelled: 0 });
    const ranges = read.mock.calls.map(([, , { first, last }]) => last - first + 1);
    expect(ranges).toEqual([LIMITS.pageKeys, LIMITS.pageKeys, 5]);
    expect(sweeps()[0]!.counts).toMatchObject({ pending: 0, cancelled: 3 });
  });

  it("resumes right behind a large cancel, whose rows are not all written, in small transactions", async () => {
    const cells = 25_000;
    const { sweep } = await world.submit({ name: "a", cells });
    const apply = vi.spyOn(world.store, "apply");
    await cancel();
    await world.coordinator.sweeps.resume(sweep);
    expect(sweep.counts).toMatchObject({ pending: cells, cancelled: 0 });
    const changed = apply.mock.calls.map(([changes]) => changes.filter(({ kind }) => kind === "cell-changed").length);
    expect(changed.reduce((sum, count) => sum + count, 0)).toBe(cells);
    expect(Math.max(...changed)).toBeLessThanOrEqual(2 * LIMITS.pageKeys);
    world = await world.restart();
    expect(sweeps()[0]!.counts).toMatchObject({ pending: cells, cancelled: 0 });
  });

  it("completes a resume that was cut off, at the next start", async () => {
    await world.submit({ name: "a", cells: 5 });
    await cancel();
    await world.store.apply([
      { kind: "sweep-changed", seq: 1, state: "running", finishedMs: null, expandedTo: 5, expanded: true },
    ]);
    world = await world.restart();
    await vi.waitFor(() => expect(sweeps()[0]!.counts).toMatchObject({ pending: 5, cancelled: 0 }));
    await finishAll();
    expect(sweeps()[0]!.state).toBe("finished");
  });

  it("brings back a cancelled cell for a new sweep that has it too", async () => {
    await world.submit({ name: "a", cells: 3 });
    await cancel();
    const { sweep } = await world.submit({ name: "b", cells: 2 });
    expect(sweep.counts.pending).toBe(2);
    await finishAll();
    expect(sweeps().map((each) => [each.state, each.counts.committed, each.counts.cancelled])).toEqual([
      ["cancelled", 2, 1],
      ["finished", 2, 0],
    ]);
  });
});

describe("a sweep is found", () => {
  it("by id, by a prefix of it, by name; and nothing or several are refused with a hint", async () => {
    await world.submit({ name: "alpha", cells: 1 });
    await world.submit({ name: "alpha", cells: 2 });
    const { sweeps: book } = world.coordinator.hot;
    const [older, newer] = book.all();
    expect(book.find(older!.record.id)).toBe(older);
    expect(book.find(older!.record.id.slice(0, -3))).toBe(older);
    expect(book.find("alpha")).toBe(newer);
    expect(() => book.find("alph")).toThrow(/begins 2 sweeps/u);
    expect(() => book.find("beta")).toThrow(/no sweep "beta"/u);
    expect(() => book.find("")).toThrow(/no sweep/u);
  });
});
