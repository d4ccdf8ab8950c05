/** Named faults of reliability.md: clocks, coordinators, sessions and disks that are not as they should be. */
import { describe, expect, it } from "vitest";
import { begin, finish, grantsOf, leaseEnds, overSeeds, WELL } from "./scenario.ts";
import { FLAKY_DISK, GOOD_DISK, SLOW_DISK } from "./weather.ts";

const HOUR_MS = 3_600_000;
const ONCE = Array.from({ length: WELL.sweep.cells }, () => 1);

describe("clocks", () => {
  it.each([
    ["the coordinator's date jumps", (at: "coordinator" | "worker") => at === "coordinator"],
    ["the workers' dates jump", (at: "coordinator" | "worker") => at === "worker"],
    ["all dates jump", () => true],
  ])("F9 %s by an hour, ahead and back, workers being 5 min off: nothing expires", async (_name, isMeant) => {
    await overSeeds(2, { ...WELL, skewMaxMs: 300_000 }, async (world) => {
      await begin(world);
      for (const ms of [HOUR_MS, -2 * HOUR_MS, HOUR_MS]) {
        if (isMeant("coordinator")) for (const { clock } of world.processes) clock.setDate(ms);
        if (isMeant("worker")) for (const { clock } of world.workers) clock.setDate(ms);
        await world.pass(2_500);
      }
      await finish(world);
      expect(await grantsOf(world)).toEqual(ONCE);
      expect(new Set(await leaseEnds(world))).toEqual(new Set(["finished"]));
    });
  });

  it.each(["coordinator", "workers", "all"] as const)(
    "F9 the machine of %s slept for an hour: nothing expires",
    async (who) => {
      await overSeeds(3, WELL, async (world) => {
        await begin(world);
        for (let each = 0; each < 4; each += 1) {
          if (who === "all") world.sleepAll(HOUR_MS);
          else for (const { clock } of who === "workers" ? world.workers : world.processes) clock.jumpAhead(HOUR_MS);
          await world.pass(1_700);
        }
        await finish(world);
        expect(await grantsOf(world)).toEqual(ONCE);
        expect(new Set(await leaseEnds(world))).toEqual(new Set(["finished"]));
      });
    },
  );

  it("F9 a worker that dies just after the coordinator's machine slept is missed within its ttl", async () => {
    await overSeeds(3, WELL, async (world) => {
      await begin(world);
      const lost = (): number =>
        [...world.coordinator!.hot.leases.all()].filter(({ workerId }) => workerId === "w1").length;
      for (const { clock } of world.processes) clock.jumpAhead(HOUR_MS);
      await world.pass(900);
      world.workers.find(({ id }) => id === "w1")!.kill();
      await world.until(() => lost() === 0, 40_000, "the dead worker's lease ends");
    });
  });
});

describe("coordinators", () => {
  it("F16 two lead at once: the store refuses the older, and workers do not follow it", async () => {
    const plan = { ...WELL, coordinators: 2, workers: ["agent", "agent", "scripted"] as const };
    let overlaps = 0;
    await overSeeds(4, plan, async (world) => {
      await begin(world);
      const older = world.processes.find(({ coordinator }) => coordinator !== undefined)!;
      // Stopped for longer than its lead lasts; then it goes on as if nothing had happened.
      older.clock.standStill(15_000);
      await world.until(() => world.coordinator !== older.coordinator, 40_000, "the other one leads");
      if (older.alive) overlaps += 1;
      const { epoch } = world.coordinator!.hot;
      expect(epoch).toBeGreaterThan(older.coordinator!.hot.epoch);
      await world.until(() => !older.alive, 30_000, "the older one ends");
      await finish(world);
      expect(world.history.committed.length).toBeLessThanOrEqual(WELL.sweep.cells);
    });
    expect(overlaps).toBeGreaterThan(0);
  });

  it("F22 cancel races commit: one of the two, the same for every reader", async () => {
    const ends = new Set<string>();
    await overSeeds(8, { ...WELL, diskWeather: SLOW_DISK, stepMs: 500 }, async (world) => {
      await begin(world);
      // At the moment at which results arrive.
      const sweep = world.coordinator!.hot.sweeps.all()[0]!;
      await world.until(() => world.history.committed.length > 0 || sweep.counts.committed > 0, 120_000, "a result");
      void world.coordinator!.sweeps.cancel(sweep);
      await world.pass(120_000);
      const rows = await world.disk.store().listCells({ sweepSeq: 1, states: [], idPrefix: "" }, -1, 100);
      const told = new Map(world.history.committed.map(({ cellId, digest }) => [cellId, digest]));
      for (const { id, state, result } of rows) {
        expect(["committed", "cancelled"]).toContain(state);
        expect(state === "committed").toBe(result !== undefined);
        if (told.has(id)) expect(state).toBe("committed");
        ends.add(state);
      }
      const count = (state: string): number => rows.filter((row) => row.state === state).length;
      expect(sweep.counts).toMatchObject({ committed: count("committed"), cancelled: count("cancelled") });
      await world.checkStore();
    });
    expect(ends).toEqual(new Set(["committed", "cancelled"]));
  });
});

describe("sessions", () => {
  it("F19 a cloned worker id: the older session is fenced, and no cell is done twice", async () => {
    await overSeeds(3, WELL, async (world) => {
      await begin(world);
      const older = world.workers.find(({ id }) => id === "w1")!;
      world.startWorker("w1");
      await world.until(() => !older.alive, 60_000, "the older session ends");
      const newer = world.workers.find(({ id, alive }) => id === "w1" && alive)!;
      await finish(world);
      expect(newer.alive).toBe(true);
      expect(world.history.fenced).toBeGreaterThan(0);
      expect(await leaseEnds(world)).toContain("fenced");
      expect(world.history.committed).toHaveLength(WELL.sweep.cells);
    });
  });
});

describe("the disk", () => {
  it.each([
    ["is full", { writeFails: 1 }],
    ["fails to sync what it has written", { syncFails: 1 }],
    ["is there, and the process ends before a write", { crashBefore: 1 }],
    ["is there, and the process ends between a write and its acknowledgement", { crashAfter: 1 }],
  ])("F20 the disk %s: nothing more is acknowledged, and the next coordinator goes on", async (_name, weather) => {
    await overSeeds(4, { ...WELL, stepMs: 500 }, async (world) => {
      await begin(world);
      await world.pass(world.dice.integer(0, 4_000));
      const process = world.processes[0]!;
      world.diskWeather = { ...GOOD_DISK, ...weather };
      await world.until(() => !process.alive, 60_000, "the coordinator ends");
      world.diskWeather = GOOD_DISK;
      await world.checkStore();
      await finish(world);
      expect(world.restarts).toBe(1);
    });
  });

  it("F20 the disk fails now and then: every cell comes to its result all the same", async () => {
    let restarts = 0;
    await overSeeds(
      4,
      { ...WELL, diskWeather: { ...FLAKY_DISK, readFails: 0.02, writeFails: 0.02 } },
      async (world) => {
        world.submit();
        await world.pass(120_000);
        world.diskWeather = GOOD_DISK;
        await finish(world);
        restarts += world.restarts;
      },
    );
    expect(restarts).toBeGreaterThan(0);
  });
});
