/** Figures of independent draws whose law is known: w of a Gaussian posterior, so that x = t L(w) is a sum of squares. */
import { describe, expect, test } from "vitest";
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import { mean, variance } from "../../../src/stats/moments.ts";
import { summarise } from "../../../worker/complexity/summary.ts";
import type { ChainRecord } from "../../../worker/sample/posterior.ts";

const CHAINS = 4;
const DRAWS = 1000;
const T = 50;
const GAMMA = 3;
/** Curvatures: far above the pull, beside it, below it. */
const H = [2, 1, 0.5, 0.2, 0.06, 0.02];
const D = H.length;

/** The draws of one run: x, |w|, and the virial (w . grad U). */
function recordOf(seed: number, over: Partial<ChainRecord> = {}): ChainRecord {
  const chains = Array.from({ length: CHAINS }, (_, chain) => {
    const z = new Float32Array(DRAWS * D);
    fillNormal(fold(rootKey("summary-test"), "chain", CHAINS * seed + chain), { a: 0, b: 0 }, z);
    const of = (value: (w: number, h: number) => number): Float64Array =>
      Float64Array.from({ length: DRAWS }, (_, draw) =>
        H.reduce((sum, h, i) => sum + value(z[draw * D + i]! / Math.sqrt(T * h + GAMMA), h), 0),
      );
    return {
      x: of((w, h) => (T * h * w * w) / 2),
      square: of((w) => w * w),
      virial: of((w, h) => (T * h + GAMMA) * w * w),
    };
  });
  const x = chains.map((chain) => chain.x);
  return {
    x,
    mean: x,
    coarse: [],
    halves: [],
    displacement: chains.map(({ square }) => square.map(Math.sqrt)),
    virial: chains.map(({ virial }) => virial),
    acceptance: null,
    energyError: null,
    rejected: 0,
    nonFinite: 0,
    epsilon: 0.1,
    warmUp: 0,
    best: undefined,
    gradients: 0,
    batchRows: 10,
    batches: 1,
    ...over,
  };
}

const share = (h: number): number => (T * h) / (T * h + GAMMA);
const LAMBDA = H.reduce((sum, h) => sum + share(h) / 2, 0);
const VARIANCE = H.reduce((sum, h) => sum + share(h) ** 2 / 2, 0);
/** - d ln lambda / d ln gamma of 1/2 sum t h / (t h + gamma). */
const GAMMA_SLOPE = H.reduce((sum, h) => sum + (share(h) * (1 - share(h))) / 2, 0) / LAMBDA;

const SEEDS = 40;
const runs = Array.from({ length: SEEDS }, (_, seed) => summarise(recordOf(seed), D, GAMMA));

function expectMean(values: readonly number[], expected: number): void {
  const all = Float64Array.from(values);
  const error = Math.sqrt(variance(all) / all.length);
  expect(Math.abs(mean(all) - expected) / error, `${mean(all)} +- ${error}, expected ${expected}`).toBeLessThan(3);
  // Fine enough to tell a factor of 1.1.
  expect(error / expected).toBeLessThan(0.03);
}

describe("the figures of draws of a known law", () => {
  test("E1 is the mean of x, with its standard error", () => {
    expectMean(runs.map(({ lambdaHat }) => lambdaHat), LAMBDA); // prettier-ignore
    for (const { lambdaSe } of runs) {
      const relative = lambdaSe / Math.sqrt(VARIANCE / (CHAINS * DRAWS));
      expect(relative).toBeGreaterThan(0.8);
      expect(relative).toBeLessThan(1.2);
    }
  });

  test("E2 is the variance of x", () => {
    expectMean(runs.map(({ e2 }) => e2), VARIANCE); // prettier-ignore
    expectMean(runs.map(({ varOverMean }) => varOverMean), VARIANCE / LAMBDA); // prettier-ignore
  });

  test("E3 is the slope between the two temperatures that it takes", () => {
    // E_c[x] = 1/2 sum t h / (c t h + gamma); the estimate is (E_1[x] - E_c[x]) / (1 - 1/c).
    const expected = runs.map((_, seed) => {
      const all = Float64Array.from(recordOf(seed).x.flatMap((chain) => [...chain]));
      const c = 1 + 0.5 / Math.sqrt(variance(all));
      const cold = H.reduce((sum, h) => sum + (T * h) / (c * T * h + GAMMA) / 2, 0);
      return (LAMBDA - cold) / (1 - 1 / c);
    });
    expectMean(runs.map(({ e3 }, i) => e3 / expected[i]!), 1); // prettier-ignore
  });

  test("the slope in gamma is that of the closed form", () => {
    expectMean(runs.map(({ gammaSlope }) => gammaSlope), GAMMA_SLOPE); // prettier-ignore
  });

  test("the virial is 1, and the displacement that of the draws", () => {
    expectMean(runs.map(({ virial }) => virial), 1); // prettier-ignore
    const record = recordOf(0);
    const all = Float64Array.from(record.displacement.flatMap((chain) => [...chain]));
    expect(runs[0]!.displacement).toBeCloseTo(mean(all), 12);
    expect(summarise({ ...record, virial: [] }, D, GAMMA).virial).toBeNaN();
  });

  test("independent draws count as such, and the second half differs from the first by chance", () => {
    for (const { essMean, essBulk, rHat, draws } of runs) {
      expect(draws).toBe(DRAWS);
      expect(essMean / (CHAINS * DRAWS)).toBeGreaterThan(0.7);
      expect(essBulk / (CHAINS * DRAWS)).toBeGreaterThan(0.7);
      expect(rHat).toBeLessThan(1.01);
    }
    const squares = runs.reduce((sum, { halvesZ }) => sum + halvesZ ** 2, 0) / SEEDS;
    // chi2_40 / 40 has its 0.1 % and 99.9 % points at 0.45 and 1.83.
    expect(squares).toBeGreaterThan(0.45);
    expect(squares).toBeLessThan(1.83);
  });

  test("a shift between halves is told in standard errors", () => {
    const record = recordOf(0);
    const shift = 10 * Math.sqrt((4 * VARIANCE) / (CHAINS * DRAWS));
    const moved = record.x.map((chain) => chain.map((x, draw) => (draw >= DRAWS / 2 ? x + shift : x)));
    expect(summarise({ ...record, mean: moved }, D, GAMMA).halvesZ - runs[0]!.halvesZ).toBeCloseTo(10, 0);
  });

  test("lambda-hat is of what varies less where the record has it, E2 of x itself", () => {
    const record = recordOf(0);
    const constant = record.x.map((chain) => chain.map((x) => LAMBDA + 0.1 * (x - LAMBDA)));
    const summary = summarise({ ...record, mean: constant }, D, GAMMA);
    expect(summary.lambdaHat - LAMBDA).toBeCloseTo(0.1 * (runs[0]!.lambdaHat - LAMBDA), 10);
    expect(summary.lambdaSe).toBeCloseTo(0.1 * runs[0]!.lambdaSe, 10);
    expect(summary.e2).toBe(runs[0]!.e2);
    // The same standard error by draws of x takes a hundred times as many.
    expect(summary.essMean / runs[0]!.essMean).toBeCloseTo(100, 6);
  });

  test("whole steps that read c more than half steps have the bias c / lambda", () => {
    const record = recordOf(0);
    const pairs = new Float32Array(CHAINS * DRAWS);
    fillNormal(rootKey("summary-test/pairs"), { a: 0, b: 0 }, pairs);
    const coarse = record.x.map((chain, k) => chain.map((x, draw) => x + 0.2 + 0.3 * pairs[k * DRAWS + draw]!));
    const { stepBias, stepBiasZ, lambdaHat } = summarise({ ...record, coarse }, D, GAMMA);
    const error = 0.3 / Math.sqrt(CHAINS * DRAWS);
    expect(Math.abs(stepBias * lambdaHat - 0.2) / error).toBeLessThan(3);
    expect(stepBiasZ / (0.2 / error)).toBeGreaterThan(0.85);
    expect(stepBiasZ / (0.2 / error)).toBeLessThan(1.15);
    expect(runs[0]!.stepBias).toBeNaN();
  });

  test("the lowest x is known on a fixed set, and not on minibatches", () => {
    const record = recordOf(0);
    const lowest = Math.min(...record.x.map((chain) => chain.reduce((least, x) => Math.min(least, x), Infinity)));
    expect(runs[0]!.lowest).toBe(lowest);
    expect(summarise({ ...record, batches: 5 }, D, GAMMA).lowest).toBeNaN();
  });

  test("E2 leaves out the noise of reading on minibatches, over all ways to pair the halves of three batches", () => {
    const record = recordOf(0);
    const pairings = pairingsOf([3, -2.5, 1, -0.5, -1.5, 0.5]);
    const found = pairings.map((pairing) => {
      const of = (half: 0 | 1) => record.x.map((chain) => chain.map((x, draw) => x + pairing[draw % 3]![half]));
      const [first, second] = [of(0), of(1)];
      const halves = first.map((values, k) => [values, second[k]!] as const);
      const x = halves.map(([one, other]) => one.map((value, draw) => (value + other[draw]!) / 2));
      return summarise({ ...record, x, mean: x, halves, batches: 3 }, D, GAMMA).e2;
    });
    expect(pairings.length).toBe(15);
    const e2 = found.reduce((sum, value) => sum + value, 0) / found.length;
    // The errors have the variance 3.5: it is in the plain variance by 1.4, and less a fifth of it in the halves' covariance. What
    // chance leaves is their product with x over all draws.
    const error = Math.sqrt((VARIANCE * 3.5) / (CHAINS * DRAWS));
    expect(Math.abs(e2 - runs[0]!.e2)).toBeLessThan(3 * error);
    expect(error).toBeLessThan(0.05);
  });
});

/** All ways to make pairs of six numbers. */
function pairingsOf(numbers: readonly number[]): readonly (readonly (readonly [number, number])[])[] {
  const [first, ...rest] = numbers;
  if (first === undefined) return [[]];
  return rest.flatMap((other, i) => {
    const left = rest.filter((_, j) => j !== i);
    return pairingsOf(left).map((pairs) => [[first, other] as const, ...pairs]);
  });
}
