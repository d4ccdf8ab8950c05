/**
 * Learning coefficients that are known: a regular model of d parameters has lambda = d/2, softmax regression with C classes
 * and p inputs (C - 1)(p + 1)/2. Whole cells, with the default settings of a sweep file, trained and estimated.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { Estimate } from "../../src/result/cell-result.ts";
import type { EstimateConfig } from "../../src/spec/cell.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { recordShard } from "../support/shard-recorder.ts";
import { IS_SLOW, openTestEngine } from "../support/test-backend.ts";
import { ESTIMATE, SGLD_ESTIMATE, tinyCell, type CellGiven } from "../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

async function estimates(given: CellGiven, seeds: number): Promise<readonly Estimate[]> {
  const cells = Array.from({ length: seeds }, (_, seed) => tinyCell({ ...given, seed }));
  const { results } = await recordShard(engine, cells);
  return cells.map(({ id }) => results.get(id)!.estimate!);
}

/** The default of more rows than tier A takes, on fewer: minibatches of 128. */
const MINIBATCHES: EstimateConfig = { ...ESTIMATE, tier: "B", batch: 128 };

/** Trained to its minimum: the cosine schedule takes the noise of minibatches out of w0. */
const linearRegression = (inputs: number, estimate: EstimateConfig): CellGiven => ({
  data: { kind: "teacher-student", inputs, train: 1000, test: 100 },
  architecture: { kind: "mlp", depth: 0 },
  optimizer: { kind: "sgd", learningRate: 0.2 },
  train: { steps: 300, batch: 256, evalEvery: 300, schedule: "cosine" },
  estimate,
});

/** What E1 is on a quadratic: w0 is above the minimum by the descent. */
const expectedOf = ({ quad, descent }: Estimate): number => quad! - descent!;
const meanErrorOf = (read: readonly Estimate[]): number => read.reduce((sum, each) => sum + each.lambdaHat! - expectedOf(each), 0) / read.length; // prettier-ignore
const meanOf = (read: readonly Estimate[]): number => read.reduce((sum, { lambdaHat }) => sum + lambdaHat!, 0) / read.length; // prettier-ignore
const errorOf = (read: readonly Estimate[]): number => Math.sqrt(read.reduce((sum, { lambdaSe }) => sum + lambdaSe! ** 2, 0)) / read.length; // prettier-ignore

describe.skipIf(IS_SLOW).each([
  ["adjusted chains", "hmc", ESTIMATE],
  ["minibatches", "langevin", MINIBATCHES],
] as const)("an estimate with default settings, by %s", (_, sampler, estimate) => {
  // What a few seeds of a small model say varies most, and costs least to ask more of.
  test.each([
    [4, 48],
    [10, 8],
    [20, 4],
    [40, 4],
  ] as const)("of linear regression with %i parameters reads d/2, %i seeds", async (d, seeds) => {
    const read = await estimates(linearRegression(d - 1, estimate), seeds);
    for (const each of read) {
      const { lambdaHat, lambdaSe, ceiling, quad, e2, e3 } = each;
      expect(each).toMatchObject({ sampler, estimand: "loss", parameters: d, n: 1000, ceiling: d / 2 });
      expect(lambdaSe! / lambdaHat!).toBeLessThan(0.11);
      // t / (t + gamma) at unit curvature.
      expect(quad! / (d / 2)).toBeCloseTo(0.993, 2);
      expect(Math.abs(lambdaHat! - expectedOf(each))).toBeLessThan(4 * lambdaSe!);
      // Relative error of a variance of S effective draws of Gamma(lambda, 1): sqrt((2 + 6/lambda)/S).
      for (const other of [e2!, e3!]) {
        expect(Math.abs(other / quad! - 1)).toBeLessThan(4 * Math.sqrt((2 + 6 / quad!) / each.essBulk!));
      }
      expect(ceiling).toBe(d / 2);
    }
    expect(Math.abs(meanErrorOf(read))).toBeLessThan(3 * errorOf(read));
    expect(read.filter(({ verdict }) => verdict === "ok").length).toBeGreaterThanOrEqual((3 / 4) * seeds);
  });

  test("has standard errors that tell the spread between seeds", async () => {
    const read = await estimates(linearRegression(7, estimate), 24);
    const mean = meanOf(read);
    const spread = read.reduce((sum, { lambdaHat }) => sum + (lambdaHat! - mean) ** 2, 0) / (read.length - 1);
    const claimed = read.reduce((sum, { lambdaSe }) => sum + lambdaSe! ** 2, 0) / read.length;
    // chi2_23 / 23 has its 0.1 % and 99.9 % points at 0.33 and 2.16.
    expect(spread / claimed).toBeGreaterThan(0.33);
    expect(spread / claimed).toBeLessThan(2.16);
    expect(Math.abs(meanErrorOf(read)) / errorOf(read)).toBeLessThan(3);
  });

  test("of softmax regression reads (C - 1)(p + 1)/2 where the data determine all of it", async () => {
    const read = await estimates(
      {
        data: { kind: "spirals", arms: 3, noise: 1, train: 1500, test: 100 },
        architecture: { kind: "mlp", depth: 0 },
        optimizer: { kind: "sgd", learningRate: 0.3 },
        train: { steps: 400, batch: 256, evalEvery: 400, schedule: "cosine" },
        estimate,
      },
      3,
    );
    for (const each of read) {
      const { lambdaHat, lambdaSe, ceiling, quad } = each;
      expect(ceiling).toBe(3);
      expect(quad!).toBeLessThan(3);
      expect(quad! / 3).toBeGreaterThan(0.9);
      // A logistic loss is no quadratic: its third and fourth derivatives are 1/sqrt t and 1/t smaller, here 2 %.
      expect(Math.abs(lambdaHat! - expectedOf(each))).toBeLessThan(3 * lambdaSe! + 0.02 * quad!);
    }
  });
});

describe.skipIf(IS_SLOW)("a step far too large", () => {
  const stableOf = ({ nBeta, kernelTop, gamma }: Estimate): number => 4 / (nBeta! * kernelTop! + gamma!);

  test("is reported of a sampler of the literature as diverged, never as ok", async () => {
    const given = linearRegression(9, SGLD_ESTIMATE);
    const short = { ...SGLD_ESTIMATE, burnIn: 100, draws: 200, stepSize: 1e-3 };
    const [fine] = await estimates({ ...given, estimate: short }, 1);
    expect(fine!.nonFinite).toBe(0);
    const [wild] = await estimates({ ...given, estimate: { ...short, stepSize: 100 * stableOf(fine!) } }, 1);
    expect(wild).toMatchObject({ sampler: "sgld", verdict: "diverged", lambdaHat: null, lambdaSe: null });
    expect(wild!.nonFinite).toBeGreaterThan(0);
  });

  test("is made smaller for minibatch chains, from the start, and the estimate says so", async () => {
    const given = linearRegression(9, MINIBATCHES);
    const [fine] = await estimates({ ...given, estimate: { ...MINIBATCHES, stepSize: 1e-4 } }, 1);
    const stepSize = 1.5 * stableOf(fine!);
    const [mended] = await estimates({ ...given, estimate: { ...MINIBATCHES, stepSize } }, 1);
    expect(mended).toMatchObject({ stepSize: stepSize / 4, nonFinite: 0 });
    expect(mended!.gradients / fine!.gradients).toBeCloseTo(2, 1);
    expect(Math.abs(mended!.lambdaHat! - fine!.quad!)).toBeLessThan(4 * mended!.lambdaSe! + 0.05 * fine!.quad!);
  });

  test("of adjusted chains is refused, and learned smaller", async () => {
    const [fixed] = await estimates(linearRegression(9, { ...ESTIMATE, budget: 200, stepSize: 10 }), 1);
    expect(fixed!.verdict).not.toBe("ok");
    expect(fixed!.acceptance).toBeLessThan(0.01);
    const [learned] = await estimates(linearRegression(9, ESTIMATE), 1);
    expect(learned!.acceptance).toBeGreaterThan(0.6);
    expect(learned!.acceptance).toBeLessThan(0.98);
  });
});
