/** The commit matrix: every outcome of a commit, against every state of the cell. */
import { beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../../coordinator/limits.ts";
import type { CellId, LeaseToken } from "../../../src/core/ids.ts";
import { cellIdOf, HandWorker, leaseToken, madeUpResult, openWorld, type World } from "./coordinator-fixture.ts";

let world: World;
let worker: HandWorker;
let other: HandWorker;

beforeEach(async () => {
  world = await openWorld();
  worker = new HandWorker(() => world);
  other = new HandWorker(() => world, "w2", "s2");
});

const sweepOf = () => world.coordinator.hot.sweeps.all()[0]!;
const stateOf = (id: CellId) => world.coordinator.hot.cells.get("", id)?.life.state.kind;
const stored = async (token: LeaseToken, id: CellId) => (await world.store.findAttempt(token, id))?.cell;

async function oneRunning(cells = 1) {
  await world.submit({ name: "a", cells });
  const { token, cells: ids } = await worker.take();
  return { token, ids, id: ids[0]! };
}

/** The first attempt's lease runs out, and another worker has the cell. */
async function takenOver() {
  const first = await oneRunning();
  await world.clock.advance(31_000);
  const second = await other.take();
  return { ...first, second: second.token };
}

describe("a result", () => {
  it("of a running cell is committed, stored before the answer, and counted", async () => {
    const { token, id } = await oneRunning();
    expect(await worker.result(id, token)).toEqual({ outcome: "committed", detail: "" });
    expect(await stored(token, id)).toMatchObject({ state: "committed", digest: madeUpResult(1).digest });
    expect(sweepOf().state).toBe("finished");
    expect(sweepOf().counts).toMatchObject({ committed: 1, running: 0, pending: 0, diverged: 0 });
    expect(await world.store.loadOpenLeases()).toEqual([]);
  });

  it("that comes again is a duplicate, from memory and from the store", async () => {
    const { token, id } = await oneRunning();
    const both = await Promise.all([worker.result(id, token), worker.result(id, token)]);
    expect(both.map((reply) => reply.outcome)).toEqual(["committed", "duplicate-same"]);
    expect((await worker.result(id, token)).outcome).toBe("duplicate-same");
    world = await world.restart();
    expect((await worker.result(id, token)).outcome).toBe("duplicate-same");
  });

  it("that differs from the committed one is a finding, recorded once, and changes nothing", async () => {
    const { token, id } = await oneRunning();
    await worker.result(id, token, 1);
    expect((await worker.result(id, token, 2)).outcome).toBe("duplicate-different");
    expect((await worker.result(id, token, 2)).outcome).toBe("duplicate-different");
    expect(await world.store.listFindings()).toEqual([
      { cellId: id, token, workerId: "w1", digest: madeUpResult(2).digest },
    ]);
    expect((await stored(token, id))?.digest).toBe(madeUpResult(1).digest);
  });

  it("of a stale token is salvaged while the cell is pending", async () => {
    const { token, id } = await oneRunning();
    await world.clock.advance(31_000);
    expect(stateOf(id)).toBe("pending");
    expect(await worker.result(id, token)).toEqual({ outcome: "committed", detail: "salvaged: the cell was pending" });
    expect((await other.sync()).grants).toEqual([]);
  });

  it("of a stale token is salvaged while another worker runs the cell, and that one is told to stop", async () => {
    const { token, id, second } = await takenOver();
    expect((await worker.result(id, token)).outcome).toBe("committed");
    const { revocations } = await other.sync();
    expect(revocations).toEqual([{ token: second, cellIds: [], reason: "another attempt of the cell was committed" }]);
    expect((await other.result(id, second)).outcome).toBe("duplicate-same");
  });

  it("of a quarantined cell is salvaged, also after a restart", async () => {
    const { token, id } = await oneRunning();
    await worker.fail(id, token);
    for (let round = 0; round < 2; round += 1) {
      await world.clock.advance(15_000);
      await worker.fail(id, (await worker.take()).token);
    }
    expect(sweepOf().counts.quarantined).toBe(1);
    world = await world.restart();
    expect((await worker.result(id, token)).detail).toBe("salvaged: the cell was quarantined");
    expect(sweepOf().counts).toMatchObject({ committed: 1, quarantined: 0 });
    expect(await stored(token, id)).toMatchObject({ state: "committed", reason: "" });
  });

  it("is fenced when the cell was cancelled, from memory and from the store", async () => {
    const { token, id } = await oneRunning();
    const cancelled = world.coordinator.sweeps.cancel(sweepOf());
    expect((await worker.result(id, token)).outcome).toBe("fenced");
    await cancelled;
    expect((await worker.result(id, token)).outcome).toBe("fenced");
    expect(sweepOf().counts).toMatchObject({ cancelled: 1, committed: 0 });
  });

  it("of a token that was never granted, of another worker's, or of another cell is fenced", async () => {
    const { token, id } = await oneRunning();
    expect((await worker.result(id, leaseToken(99))).outcome).toBe("fenced");
    expect((await other.result(id, token)).outcome).toBe("fenced");
    expect((await worker.result(cellIdOf(77), token)).outcome).toBe("fenced");
    expect(stateOf(id)).toBe("running");
  });

  it("waits for its metrics and logs: incomplete until they are there", async () => {
    const { token, id } = await oneRunning();
    const counts = { metricCount: 3, logCount: 1 };
    expect(await worker.result(id, token, 1, counts)).toEqual({
      outcome: "incomplete",
      detail: "0 of 3 metric points are here, 0 of 1 log lines are here",
    });
    await worker.pushMetrics(id, token, 0, 3);
    expect((await worker.result(id, token, 1, counts)).detail).toBe("0 of 1 log lines are here");
    // Under way and not durable yet: it is written first, so it counts.
    const pushed = worker.pushLogs({ cellId: id, token }, 0, ["done"]);
    const { streams, cells } = world.coordinator.hot;
    const key = { kind: "logs", cellKey: cells.get("", id)!.key, token, sessionId: "" } as const;
    while (streams.get(key) === undefined) await Promise.resolve();
    const [, reply] = await Promise.all([pushed, worker.result(id, token, 1, counts)]);
    expect(reply.outcome).toBe("committed");
  });

  it("waits for streams that only the store knows", async () => {
    const { token, id } = await oneRunning();
    await worker.pushMetrics(id, token, 0, 3);
    world = await world.restart();
    expect((await worker.result(id, token, 1, { metricCount: 4, logCount: 0 })).outcome).toBe("incomplete");
    expect((await worker.result(id, token, 1, { metricCount: 3, logCount: 0 })).outcome).toBe("committed");
  });

  it("is refused when it is no result, or its digest is not its own, and the cell stays as it is", async () => {
    const { token, id } = await oneRunning();
    const good = { kind: "result", ...madeUpResult(1), metricCount: 0, logCount: 0 } as const;
    const nan = good.json.replace('"trainLoss":0.25', '"trainLoss":NaN');
    await expect(worker.commit(id, token, { ...good, json: nan })).rejects.toMatchObject({ code: "protocol" });
    await expect(worker.commit(id, token, { ...good, json: '{"outcome":"ok"}' })).rejects.toMatchObject({
      code: "protocol",
    });
    await expect(worker.commit(id, token, { ...good, digest: "0".repeat(64) })).rejects.toThrow(/digest/u);
    const long = JSON.stringify({ pad: "x".repeat(LIMITS.resultChars) });
    await expect(worker.commit(id, token, { ...good, json: long })).rejects.toThrow(/limit/u);
    expect(stateOf(id)).toBe("running");
    expect((await worker.result(id, token)).outcome).toBe("committed");
  });

  it("that diverged is a result, and counted as diverged", async () => {
    const { token, id } = await oneRunning();
    const outcome = { kind: "result", ...madeUpResult(1, "diverged"), metricCount: 0, logCount: 0 } as const;
    expect((await worker.commit(id, token, outcome)).outcome).toBe("committed");
    expect(sweepOf().counts).toMatchObject({ committed: 1, diverged: 1 });
    world = await world.restart();
    expect(sweepOf().counts).toMatchObject({ committed: 1, diverged: 1 });
  });
});

describe("a failure", () => {
  it("is noted and the cell is tried again; said again it is noted again and counts once", async () => {
    const { token, id } = await oneRunning();
    const both = await Promise.all([worker.fail(id, token), worker.fail(id, token)]);
    expect(both.map((reply) => reply.outcome)).toEqual(["noted", "noted"]);
    expect((await worker.fail(id, token)).outcome).toBe("noted");
    world = await world.restart();
    expect((await worker.fail(id, token)).outcome).toBe("noted");
    expect(await stored(token, id)).toMatchObject({ state: "pending", failed: 1, lost: 0 });
  });

  it("of an attempt that is over is fenced and hurts nobody", async () => {
    const { token, id, second } = await takenOver();
    expect((await worker.fail(id, token)).outcome).toBe("fenced");
    expect(stateOf(id)).toBe("running");
    expect((await other.result(id, second)).outcome).toBe("committed");
    expect((await other.fail(id, second)).outcome).toBe("fenced");
  });

  it("the third time is a quarantine with its reason and a line in the log", async () => {
    const { token, id } = await oneRunning();
    await worker.fail(id, token);
    for (let round = 0; round < 2; round += 1) {
      worker.held = [];
      await world.clock.advance(15_000);
      await worker.fail(id, (await worker.take()).token, "failed", `boom\0 ${round}`);
    }
    expect(await stored(token, id)).toMatchObject({
      state: "quarantined",
      failed: 3,
      reason: "failed 3 times (on w1); the last: boom\u2400 1",
    });
    expect(sweepOf().state).toBe("finished");
    const lines = await world.store.listLogs(
      { sweepSeq: 1, cellIdPrefix: id, workerId: "coordinator", minLevel: 4, sinceMs: 0 },
      0,
      9,
    );
    expect(lines.map((line) => line.message)).toEqual(["quarantined: failed 3 times (on w1); the last: boom\u2400 1"]);
  });

  it("by memory halves the width of the next shard, until the cell runs alone", async () => {
    const { token, ids } = await oneRunning(4);
    expect(ids).toHaveLength(4);
    for (const id of ids) await worker.fail(id, token, "out-of-memory", "no space");
    worker.held = [];
    const second = await worker.take();
    expect(second.cells).toHaveLength(2);
    for (const id of second.cells) await worker.fail(id, second.token, "out-of-memory", "no space");
    expect(await stored(second.token, second.cells[0]!)).toMatchObject({ oom: 2, failed: 0, widthLimit: 1 });
  });

  it("of one cell leaves the others of its shard running", async () => {
    const { token, ids } = await oneRunning(3);
    await worker.fail(ids[0]!, token);
    expect(ids.map(stateOf)).toEqual(["retry-wait", "running", "running"]);
    expect((await worker.result(ids[1]!, token)).outcome).toBe("committed");
  });
});

describe("a hand-back", () => {
  it("costs the cell nothing", async () => {
    const { token, id } = await oneRunning();
    expect((await worker.fail(id, token, "handed-back", "drain")).outcome).toBe("noted");
    expect((await worker.fail(id, token, "handed-back", "drain")).outcome).toBe("noted");
    expect(await stored(token, id)).toMatchObject({ state: "pending", lost: 0, failed: 0, widthLimit: 0 });
    expect((await other.take()).cells).toEqual([id]);
  });
});

describe("a loss that the worker tells of", () => {
  it("counts, and the third is a quarantine", async () => {
    const { token, id } = await oneRunning();
    await worker.fail(id, token, "lost", "the trainer died");
    for (let round = 0; round < 2; round += 1) {
      worker.held = [];
      await worker.fail(id, (await worker.take()).token, "lost", "the trainer died");
    }
    expect(await stored(token, id)).toMatchObject({ state: "quarantined", lost: 3 });
  });
});
