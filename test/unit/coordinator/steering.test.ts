import { beforeEach, describe, expect, it } from "vitest";
import { Coordinator } from "../../../coordinator/coordinator.ts";
import { giverOf } from "../../../coordinator/hot/cell-book.ts";
import { explainCell } from "../../../coordinator/lease/explain.ts";
import { pauseSweep, steerSweep } from "../../../coordinator/sweep/pause.ts";
import { DEFAULT_QUOTAS } from "../../../coordinator/sweep/check-size.ts";
import { sha256Hex } from "../../../src/core/canonical-json.ts";
import { asCellId, asSweepId } from "../../../src/core/ids.ts";
import { quietLogger } from "../../support/quiet-logger.ts";
import { cellIdOf, HandWorker, madeUpSpecs, openWorld, type World } from "./coordinator-fixture.ts";

let world: World;
let worker: HandWorker;

beforeEach(async () => {
  world = await openWorld();
  worker = new HandWorker(() => world);
});

const hot = () => world.coordinator.hot;
const sweeps = () => hot().sweeps.all();
const desk = () => world.coordinator.sweeps;
const states = () => sweeps().map((sweep) => sweep.state);

/** Takes and ends shards until nothing is granted; cells whose number is in `failing` fail. */
async function work(failing: readonly number[] = [], by = worker): Promise<number> {
  const bad = new Set<string>(failing.map(cellIdOf));
  let results = 0;
  for (let idle = 0; idle < 2;) {
    by.held = [];
    const [grant] = (await by.sync()).grants;
    idle = grant === undefined ? idle + 1 : 0;
    if (grant === undefined) await world.clock.advance(15_000);
    for (const { cellId } of grant?.cells ?? []) {
      if (bad.has(cellId)) await by.fail(cellId as never, grant!.token);
      else if ((await by.result(cellId as never, grant!.token)).outcome === "committed") results += 1;
    }
  }
  return results;
}

describe("a rerun", () => {
  it("of failed cells gives them all their tries again, once, and the others none", async () => {
    await world.submit({ name: "a", cells: 10 });
    await work([2, 7]);
    const [sweep] = sweeps();
    expect(sweep).toMatchObject({ state: "finished", counts: { committed: 8, quarantined: 2, failed: 6 } });
    expect(await desk().rerun(sweep!, "failed")).toBe(2);
    expect(sweep).toMatchObject({ state: "running", counts: { pending: 2, quarantined: 0, failed: 0 } });
    expect(await desk().rerun(sweep!, "failed")).toBe(0);
    expect(await work()).toBe(2);
    expect(sweep).toMatchObject({ state: "finished", counts: { committed: 10 } });
    expect(await desk().rerun(sweep!, "failed")).toBe(0);
    expect(sweep!.state).toBe("finished");
  });

  it("opens every sweep that has the cell, and is there after a restart", async () => {
    await world.submit({ name: "a", cells: 6 });
    await world.submit({ name: "b", cells: 6 });
    await work([3]);
    expect(states()).toEqual(["finished", "finished"]);
    await desk().rerun(sweeps()[1]!, "failed");
    expect(states()).toEqual(["running", "running"]);
    world = await world.restart();
    expect(sweeps().map(({ counts }) => counts)).toMatchObject([{ pending: 1 }, { pending: 1 }]);
    expect(await work()).toBe(1);
    expect(states()).toEqual(["finished", "finished"]);
  });

  it("of missing cells brings back the cancelled ones too; of failed ones alone it refuses a cancelled sweep", async () => {
    await world.submit({ name: "a", cells: 12, fuseKeys: 3 });
    const { token, cells } = await worker.take();
    for (const id of cells) await worker.result(id, token);
    await desk().cancel(sweeps()[0]!);
    await expect(desk().rerun(sweeps()[0]!, "failed")).rejects.toMatchObject({ code: "bad-usage", hint: /--missing/u });
    expect(await desk().rerun(sweeps()[0]!, "missing")).toBe(12 - cells.length);
    expect(await work()).toBe(12 - cells.length);
    expect(states()).toEqual(["finished"]);
  });

  it("of stale results is a sweep of today's numbers, the same one however often it is asked for", async () => {
    await world.submit({ name: "a", cells: 5 }, { priority: 3, require: ["backend=wasm"] });
    await work();
    const [old] = sweeps();
    expect(await desk().rerunStale(old!, "ada")).toMatchObject({ sweep: old, created: false });
    world.coordinator.abandon();
    // A build whose numbers, and with them all ids, are others.
    const specs: typeof madeUpSpecs = {
      read: async (text, fileName) => {
        const spec = await madeUpSpecs.read(text, fileName);
        return {
          ...spec,
          id: (requestId) => asSweepId(`${spec.id(requestId)}x`),
          at: (index) => ({ ...spec.at(index)!, id: asCellId(sha256Hex(`of other numbers ${index}`)) }),
        };
      },
    };
    const { store, clock } = world;
    const coordinator = await Coordinator.open({ store, clock, logger: quietLogger, specs, timings: { gatherMs: 0 } });
    world = { ...world, coordinator };
    const again = await desk().rerunStale(sweeps()[0]!, "ada");
    expect(again).toMatchObject({ created: true, sweep: { priority: 3, record: { require: ["backend=wasm"] } } });
    expect((await desk().rerunStale(sweeps()[0]!, "ada")).sweep).toBe(again.sweep);
    expect(await work()).toBe(5);
    expect(states()).toEqual(["finished", "finished"]);
    await coordinator.stop();
  });
});

describe("F25 a sweep that is edited while it runs", () => {
  const edited = async (replace: boolean) => {
    await world.submit({ name: "a", cells: 12 });
    const { token, cells } = await worker.take();
    await worker.result(cells[0]!, token);
    const submitted = await world.submit({ name: "a", cells: 10, from: 2 }, { replace });
    return { ...submitted, token, cells };
  };

  it("keeps what is finished, goes on with what runs, and schedules only the difference", async () => {
    await world.submit({ name: "a", cells: 6 });
    expect(await work()).toBe(6);
    const { sweep, created, replaced } = await world.submit({ name: "a", cells: 9 });
    expect([created, replaced]).toEqual([true, []]);
    expect(sweep.counts).toMatchObject({ committed: 6, cached: 6, pending: 3 });
    expect(await work()).toBe(3);
    expect(states()).toEqual(["finished", "finished"]);
  });

  it("leaves the sweep of before running unless it is asked to replace it", async () => {
    const { sweep, replaced } = await edited(false);
    expect(replaced).toEqual([]);
    expect(states()).toEqual(["running", "running"]);
    // What runs is lost with its lease.
    await world.clock.advance(31_000);
    await work();
    expect(states()).toEqual(["finished", "finished"]);
    expect(sweep.counts.committed).toBe(10);
  });

  it("with --replace cancels what the new one lacks, and nothing that it has; the same again changes nothing", async () => {
    const { sweep, replaced, token, cells } = await edited(true);
    expect(replaced).toEqual([sweeps()[0]!.record.id]);
    // Cells 0 and 1 are not in the edited grid: 0 has its result, 1 ran. Cells 2 and 3 go on.
    expect(sweeps()[0]).toMatchObject({ state: "cancelled", counts: { committed: 1, cancelled: 1 } });
    const { revocations } = await worker.sync({ freeSlots: 0 });
    expect(revocations).toMatchObject([{ token, cellIds: [cells[1]] }]);
    expect((await worker.result(cells[2]!, token)).outcome).toBe("committed");
    const again = await world.submit({ name: "a", cells: 10, from: 2 }, { replace: true });
    expect(again).toMatchObject({ created: false, replaced: [], sweep });
    worker.held = [];
    await world.clock.advance(31_000);
    await work();
    expect(sweep).toMatchObject({ state: "finished", counts: { committed: 10 } });
  });
});

it("F26 a submission that is repeated ten times, at once and one after the other, is one sweep", async () => {
  const options = { priority: 2, replace: true, require: ["backend=wasm"] };
  const answers = await Promise.all(Array.from({ length: 10 }, () => world.submit({ name: "a", cells: 50 }, options)));
  expect(answers.filter(({ created }) => created)).toHaveLength(1);
  for (let count = 0; count < 10; count += 1) await world.submit({ name: "a", cells: 50 }, options);
  expect(sweeps()).toHaveLength(1);
  expect(sweeps()[0]).toMatchObject({ state: "running", counts: { pending: 50 }, priority: 2 });
});

describe("F27 a sweep of a million cells by mistake", () => {
  it("is refused with its size and what lets it in, and leaves nothing behind", async () => {
    const refused = world.submit({ name: "a", cells: 1_000_000 });
    await expect(refused).rejects.toMatchObject({
      code: "resource-exhausted",
      message: /more than 250000 cells: its grid has 1000000 points/u,
      hint: /occam plan.*--max-cells/u,
    });
    expect(sweeps()).toEqual([]);
    expect(hot().cells.size).toBe(0);
  }, 60_000);

  it("is let in by the flag, up to what the flag says, and by the coordinator's setting", async () => {
    const quotas = { ...DEFAULT_QUOTAS, sweepCells: 20 };
    Object.assign(hot(), { quotas });
    await expect(world.submit({ name: "a", cells: 30 })).rejects.toThrow(/more than 20 cells/u);
    await expect(world.submit({ name: "a", cells: 30 }, { maxCells: 29 })).rejects.toThrow(/more than 29 cells/u);
    expect((await world.submit({ name: "a", cells: 30 }, { maxCells: 30 })).created).toBe(true);
    expect((await world.submit({ name: "b", cells: 20 })).created).toBe(true);
  });

  it("is counted against the token that it comes with, whose finished cells are free", async () => {
    Object.assign(hot(), { quotas: { ...DEFAULT_QUOTAS, submitterCells: 10 } });
    await world.submit({ name: "a", cells: 8 }, { submitter: "ada" });
    const more = { name: "b", cells: 3, from: 100 };
    await expect(world.submit(more, { submitter: "ada" })).rejects.toThrow(/"ada" may have: 8 of its cells/u);
    expect((await world.submit(more, { submitter: "bob" })).created).toBe(true);
    world = await world.restart();
    Object.assign(hot(), { quotas: { ...DEFAULT_QUOTAS, submitterCells: 10 } });
    const other = { name: "c", cells: 3, from: 200 };
    await expect(world.submit(other, { submitter: "ada" })).rejects.toThrow(/8 of its cells/u);
    await work();
    expect((await world.submit(other, { submitter: "ada" })).created).toBe(true);
  });
});

describe("a paused sweep", () => {
  it("gives out nothing, lets what runs end, and goes on when it is resumed; each once or often", async () => {
    await world.submit({ name: "a", cells: 8 });
    const { token, cells } = await worker.take();
    const [sweep] = sweeps();
    for (const reason of ["by ada", "by bob"]) pauseSweep(hot(), sweep!, reason);
    expect(sweep!.paused).toBe("by ada");
    worker.held = [];
    expect((await worker.sync({ freeSlots: 4 })).grants.filter((grant) => grant.token !== token)).toEqual([]);
    for (const id of cells) expect((await worker.result(id, token)).outcome).toBe("committed");
    world = await world.restart();
    expect(sweeps()[0]).toMatchObject({ state: "running", paused: "by ada", counts: { pending: 4, committed: 4 } });
    expect(await work()).toBe(0);
    for (let count = 0; count < 2; count += 1) await desk().resume(sweeps()[0]!);
    expect(await work()).toBe(4);
    expect(states()).toEqual(["finished"]);
  });

  it("does not keep cells from another sweep that has them too, and wakes workers that wait when it is resumed", async () => {
    await world.submit({ name: "a", cells: 8 });
    await world.submit({ name: "b", cells: 4 });
    pauseSweep(hot(), sweeps()[0]!, "by ada");
    expect(await work()).toBe(4);
    expect(states()).toEqual(["running", "finished"]);
    worker.held = [];
    const waiting = worker.sync({ waitMs: 20_000 });
    await world.clock.advance(10);
    await desk().resume(sweeps()[0]!);
    await world.clock.advance(10);
    expect((await waiting).grants).toHaveLength(1);
  });

  it("is resumed also when it was cancelled", async () => {
    await world.submit({ name: "a", cells: 8 });
    pauseSweep(hot(), sweeps()[0]!, "by ada");
    await desk().cancel(sweeps()[0]!);
    await desk().resume(sweeps()[0]!);
    expect(sweeps()[0]).toMatchObject({ state: "running", paused: "", counts: { pending: 8, cancelled: 0 } });
  });
});

describe("scheduling", () => {
  /** Which sweep's cells the next shard has. */
  const next = async (by = worker): Promise<string | undefined> => {
    const [grant] = (await by.sync({ held: by.held.map(({ token }) => ({ token, progress: START })) })).grants;
    if (grant === undefined) return undefined;
    by.held.push({ token: grant.token, phase: "train" });
    await by.sync({ freeSlots: 0 });
    return giverOf(hot().cells.get("", asCellId(grant.cells[0]!.cellId))!.sweeps)!.record.name;
  };
  const START = { phase: "train", step: 0, steps: 10 } as const;

  it("gives the highest priority first, whoever came first, also when it is changed and after a restart", async () => {
    await world.submit({ name: "low", cells: 40 });
    await world.submit({ name: "high", cells: 40, from: 100 }, { priority: 5 });
    expect(await next()).toBe("high");
    steerSweep(hot(), sweeps()[0]!, { priority: 6 });
    expect(await next()).toBe("low");
    await hot().writer.settled();
    world = await world.restart();
    worker = new HandWorker(() => world, "w2", "s2");
    expect(await next()).toBe("low");
  });

  it("shares equally between sweeps of one priority, whatever their sizes", async () => {
    await world.submit({ name: "large", cells: 400 });
    await world.submit({ name: "small", cells: 40, from: 1_000 });
    const taken = [];
    for (let index = 0; index < 8; index += 1) {
      taken.push(await next(new HandWorker(() => world, `w${index}`, `s${index}`)));
    }
    expect(taken.filter((name) => name === "small")).toHaveLength(4);
  });

  it("keeps a sweep to its workers, and gives others what else there is", async () => {
    await world.submit({ name: "few", cells: 80 }, { maxWorkers: 1, priority: 1 });
    await world.submit({ name: "rest", cells: 80, from: 1_000 });
    const [one, two] = ["w1", "w2"].map((id) => new HandWorker(() => world, id, `s of ${id}`));
    expect([await next(one), await next(two), await next(one)]).toEqual(["few", "rest", "few"]);
    steerSweep(hot(), sweeps()[0]!, { maxWorkers: 2 });
    expect(await next(two)).toBe("few");
    steerSweep(hot(), sweeps()[0]!, { maxWorkers: 1 });
    const three = new HandWorker(() => world, "w3", "s of w3");
    expect(await next(three)).toBe("rest");
    // Once its workers have no lease of it any more, another may have one.
    await world.clock.advance(31_000);
    three.held = [];
    expect(await next(three)).toBe("few");
  });

  it("gives a sweep's cells only to workers that are what it requires", async () => {
    const require = ["zone=a", "memory>=8GiB", "backend=wasm"];
    await world.submit({ name: "picky", cells: 8 }, { require });
    const fits = { zone: "a" };
    const other = new HandWorker(() => world, "other", "o");
    const near = new HandWorker(() => world, "near", "n");
    Object.assign(near, { labels: fits, memoryBytes: 4 * 2 ** 30 });
    const right = new HandWorker(() => world, "right", "r");
    Object.assign(right, { labels: fits, memoryBytes: 8 * 2 ** 30 });
    expect([await next(other), await next(near)]).toEqual([undefined, undefined]);
    world = await world.restart();
    expect([await next(near), await next(right)]).toEqual([undefined, "picky"]);
    await expect(world.submit({ name: "b", cells: 1 }, { require: ["memory=lots"] })).rejects.toMatchObject({
      code: "bad-usage",
    });
    expect(sweeps()).toHaveLength(1);
  });
});

describe("a worker that alone is what a sweep requires", () => {
  it("gets its failed cells back, and is not broken by them, for nobody else could have them", async () => {
    await world.submit({ name: "picky", cells: 12 }, { require: ["zone=a"] });
    worker.labels = { zone: "a" };
    worker.maxFuseWidth = 1;
    const other = new HandWorker(() => world, "other", "o");
    await other.sync({ freeSlots: 0 });
    const { token, cells } = await worker.take();
    await worker.result(cells[0]!, token);
    const failed = new Set<string>();
    for (let count = 0; count < 4; count += 1) {
      worker.held = [];
      const taken = await worker.take();
      failed.add(taken.cells[0]!);
      await worker.fail(taken.cells[0]!, taken.token, "failed", `broke ${count}`);
    }
    expect(failed.size).toBe(4);
    for (let waited = 0; waited < 6; waited += 1) {
      await world.clock.advance(5_000);
      await other.sync({ freeSlots: 0 });
    }
    expect(await work()).toBe(11);
    expect(states()).toEqual(["finished"]);
  });
});

describe("an explanation", () => {
  const explain = async (number: number, place = 0) => {
    const query = { sweepSeq: sweeps()[place]!.seq, states: [], idPrefix: cellIdOf(number) };
    await hot().writer.settled();
    const [row] = await world.store.listCells(query, -1, 1);
    const { because, remedies } = explainCell(hot(), sweeps()[place]!, row!);
    return `${because.join("; ")} | ${remedies.join("; ")}`;
  };

  it("of a pending cell names what keeps it", async () => {
    await world.submit({ name: "a", cells: 8 }, { require: ["zone=a"] });
    const { id } = sweeps()[0]!.record;
    expect(await explain(0)).toMatch(/no worker .* is connected .*start one: occam worker/u);
    await worker.sync({ freeSlots: 0 });
    expect(await explain(0)).toMatch(/requires \(zone=a\); worker w1 is not zone=a .*--label/u);
    worker.labels = { zone: "a" };
    await worker.sync({ freeSlots: 0 });
    expect(await explain(5)).toMatch(/5 cells of its sweep are ahead of it; 0 of 1 workers/u);
    pauseSweep(hot(), sweeps()[0]!, "by ada");
    expect(await explain(0)).toBe(`its sweep ${id} is paused: by ada | occam resume ${id}`);
    await desk().resume(sweeps()[0]!);
    await world.submit({ name: "b", cells: 4, from: 100 }, { priority: 3 });
    expect(await explain(0)).toMatch(/of priority 3, has 4 pending cells.*--priority 4/u);
  });

  it("of a cell whose sweep has its workers names the limit", async () => {
    await world.submit({ name: "a", cells: 80 }, { maxWorkers: 1 });
    await worker.take();
    const other = new HandWorker(() => world, "w2", "s2");
    await other.sync({ freeSlots: 0 });
    worker.draining = true;
    await worker.sync({ freeSlots: 0 });
    expect(await explain(70)).toMatch(/has 1 workers already, which is its limit.*--max-workers/u);
  });

  it("of a cell that runs, waits, is done, is quarantined or cancelled says so", async () => {
    await world.submit({ name: "a", cells: 2 });
    const { token } = await worker.take();
    expect(await explain(0)).toMatch(/running on worker w1, under lease 1/u);
    await worker.result(cellIdOf(1), token);
    expect(await explain(1)).toMatch(/it has a result, of worker w1/u);
    await worker.fail(cellIdOf(0), token, "failed", "no disk");
    expect(await explain(0)).toMatch(/failed 1 times, and is tried again in [3-5] s/u);
    await work([0]);
    expect(await explain(0)).toMatch(/quarantined: failed 3 times .*no disk|quarantined: .*it broke/u);
    expect(await explain(0)).toMatch(/occam rerun a-.* --failed/u);
    await world.submit({ name: "b", cells: 1, from: 50 });
    await desk().cancel(sweeps()[1]!);
    expect(await explain(50, 1)).toMatch(/cancelled.*occam resume b-/u);
  });

  it("of a cell that needs more memory, and of broken workers, says what would help", async () => {
    await world.submit({ name: "a", cells: 30 });
    worker.maxFuseWidth = 1;
    worker.memoryBytes = 4 * 2 ** 30;
    const large = new HandWorker(() => world, "large", "l");
    large.memoryBytes = 16 * 2 ** 30;
    await large.sync({ freeSlots: 0 });
    const { token, cells } = await worker.take();
    await worker.fail(cells[0]!, token, "out-of-memory");
    await world.clock.advance(31_000);
    await worker.sync({ freeSlots: 0, held: [] });
    expect(await explain(0)).toMatch(/ran out of memory with 4.00 GiB, and no worker with more/u);
    await large.sync({ freeSlots: 0 });
    for (let count = 0; count < 3; count += 1) {
      worker.held = [];
      const taken = await worker.take();
      await worker.fail(taken.cells[0]!, taken.token, "failed", count === 0 ? "no disk" : `full ${count}`);
    }
    expect(await explain(20)).toMatch(/worker w1 is broken: 3 cells.*occam reset w1/u);
  });
});
