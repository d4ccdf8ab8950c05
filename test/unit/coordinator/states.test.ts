import { beforeEach, describe, expect, it } from "vitest";
import type { Fault } from "../../../coordinator/lease/commit.ts";
import { explainCell } from "../../../coordinator/lease/explain.ts";
import { asCellId, asSessionId, type CellId, type LeaseToken } from "../../../src/core/ids.ts";
import { cellIdOf, HandWorker, openWorld, type World } from "./coordinator-fixture.ts";

let world: World;

beforeEach(async () => {
  world = await openWorld();
});

const hot = () => world.coordinator.hot;
const sweep = () => hot().sweeps.all()[0]!;
const cell = (number: number) => hot().cells.get("", cellIdOf(number));
const stored = async (number: number) =>
  (await world.store.listCells({ sweepSeq: 1, states: [], idPrefix: cellIdOf(number) }, -1, 1))[0]!;

function workers(...ids: string[]): HandWorker[] {
  return ids.map((id) => new HandWorker(() => world, id, `session of ${id}`));
}

interface Taken {
  readonly token: LeaseToken;
  readonly cells: CellId[];
}

/** As `take`, but undefined when nothing is granted. */
async function tryTake(worker: HandWorker): Promise<Taken | undefined> {
  worker.held = [];
  const [grant] = (await worker.sync()).grants;
  if (grant === undefined) return undefined;
  worker.held = [{ token: grant.token, phase: "train" }];
  await worker.sync({ freeSlots: 0 });
  return { token: grant.token, cells: grant.cells.map((each) => asCellId(each.cellId)) };
}

/** A new process of the worker: what the old one held is lost. */
async function die(worker: HandWorker): Promise<void> {
  worker.session = asSessionId(`${worker.session}'`);
  worker.held = [];
  await worker.sync({ freeSlots: 0 });
}

/** Idle syncs, so that all of them are there. */
async function meet(...all: readonly HandWorker[]): Promise<void> {
  for (const worker of all) await worker.sync({ freeSlots: 0, held: [] });
}

/** Lets every worker take and end shards, by `act`, until nothing is open. */
async function runAll(
  all: readonly HandWorker[],
  act: (worker: HandWorker, taken: Taken) => Promise<void>,
  rounds = 400,
): Promise<void> {
  for (let round = 0; round < rounds && sweep().state === "running" && sweep().paused === ""; round += 1) {
    for (const worker of all) {
      const taken = await tryTake(worker);
      if (taken !== undefined) await act(worker, taken);
      worker.held = [];
    }
    await world.clock.advance(5_000);
  }
}

const finish = async (worker: HandWorker, { token, cells }: Taken): Promise<void> => {
  for (const id of cells) await worker.result(id, token);
};

describe("F10 a poison cell", () => {
  it("that kills its worker is quarantined after three workers, with its last log lines; all others finish", async () => {
    await world.submit({ name: "a", cells: 24 });
    const all = workers("w1", "w2", "w3", "w4");
    await meet(...all);
    let deaths = 0;
    await runAll(all, async (worker, taken) => {
      if (!taken.cells.includes(cellIdOf(5))) return finish(worker, taken);
      deaths += 1;
      await worker.pushLogs({ cellId: cellIdOf(5), token: taken.token }, 0, [`about to die on ${worker.id}`]);
      await die(worker);
    });
    expect(deaths).toBe(3);
    expect(sweep()).toMatchObject({ state: "finished", counts: { committed: 23, quarantined: 1 } });
    const { key, reason, lost } = await stored(5);
    expect(reason).toMatch(/died 3 times while it ran \(on w\d, w\d, w\d\)/u);
    expect(lost).toBe(3);
    const lines = (await world.store.lastLines(key, 50)).map(({ message }) => message);
    expect(lines.filter((line) => line.startsWith("about to die"))).toHaveLength(3);
    expect(lines.at(-1)).toMatch(/^quarantined: its worker died/u);
  });

  it("is quarantined after three deaths of the only worker as well", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [only] = workers("w1");
    let deaths = 0;
    await runAll([only!], async (worker) => {
      deaths += 1;
      await die(worker);
    });
    expect(deaths).toBe(3);
    expect(sweep().counts.quarantined).toBe(1);
  });
});

describe("F11 a bad node", () => {
  it("gets no more cells after three of them, which succeed elsewhere; after a while it gets one, on probation", async () => {
    await world.submit({ name: "a", cells: 40 });
    const [good, bad] = workers("good", "bad");
    good!.maxFuseWidth = 1;
    bad!.maxFuseWidth = 1;
    await meet(good!, bad!);
    let broken = 0;
    const act = async (worker: HandWorker, taken: Taken): Promise<void> => {
      if (worker !== bad) return finish(worker, taken);
      broken += taken.cells.length;
      for (const id of taken.cells) await worker.fail(id, taken.token, "failed", "the disk is full");
    };
    await finish(good!, (await tryTake(good!))!);
    await runAll([bad!, good!], act, 12);
    expect(broken).toBe(3);
    expect(hot().health.get(bad!.id)).toMatchObject({
      kind: "broken",
      reason: expect.stringContaining("disk is full"),
    });
    await runAll([bad!, good!], act);
    expect(sweep()).toMatchObject({ state: "finished", counts: { committed: 40, quarantined: 0, failed: 3 } });
  });

  it("is known as one after a restart, until it is reset or its probation goes well", async () => {
    await world.submit({ name: "a", cells: 40 });
    const [good, bad] = workers("good", "bad");
    for (const worker of [good!, bad!]) worker.maxFuseWidth = 1;
    await meet(good!, bad!);
    await finish(good!, (await tryTake(good!))!);
    const breakIt = async (): Promise<void> => {
      for (let taken = await tryTake(bad!); taken !== undefined; taken = await tryTake(bad!)) {
        await bad!.fail(taken.cells[0]!, taken.token);
      }
    };
    await breakIt();
    world = await world.restart();
    await meet(good!, bad!);
    expect(hot().health.get(bad!.id)).toMatchObject({ kind: "broken" });
    expect(await tryTake(bad!)).toBeUndefined();
    for (let waited = 0; waited < hot().timings.brokenMs; waited += 20_000) {
      await world.clock.advance(20_000);
      await meet(good!, bad!);
    }
    bad!.maxFuseWidth = 4;
    const probation = await tryTake(bad!);
    expect(probation!.cells).toHaveLength(1);
    expect((await bad!.sync({ freeSlots: 3 })).grants).toEqual([]);
    await finish(bad!, probation!);
    expect(hot().health.get(bad!.id).kind).toBe("sound");
    expect((await tryTake(bad!))!.cells).toHaveLength(4);
    expect(await world.store.loadBrokenWorkers()).toEqual([]);
  });

  it("is not held to be one for cells that fail everywhere, once that is known", async () => {
    await world.submit({ name: "a", cells: 30 });
    const all = workers("w1", "w2", "w3");
    for (const worker of all) worker.maxFuseWidth = 1;
    await meet(...all);
    // One result, so that the sweep is not suspected.
    await finish(all[0]!, (await tryTake(all[0]!))!);
    const bad = new Set([1, 2, 3, 4].map((number) => cellIdOf(number)));
    await runAll(all, async (worker, { token, cells }) => {
      for (const id of cells) {
        if (bad.has(id)) await worker.fail(id, token, "failed", "not a number");
        else await worker.result(id, token);
      }
    });
    expect(sweep()).toMatchObject({ state: "finished", counts: { committed: 26, quarantined: 4 } });
    expect(all.map(({ id }) => hot().health.get(id).kind)).toEqual(["sound", "sound", "sound"]);
  });
});

describe("F12 out of memory", () => {
  const GIB = 2 ** 30;

  it("is never tried unchanged: half the width, then a larger worker", async () => {
    await world.submit({ name: "a", cells: 4 });
    const [small, large] = workers("small", "large");
    small!.memoryBytes = 4 * GIB;
    large!.memoryBytes = 16 * GIB;
    await meet(small!, large!);
    const tried = new Set<string>();
    await runAll([small!, large!], async (worker, { token, cells }) => {
      const shard = `${worker.id} ${cells.length} ${cells.join()}`;
      expect(tried.has(shard), `${shard} was tried before`).toBe(false);
      tried.add(shard);
      for (const id of cells) {
        if (worker === small) await worker.fail(id, token, "out-of-memory", "no space");
        else await worker.result(id, token);
      }
    });
    expect(sweep()).toMatchObject({ state: "finished", counts: { committed: 4, failed: 0 } });
    expect(sweep().counts.oom).toBeGreaterThan(0);
  });

  it("alone and on the largest worker is a quarantine that says so, with no further try", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [small, large] = workers("small", "large");
    small!.memoryBytes = 4 * GIB;
    large!.memoryBytes = 16 * GIB;
    await meet(small!, large!);
    const tries: string[] = [];
    await runAll([small!, large!], async (worker, { token, cells }) => {
      tries.push(worker.id);
      await worker.fail(cells[0]!, token, "out-of-memory", "no space");
    });
    expect(tries).toEqual(["small", "large"]);
    const { reason, oom, failed } = await stored(0);
    expect(reason).toMatch(/alone on large with 16\.0 GiB, and no worker with more is connected: no space/u);
    expect([oom, failed]).toEqual([2, 0]);
  });

  it("waits for the larger worker also after a restart", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [small, large] = workers("small", "large");
    small!.memoryBytes = 4 * GIB;
    large!.memoryBytes = 16 * GIB;
    await meet(small!, large!);
    const taken = (await tryTake(small!))!;
    await small!.fail(taken.cells[0]!, taken.token, "out-of-memory", "no space");
    world = await world.restart();
    expect(await tryTake(small!)).toBeUndefined();
    expect(await tryTake(large!)).toBeDefined();
  });
});

describe("F23 a worker that is there and makes no step", () => {
  const beatUntil = async (worker: HandWorker, ms: number, step: (beat: number) => number): Promise<void> => {
    const beats = ms / 5_000;
    for (let beat = 1; beat <= beats; beat += 1) {
      await world.clock.advance(5_000);
      worker.held = worker.held.map((held) => ({ ...held, step: step(beat), steps: 1_000 }));
      await worker.sync({ freeSlots: 0 });
    }
  };

  it("loses its lease after five minutes; the cell goes on elsewhere and counts as lost", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [stuck, other] = workers("stuck", "other");
    const { token } = (await tryTake(stuck!))!;
    await beatUntil(stuck!, 60_000, (beat) => beat);
    await beatUntil(stuck!, 295_000, () => 12);
    expect(sweep().counts.running).toBe(1);
    await world.clock.advance(6_000);
    expect(sweep().counts).toMatchObject({ running: 0, pending: 1, lost: 1 });
    const { revocations } = await stuck!.sync({ freeSlots: 0 });
    expect(revocations).toMatchObject([{ token, cellIds: [], reason: expect.stringContaining("no step") }]);
    expect((await tryTake(other!))!.cells).toEqual([cellIdOf(0)]);
  });

  it("is given half an hour for a first step, and no more", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [slow] = workers("slow");
    await tryTake(slow!);
    await beatUntil(slow!, 1_790_000, () => 0);
    expect(sweep().counts.running).toBe(1);
    expect(explainCell(hot(), sweep(), await stored(0)).because[1]).toMatch(
      /^its shard is at step 0 of train for 1790 s; after 1800 s/u,
    );
    await beatUntil(slow!, 15_000, () => 0);
    expect(sweep().counts).toMatchObject({ running: 0, lost: 1 });
  });

  it("is given twenty of its steps where those are long, and a new step begins the time anew", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [slow] = workers("slow");
    await tryTake(slow!);
    // A step a minute.
    await beatUntil(slow!, 600_000, (beat) => Math.floor(beat / 12));
    await beatUntil(slow!, 1_150_000, () => 10);
    expect(sweep().counts.running).toBe(1);
    await beatUntil(slow!, 5_000, () => 11);
    await beatUntil(slow!, 600_000, () => 11);
    expect(sweep().counts.running).toBe(1);
    await beatUntil(slow!, 900_000, () => 11);
    expect(sweep().counts).toMatchObject({ running: 0, lost: 1 });
  });

  it("is not one that waits for its turn, nor one that uploads", async () => {
    await world.submit({ name: "a", cells: 2 });
    const [one, two] = workers("one", "two");
    for (const worker of [one!, two!]) worker.maxFuseWidth = 1;
    await meet(one!, two!);
    await tryTake(one!);
    await tryTake(two!);
    one!.held = [{ ...one!.held[0]!, phase: "queued" }];
    two!.held = [{ ...two!.held[0]!, phase: "upload" }];
    for (let beat = 0; beat < 200; beat += 1) {
      await world.clock.advance(5_000);
      await meetHolding(one!, two!);
    }
    expect(sweep().counts.running).toBe(2);
  });

  it("is not one while this process itself stood still", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [worker] = workers("w1");
    await tryTake(worker!);
    await beatUntil(worker!, 10_000, (beat) => beat);
    const { clock } = world;
    const jump = clock.monotonicMs() + 3_600_000;
    clock.monotonicMs = () => Math.max(jump, clock.nowMs());
    await clock.advance(2_000);
    await worker!.sync({ freeSlots: 0 });
    await clock.advance(2_000);
    expect(sweep().counts.running).toBe(1);
  });
});

const meetHolding = async (...all: readonly HandWorker[]): Promise<void> => {
  for (const worker of all) await worker.sync({ freeSlots: 0 });
};

describe("a cell that has failed", () => {
  const failOnce = async (worker: HandWorker, kind: Fault = "failed"): Promise<void> => {
    const { token, cells } = (await tryTake(worker))!;
    await worker.fail(cells[0]!, token, kind, "it broke");
  };
  /** Milliseconds until it is pending. */
  const waitsFor = async (): Promise<number> => {
    for (let waitedMs = 0; ; waitedMs += 1_000) {
      if (cell(0)!.life.state.kind === "pending") return waitedMs;
      await world.clock.advance(1_000);
    }
  };

  it("waits before its next try, for longer each time, and keeps its worker free meanwhile", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [worker] = workers("w1");
    await failOnce(worker!);
    expect(sweep().counts).toMatchObject({ retryWait: 1, pending: 0, failed: 1 });
    expect(sweep().state).toBe("running");
    expect(await tryTake(worker!)).toBeUndefined();
    const first = await waitsFor();
    expect(first).toBeGreaterThanOrEqual(2_000);
    expect(first).toBeLessThanOrEqual(6_000);
    await failOnce(worker!);
    expect(await waitsFor()).toBeLessThanOrEqual(11_000);
    await failOnce(worker!);
    expect(sweep().counts).toMatchObject({ quarantined: 1, failed: 3 });
    expect((await stored(0)).reason).toBe("failed 3 times (on w1); the last: it broke");
  });

  it("wakes a worker that waits for work", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [worker] = workers("w1");
    await failOnce(worker!);
    worker!.held = [];
    const waiting = worker!.sync({ waitMs: 20_000 });
    await world.clock.advance(7_000);
    expect((await waiting).grants).toHaveLength(1);
  });

  it("is pending at once after a restart, with its faults remembered, and is cancelled like any other", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [worker] = workers("w1");
    await failOnce(worker!);
    world = await world.restart();
    expect(cell(0)!.life).toMatchObject({ state: { kind: "pending" }, failed: 1, triedOn: ["w1"], widthLimit: 1 });
    expect(sweep().counts).toMatchObject({ pending: 1, retryWait: 0, failed: 1 });
    await failOnce(worker!);
    await world.coordinator.sweeps.cancel(sweep());
    expect(sweep().counts).toMatchObject({ cancelled: 1, retryWait: 0 });
    expect(hot().cells.waiting.size).toBe(0);
  });

  it("goes to another worker first, and back when there is none", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [one, two] = workers("w1", "w2");
    await meet(one!, two!);
    await failOnce(one!);
    await waitsFor();
    await meet(two!);
    expect(await tryTake(one!)).toBeUndefined();
    await world.clock.advance(31_000);
    expect(await tryTake(one!)).toBeDefined();
  });

  it("is counted for itself: what was handed back is free", async () => {
    await world.submit({ name: "a", cells: 1 });
    const [worker] = workers("w1");
    for (let round = 0; round < 5; round += 1) await failOnce(worker!, "handed-back");
    expect(sweep().counts).toMatchObject({ pending: 1, preempted: 5, failed: 0, lost: 0 });
    world = await world.restart();
    expect(sweep().counts).toMatchObject({ pending: 1, preempted: 5 });
    expect((await stored(0)).preempted).toBe(5);
  });
});

describe("a sweep whose first cells all fail alike", () => {
  const failing = async (reasonOf: (id: CellId) => string) => {
    const all = workers("w1", "w2");
    for (const worker of all) worker.maxFuseWidth = 2;
    await meet(...all);
    let failures = 0;
    await runAll(
      all,
      async (worker, { token, cells }) => {
        for (const id of cells) {
          failures += 1;
          await worker.fail(id, token, "failed", reasonOf(id));
        }
      },
      30,
    );
    return failures;
  };

  it("pauses itself and says why; it goes on when it is resumed, also after a restart", async () => {
    await world.submit({ name: "a", cells: 100 });
    const failures = await failing((id) => `ENOENT: no file /data/${id}/x at step ${id.length}`);
    expect(failures).toBeLessThanOrEqual(8);
    expect(sweep().paused).toMatch(/first 5 cells all failed alike, the last with: ENOENT/u);
    expect(sweep().state).toBe("running");
    world = await world.restart();
    expect(sweep().paused).toMatch(/failed alike/u);
    const [worker] = workers("w3");
    expect(await tryTake(worker!)).toBeUndefined();
    await world.coordinator.sweeps.resume(sweep());
    expect(await tryTake(worker!)).toBeDefined();
  });

  it("is not one whose cells fail of this and of that, nor one that has a result", async () => {
    await world.submit({ name: "a", cells: 20 });
    await failing((id) => (Number.parseInt(id.slice(0, 2), 16) % 2 === 0 ? "no disk" : "no memory"));
    expect(sweep().paused).toBe("");
    world = await openWorld();
    await world.submit({ name: "a", cells: 20 });
    const [worker] = workers("w9");
    await finish(worker!, (await tryTake(worker!))!);
    await failing(() => "no disk");
    expect(sweep().paused).toBe("");
  });
});
