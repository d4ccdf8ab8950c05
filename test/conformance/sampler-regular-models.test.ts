/**
 * Learning coefficients that are known: a regular model of d parameters has lambda = d/2, softmax regression with C classes
 * and p inputs (C - 1)(p + 1)/2. Whole cells, with the default settings of a sweep file, trained and estimated.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { Estimate } from "../../src/result/cell-result.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { recordShard } from "../support/shard-recorder.ts";
import { IS_SLOW, openTestEngine } from "../support/test-backend.ts";
import { ESTIMATE, tinyCell, type CellGiven } from "../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

async function estimates(given: CellGiven, seeds: number): Promise<readonly Estimate[]> {
  const cells = Array.from({ length: seeds }, (_, seed) => tinyCell({ ...given, seed }));
  const { results } = await recordShard(engine, cells);
  return cells.map(({ id }) => results.get(id)!.estimate!);
}

/** Trained to its minimum: the cosine schedule takes the noise of minibatches out of w0. */
const linearRegression = (inputs: number): CellGiven => ({
  data: { kind: "teacher-student", inputs, train: 1000, test: 100 },
  architecture: { kind: "mlp", depth: 0 },
  optimizer: { kind: "sgd", learningRate: 0.2 },
  train: { steps: 300, batch: 256, evalEvery: 300, schedule: "cosine" },
  estimate: ESTIMATE,
});

describe("localised SGLD with default settings", () => {
  test.each(IS_SLOW ? [4] : [4, 10, 20, 40])(
    "linear regression with %i parameters reads d/2 within a tenth",
    async (d) => {
      const read = await estimates(linearRegression(d - 1), 4);
      for (const { lambdaHat, lambdaSe, ceiling, quad, varOverMean } of read) {
        expect(Math.abs(lambdaHat! / (d / 2) - 1)).toBeLessThan(0.1);
        expect(lambdaSe! / lambdaHat!).toBeLessThan(0.04);
        expect(ceiling).toBe(d / 2);
        // t / (t + gamma) at unit curvature.
        expect(quad! / (d / 2)).toBeCloseTo(0.993, 2);
        expect(varOverMean!).toBeGreaterThan(0.75);
        expect(varOverMean!).toBeLessThan(1.3);
      }
      const mean = read.reduce((sum, { lambdaHat }) => sum + lambdaHat!, 0) / read.length;
      const error = Math.sqrt(read.reduce((sum, { lambdaSe }) => sum + lambdaSe! ** 2, 0)) / read.length;
      // 3 standard errors, and the 2 % that minibatch noise may cost by the choice of the step.
      expect(Math.abs(mean - read[0]!.quad!)).toBeLessThan(3 * error + 0.02 * mean);
      expect(read.filter(({ verdict }) => verdict === "ok").length).toBeGreaterThanOrEqual(3);
    },
  );

  test.skipIf(IS_SLOW)("standard errors tell the spread between seeds", async () => {
    const read = await estimates(linearRegression(7), 24);
    const mean = read.reduce((sum, { lambdaHat }) => sum + lambdaHat!, 0) / read.length;
    const spread = read.reduce((sum, { lambdaHat }) => sum + (lambdaHat! - mean) ** 2, 0) / (read.length - 1);
    const claimed = read.reduce((sum, { lambdaSe }) => sum + lambdaSe! ** 2, 0) / read.length;
    // chi2_23 / 23 has its 0.1 % and 99.9 % points at 0.33 and 2.16.
    expect(spread / claimed).toBeGreaterThan(0.33);
    expect(spread / claimed).toBeLessThan(2.16);
  });

  test("softmax regression reads (C - 1)(p + 1)/2 where the data determine all of it", async () => {
    const read = await estimates(
      {
        data: { kind: "spirals", arms: 3, noise: 1, train: 1500, test: 100 },
        architecture: { kind: "mlp", depth: 0 },
        optimizer: { kind: "sgd", learningRate: 0.3 },
        train: { steps: 400, batch: 256, evalEvery: 400, schedule: "cosine" },
        estimate: ESTIMATE,
      },
      3,
    );
    for (const { lambdaHat, lambdaSe, ceiling, quad } of read) {
      expect(ceiling).toBe(3);
      expect(quad! / 3).toBeGreaterThan(0.9);
      expect(Math.abs(lambdaHat! - quad!)).toBeLessThan(3 * lambdaSe! + 0.02 * quad!);
    }
  });

  test.skipIf(IS_SLOW)("a step far too large is reported as diverged or biased, never as ok", async () => {
    const [fine] = await estimates(linearRegression(9), 1);
    const stable = 4 / (fine!.nBeta! * fine!.kernelTop! + 1);
    const given = linearRegression(9);
    const [wild] = await estimates({ ...given, estimate: { ...ESTIMATE, stepSize: 100 * stable } }, 1);
    expect(wild).toMatchObject({ verdict: "diverged", lambdaHat: null, lambdaSe: null });
    expect(wild!.nonFinite).toBeGreaterThan(0);
  });

  test("a step somewhat too large is made smaller once, from the start, and the estimate says so", async () => {
    const given = linearRegression(9);
    const [fine] = await estimates(given, 1);
    const stepSize = 6 / (fine!.nBeta! * fine!.kernelTop! + 1);
    const [mended] = await estimates({ ...given, estimate: { ...ESTIMATE, stepSize } }, 1);
    expect(mended).toMatchObject({ stepSize: stepSize / 4, gradients: 2 * fine!.gradients, nonFinite: 0 });
    expect(Math.abs(mended!.lambdaHat! - fine!.quad!)).toBeLessThan(4 * mended!.lambdaSe! + 0.05 * fine!.quad!);
  });
});
