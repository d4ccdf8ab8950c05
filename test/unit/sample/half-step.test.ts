/**
 * Step and half step on a quadratic whose rows have curvatures of their own, so that minibatch noise grows with w and no control
 * variate at 0 takes it away. With u = (eps/2)(t h_B + gamma), of mean mu = eps p / 2 and variance v over batches B, the
 * noise-averaged kernel w' = (1 - u) w + sqrt(eps) (xi + xi')/2 has E[w xi'] = sqrt(eps)/2 and the stationary variance
 *   V(eps) = eps (1 - mu/2) / (2 mu - mu^2 - v),
 * which is 1/p where v = 0, and too large by v/(2 mu) ~ eps t^2 var h_B / (4 p) in relative terms: to first order in eps.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fillUniform, fold, rootKey } from "../../../src/core/random.ts";
import { mean, standardError } from "../../../src/stats/moments.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { sampleByLangevin } from "../../../worker/sample/langevin-run.ts";
import type { ChainRecord } from "../../../worker/sample/posterior.ts";
import { SAMPLERS } from "../../../worker/sample/samplers.ts";
import { bowlRows, formulaSurface, partsOf, quadraticRows } from "../../support/formula-surface.ts";

let engine: Engine;
let before = 0;
beforeAll(async () => {
  engine = await openEngine("wasm");
});
beforeEach(() => {
  before = engine.memory().tensors;
});
afterEach(() => {
  expect(engine.memory().tensors).toBe(before);
});

const [T, GAMMA, ROWS, BATCH] = [50, 1, 64, 2];
const P = T + GAMMA;
const EPSILON = 0.8 / P;
const CHAINS = 320;
const WARM_UP = 50;
const DRAWS = 350;

/** Curvatures of the rows, of mean 1. */
const curvatures = ((): readonly number[] => {
  const uniforms = new Float32Array(ROWS);
  fillUniform(rootKey("half-step-test"), { a: 0, b: 0 }, uniforms);
  const raw = Array.from(uniforms, (u) => (u < 0.5 ? 0.1 : 1.9));
  const centre = raw.reduce((sum, value) => sum + value, 0) / ROWS;
  return raw.map((value) => value / centre);
})();

const PLAN = {
  sampler: SAMPLERS["noise-averaged"].sampler,
  averages: true,
  chains: CHAINS,
  warmUp: WARM_UP,
  draws: DRAWS,
  thin: 1,
  batch: BATCH,
  corrects: true,
  preconditions: false,
  halfSteps: true,
};

async function sampled(plan: typeof PLAN, curved = curvatures): Promise<ChainRecord> {
  const formula = plan.batch === 0 ? bowlRows([1]) : quadraticRows(curved.map((h) => [h]));
  const posterior = { cell: 0, key: fold(rootKey("half-step-test"), "run"), anchor: partsOf([0], [1]), t: T, gamma: GAMMA, epsilon: EPSILON }; // prettier-ignore
  const surface = formulaSurface(engine, formula, [[0]]);
  const [record] = await sampleByLangevin(surface, [posterior], plan, () => undefined, {
    turn: () => Promise.resolve(),
  });
  return record!;
}

/** Over independent chains, whose means are normal. */
function of(chains: readonly Float64Array[]): { readonly mean: number; readonly error: number } {
  const means = Float64Array.from(chains, mean);
  return { mean: mean(means), error: standardError(means) };
}

/** E[x] = t V / 2 at this step, of batches as the pool draws them: var h_B over its batches is that of pairs without repetition. */
function stationary(epsilon: number): number {
  const variance = curvatures.reduce((sum, h) => sum + (h - 1) ** 2, 0) / ROWS;
  const ofBatches = (variance / BATCH) * ((ROWS - BATCH) / (ROWS - 1));
  const mu = (epsilon * P) / 2;
  const v = ((epsilon * T) / 2) ** 2 * ofBatches;
  return (T / 2) * ((epsilon * (1 - mu / 2)) / (2 * mu - mu * mu - v));
}

const TRUTH = T / (2 * P);

describe("step and half step", () => {
  test("with minibatch noise both read too much, as the recursion says, and their extrapolation does not", async () => {
    const { x, coarse, mean: extrapolated, batches } = await sampled(PLAN);
    expect(batches).toBe(ROWS / BATCH);
    const [whole, half, beyond] = [of(coarse), of(x), of(extrapolated)];
    // The batches at hand are one draw of all pairings: their variance is near the expected one.
    expect(whole.mean / stationary(EPSILON)).toBeCloseTo(1, 1);
    expect(half.mean / stationary(EPSILON / 2)).toBeCloseTo(1, 1);
    for (const read of [whole, half]) expect((read.mean - TRUTH) / read.error).toBeGreaterThan(4);
    // What is left is of second order.
    const left = 2 * stationary(EPSILON / 2) - stationary(EPSILON) - TRUTH;
    expect(Math.abs(left)).toBeLessThan(0.01 * TRUTH);
    expect(beyond.error / TRUTH).toBeLessThan(0.02);
    expect(Math.abs(beyond.mean - TRUTH) / beyond.error).toBeLessThan(3);
  });

  test("on a fixed set the noise-averaged kernel has no error on a quadratic, and extrapolation adds none", async () => {
    const { x, coarse, mean: extrapolated, batches } = await sampled({ ...PLAN, batch: 0 });
    expect(batches).toBe(1);
    for (const read of [of(x), of(coarse), of(extrapolated)]) {
      expect(read.error / TRUTH).toBeLessThan(0.02);
      expect(Math.abs(read.mean - TRUTH) / read.error).toBeLessThan(3);
    }
  });

  test("common noise makes the pair's difference far surer than either", async () => {
    const { x, coarse } = await sampled({ ...PLAN, batch: 0 });
    const difference = of(x.map((half, chain) => half.map((value, draw) => coarse[chain]![draw]! - value)));
    expect(difference.error).toBeLessThan(0.5 * of(x).error);
    expect(Math.abs(difference.mean) / difference.error).toBeLessThan(3);
  });
});
