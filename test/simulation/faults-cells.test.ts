/** Named faults of reliability.md: cells, results and sweeps that are not as they should be. */
import { describe, expect, it } from "vitest";
import { asSessionId, asWorkerId } from "../../src/core/ids.ts";
import { resultDigest, type CellResult } from "../../src/result/cell-result.ts";
import { cellId } from "./cells.ts";
import { GOOD, resultOf } from "./cell-nature.ts";
import { begin, findings, finish, grantsOf, leaseEnds, overSeeds, WELL } from "./scenario.ts";

describe("cells", () => {
  it("F12 out of memory: not tried again as wide as before, and tried with what fits", async () => {
    const natures = WELL.natures.map((nature, number) =>
      number % 5 === 0 ? { ...nature, kind: "greedy" as const, fits: 1 } : nature,
    );
    await overSeeds(3, { ...WELL, natures, workers: ["agent", "scripted"] }, async (world) => {
      world.submit();
      await finish(world);
      const attempts = await world.disk.db
        .selectFrom("attempt")
        .innerJoin("lease", "lease.token", "attempt.token")
        .select(["attempt.cell_key", "attempt.ended", "lease.width"])
        .orderBy("attempt.token")
        .execute();
      const widths = new Map<number, number>();
      let halved = 0;
      for (const { cell_key: key, ended, width } of attempts) {
        expect(width).toBeLessThanOrEqual(widths.get(key) ?? Infinity);
        if (ended !== "out-of-memory") continue;
        widths.set(key, Math.floor(width / 2));
        halved += 1;
      }
      expect(halved).toBeGreaterThan(0);
    });
  });

  it("F12 out of memory alone: quarantined, and the reason says so", async () => {
    const natures = [{ ...GOOD, kind: "greedy" as const, fits: 0 }, ...WELL.natures.slice(1)];
    await overSeeds(2, { ...WELL, natures }, async (world) => {
      world.submit();
      await finish(world, (index) => ({ ...GOOD, outcomes: [index === 0 ? "quarantined" : "committed"] }));
      const [row] = await world.disk.store().listCells({ sweepSeq: 1, states: ["quarantined"], idPrefix: "" }, -1, 10);
      expect(row?.reason).toMatch(/out of memory while it ran alone/);
    });
  });

  it("F23 heartbeats are fine and the training is wedged: found by the progress clock, evicted, and the others finish", async () => {
    const natures = [{ ...GOOD, kind: "wedges" as const }, ...WELL.natures.slice(1)];
    await overSeeds(2, { ...WELL, natures, workers: ["agent", "agent", "agent"] }, async (world) => {
      world.submit();
      await finish(world, (index) => ({ ...GOOD, outcomes: [index === 0 ? "quarantined" : "committed"] }));
      const [row] = await world.disk.store().listCells({ sweepSeq: 1, states: ["quarantined"], idPrefix: "" }, -1, 10);
      expect(row?.reason).toMatch(/made no step/u);
      expect((await leaseEnds(world)).filter((end) => end === "wedged").length).toBeGreaterThanOrEqual(3);
    });
  });

  it("F24 a wrong cell id, a NaN, a forged token: refused, and nothing changes; a second, different result: a finding", async () => {
    await overSeeds(3, { ...WELL, workers: ["agent"] }, async (world) => {
      await begin(world);
      const coordinator = world.coordinator!;
      const lease = [...coordinator.hot.leases.all()].find(({ state }) => state.kind === "held")!;
      const own = [...lease.members.keys()][0]!;
      const ownNumber = Array.from({ length: WELL.sweep.cells }, (_, number) => number).find(
        (number) => cellId(number) === own,
      )!;
      const other = cellId(
        Array.from({ length: WELL.sweep.cells }, (_, number) => number).find(
          (number) => !lease.members.has(cellId(number)),
        )!,
      );
      const { json, digest } = resultOf(ownNumber, GOOD, lease.token);
      const sent = { kind: "result", json, digest, metricCount: 0, logCount: 0 } as const;
      const of = { workerId: lease.workerId, sessionId: lease.sessionId, token: lease.token };
      const before = JSON.stringify(coordinator.hot.sweeps.all()[0]!.counts);
      // Answered over some milliseconds of the fake clock.
      const commit = async (command: Partial<Parameters<typeof coordinator.commit>[0]>) => {
        let answer = "";
        void coordinator.commit({ ...of, cellId: own, outcome: sent, ...command }).then(
          (reply) => (answer = reply.outcome),
          (error: Error) => (answer = `refused: ${error.message}`),
        );
        await world.pass(20);
        return answer;
      };
      expect(await commit({ cellId: other })).toBe("fenced");
      expect(await commit({ workerId: asWorkerId("w9"), sessionId: asSessionId("none") })).toBe("fenced");
      expect(await commit({ outcome: { ...sent, json: json.replace('"testLoss":0.5', '"testLoss":NaN') } })).toMatch(
        /^refused/,
      );
      expect(await commit({ outcome: { ...sent, digest: "f".repeat(64) } })).toMatch(/^refused/);
      expect(JSON.stringify(coordinator.hot.sweeps.all()[0]!.counts)).toBe(before);
      await finish(world);
      const another = resultOf(ownNumber + 100, GOOD, lease.token);
      const outcome = { ...sent, json: another.json, digest: another.digest };
      expect(await commit({ outcome })).toBe("duplicate-different");
      expect(await findings(world)).toBe(1);
      const [stored] = await world.disk.store().listCells({ sweepSeq: 1, states: [], idPrefix: own }, -1, 1);
      expect(resultDigest(JSON.parse(stored!.result!.json) as CellResult)).toBe(digest);
    });
  });
});

describe("sweeps", () => {
  it("F25 a sweep is edited while it runs: what is done is kept, and only the difference is run", async () => {
    await overSeeds(3, WELL, async (world) => {
      await begin(world);
      await world.until(() => world.history.committed.length >= 4, 120_000, "four results");
      // Its first four cells are gone from it, four others are new.
      world.submit({ ...WELL.sweep, from: 4 });
      await finish(world);
      expect(world.coordinator!.hot.sweeps.all()).toHaveLength(2);
      expect(await grantsOf(world)).toEqual(WELL.natures.slice(0, WELL.sweep.cells).map(() => 1));
      const results = await world.disk.db.selectFrom("result").select("cell_key").execute();
      expect(results).toHaveLength(WELL.sweep.cells + 4);
      const edited = world.coordinator!.hot.sweeps.all()[1]!;
      expect(edited.counts).toMatchObject({ committed: WELL.sweep.cells, pending: 0 });
    });
  });

  it("F26 a sweep is submitted ten times, over a crash and bad disks too: one sweep", async () => {
    await overSeeds(3, WELL, async (world) => {
      for (let each = 0; each < 5; each += 1) world.submit();
      await world.pass(world.dice.integer(0, 10));
      world.crash();
      await world.until(() => world.coordinator !== undefined, 60_000, "the next coordinator serves");
      for (let each = 0; each < 5; each += 1) {
        world.submit();
        await world.pass(world.dice.integer(0, 3_000));
      }
      await finish(world);
      const sweeps = await world.disk.db.selectFrom("sweep").select("seq").execute();
      expect(sweeps).toHaveLength(1);
      expect(world.history.committed).toHaveLength(WELL.sweep.cells);
    });
  });
});
