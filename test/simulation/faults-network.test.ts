/** Named faults of reliability.md: messages that are lost, cut off, repeated, late. */
import { describe, expect, it } from "vitest";
import { decodeChunk } from "../../coordinator/ingest/metric-chunk.ts";
import { begin, finish, findings, grantsOf, leaseEnds, overSeeds, timesHeld, WELL } from "./scenario.ts";
import { CALM, STORM } from "./weather.ts";
import type { World } from "./world.ts";

describe("the network", () => {
  it("F4 half of the replies are lost: no duplicate", async () => {
    await overSeeds(4, { ...WELL, weather: { ...CALM, replyLost: 0.5 } }, async (world) => {
      world.submit();
      await finish(world);
      expect(world.history.committed.length).toBeLessThanOrEqual(WELL.sweep.cells);
      expect(world.history.answers.get("duplicate-same")).toBeGreaterThan(0);
      expect(await findings(world)).toBe(0);
      const results = await world.disk.db.selectFrom("result").select("cell_key").execute();
      expect(results).toHaveLength(WELL.sweep.cells);
    });
  });

  it("F5 a quarter of the requests, half of the replies and a tenth in flight are lost: done within 3 times the time", async () => {
    // Cells of some minutes: a call that is lost costs its timeout of 10 s, whatever the cell takes.
    const plan = { ...WELL, stepMs: 30_000 };
    const tookMs: { calm: number; bad: number }[] = [];
    const { requestLost, replyLost, brokenInFlight } = STORM;
    await overSeeds(3, plan, async (world) => {
      world.submit();
      tookMs.push({ calm: await finish(world), bad: 0 });
    });
    const weather = { ...CALM, requestLost, replyLost, brokenInFlight, streamBreaks: brokenInFlight };
    await overSeeds(3, { ...plan, weather }, async (world, seed) => {
      world.submit();
      tookMs[seed - 1]!.bad = await finish(world);
    });
    for (const { calm, bad } of tookMs) expect(bad / calm).toBeLessThan(3);
  });

  const ways = ["both", "up", "down"] as const;

  it.each(ways)("F6 a partition of 5 s (%s): nothing is given to another", async (way) => {
    await overSeeds(2, WELL, async (world) => {
      await begin(world);
      world.network.cutOff("w1", way, 5_000);
      await finish(world);
      expect(await grantsOf(world)).toEqual(WELL.natures.slice(0, WELL.sweep.cells).map(() => 1));
      expect(await leaseEnds(world)).not.toContain("lost");
    });
  });

  it.each(ways.flatMap((way) => [60, 600].map((seconds) => [seconds, way] as const)))(
    "F6 a partition of %d s (%s), its connection half-open: given on once, salvaged or fenced, no gap in the records",
    async (seconds, way) => {
      // Longer than a lease takes to expire, and than a shard takes.
      await overSeeds(2, { ...WELL, stepMs: 10_000 }, async (world) => {
        await begin(world);
        world.network.cutOff("w1", way, seconds * 1_000);
        await finish(world);
        const lost = (await leaseEnds(world)).filter((end) => end === "lost");
        // What the worker says still arrives when only the answers are cut off.
        const unheard = (await leaseEnds(world)).filter((end) => end === "unaccepted");
        expect(unheard.length).toBeLessThanOrEqual(8);
        if (way === "down") expect(lost).toHaveLength(0);
        else expect(lost).toHaveLength(1);
        // Of the leases that were taken up: who hears no answer is granted what it does not hear of.
        for (const held of await timesHeld(world)) expect(held).toBeLessThanOrEqual(2);
        const answers = [...world.history.answers.keys()];
        for (const answer of answers) expect(["committed", "duplicate-same", "fenced", "noted"]).toContain(answer);
        expect(await findings(world)).toBe(0);
      });
    },
  );

  it("F8 repeated, reordered and ten minutes late messages: the same as in order", async () => {
    const inOrder: string[] = [];
    await overSeeds(4, { ...WELL, workers: ["agent", "scripted"] }, async (world) => {
      world.submit();
      await finish(world);
      inOrder.push(await stateOf(world));
    });
    const weather = { ...CALM, requestTwice: 0.5, delayMaxMs: 3_000, late: 0.15, lateMaxMs: 600_000 };
    await overSeeds(4, { ...WELL, workers: ["agent", "scripted"], weather }, async (world, seed) => {
      world.submit();
      await finish(world);
      await world.pass(600_000);
      expect(await stateOf(world)).toBe(inOrder[seed - 1]);
    });
  });
});

/** Of every cell its state, its result, and what its result's attempt has recorded. */
async function stateOf({ disk }: World): Promise<string> {
  const cells = await disk.db
    .selectFrom("cell")
    .innerJoin("result", "result.cell_key", "cell.cell_key")
    .select(["cell.cell_id", "cell.state", "result.digest", "result.token", "cell.cell_key"])
    .orderBy("cell.cell_id")
    .execute();
  const lines: string[] = [];
  for (const { cell_id: id, state, digest, token, cell_key: key } of cells) {
    const chunks = await disk.db
      .selectFrom("metric_chunk")
      .innerJoin("stream", "stream.stream_id", "metric_chunk.stream_id")
      .select("data")
      .where("stream.cell_key", "=", key)
      .where("stream.token", "=", token)
      .orderBy("first_offset")
      .execute();
    const steps = chunks.flatMap(({ data }) => decodeChunk(data).step.map(String));
    lines.push(`${id} ${state} ${digest} ${steps.join()}`);
  }
  return lines.join("\n");
}
