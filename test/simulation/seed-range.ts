/** Seeds of `npm test`, in two halves: a test file of each, so that two cores have work. */
import { expect, it } from "vitest";
import { runSeed } from "./run-seed.ts";

const SEEDS = 2_000;

/** @param rest of a seed divided by two */
export function keepsEveryInvariant(rest: 0 | 1): void {
  it(`keeps every invariant in ${SEEDS / 2} runs with faults`, { timeout: 1_200_000 }, async () => {
    let restarts = 0;
    let steps = 0;
    for (let seed = 2 - rest; seed <= SEEDS; seed += 2) {
      const report = await runSeed(seed).catch((error: Error) => {
        throw new Error(`${error.message}\nto see it again: npm run sim -- --seed ${seed}`, { cause: error });
      });
      restarts += report.restarts;
      steps += report.steps;
    }
    // The runs were not idle.
    expect(restarts).toBeGreaterThan(SEEDS / 2);
    expect(steps).toBeGreaterThan(SEEDS * 150);
  });
}
