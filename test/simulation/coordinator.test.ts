/** Hundreds of runs, each of another seed. A failing seed is in the message: `OCCAM_SEED=17 npm run sim` runs it alone. */
import { expect, it } from "vitest";
import { runSeed } from "./run-seed.ts";

const SEEDS = Number(process.env["OCCAM_SEEDS"] ?? 400);
const ONLY = process.env["OCCAM_SEED"];

if (ONLY === undefined)
  it(`keeps every invariant in ${SEEDS} runs with faults`, { timeout: 600_000 }, async () => {
    let restarts = 0;
    let steps = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const report = await runSeed(seed);
      restarts += report.restarts;
      steps += report.steps;
    }
    // The runs were not idle.
    expect(restarts).toBeGreaterThan(SEEDS / 4);
    expect(steps).toBeGreaterThan(SEEDS * 100);
  });

if (ONLY !== undefined)
  it(`keeps every invariant in the run of seed ${ONLY}`, async () => {
    await runSeed(Number(ONLY));
  });

it("gives the same run for the same seed", async () => {
  expect(await runSeed(4711)).toEqual(await runSeed(4711));
});
