/** The learning coefficient of a user's own function, where it is known exactly. */
import { beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { normalCrossingAtT } from "../../../src/oracle/normal-crossing.ts";
import { quadraticAtT } from "../../../src/oracle/regular.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import {
  estimateLearningCoefficient,
  type Engine,
  type EstimateRequest,
  type LearningCoefficient,
  type Losses,
} from "../../../worker/library.ts";
import { openTestEngine } from "../../support/test-backend.ts";

let engine: Engine;
let tf: Tf;
beforeAll(async () => {
  engine = await openTestEngine();
  ({ tf } = engine);
});

let live = 0;
beforeEach(() => (live = engine.memory().tensors));
afterEach(() => expect(engine.memory().tensors, "no tensor is left").toBe(live));

/** Standard errors that an estimate may be off by. */
const MOST_STANDARD_ERRORS = 3;

function expectReads({ lambdaHat, lambdaSe }: LearningCoefficient, truth: number, mostSe: number): void {
  expect(lambdaSe).toBeLessThan(mostSe * truth);
  const off = Math.abs(lambdaHat! - truth);
  expect(off, `${lambdaHat} +- ${lambdaSe}, truth ${truth}`).toBeLessThan(MOST_STANDARD_ERRORS * lambdaSe!);
}

/**
 * 1/2 (c_i (w - w0)_j(i))^2 for sample i of coordinate j(i) = i mod d, c^2 = d s_j: the Hessian of the mean is diag(s). The
 * weights are a matrix, a vector and a number.
 */
const CURVATURES = [3, 1, 0.5, 0.25, 0.1, 2, 0.01];
const CENTRE = [0.5, -1, 2, 0.1, -0.3, 1, 0.7];
const BOWL_SAMPLES = 140;
const bowl: Losses = (weights, rows) => {
  const d = CURVATURES.length;
  const flat = tf.concat(weights.map((weight) => tf.reshape(weight, [-1])));
  const scale = tf.tensor1d(CURVATURES.map((s) => Math.sqrt(d * s)));
  const residuals = tf.mul(scale, tf.sub(flat, tf.tensor1d(CENTRE)));
  const table = tf.tensor1d(
    Array.from({ length: BOWL_SAMPLES }, (_, i) => i % d),
    "int32",
  );
  return tf.mul(0.5, tf.square(tf.gather(residuals, tf.gather(table, rows))));
};
const BOWL_WEIGHTS = [
  { values: CENTRE.slice(0, 4), shape: [2, 2] },
  { values: Float64Array.from(CENTRE.slice(4, 6)), shape: [2] },
  { values: Float32Array.from(CENTRE.slice(6)), shape: [] },
];

const asked = (more: Partial<EstimateRequest>): EstimateRequest => ({
  engine,
  losses: bowl,
  weights: BOWL_WEIGHTS,
  samples: BOWL_SAMPLES,
  chains: 2,
  budget: 1500,
  ...more,
});

/** 1/2 (w1 w2)^2 of every sample. */
const crossing: Losses = ([w], rows) => tf.mul(tf.ones(rows.shape), tf.mul(0.5, tf.square(tf.prod(w!))));

describe("the learning coefficient of a user's function", { timeout: 180_000 }, () => {
  test.each(["A", "B"] as const)("of a quadratic is its closed form at a finite t, tier %s", async (tier) => {
    const [t, gamma] = [200, 2];
    const result = await estimateLearningCoefficient(asked({ tier, nBeta: t, gamma }));
    const truth = quadraticAtT(CURVATURES, t, gamma);
    expectReads(result, truth, 0.12);
    expect(result).toMatchObject({ parameters: 7, n: BOWL_SAMPLES, nBeta: t, gamma, estimand: "loss", baseLoss: 0 });
    expect(result.sampler).toBe(tier === "A" ? "hmc" : "langevin");
    expect(result.quad! / truth).toBeCloseTo(1, 1);
    expect(result.ceiling).toBe(3.5);
    expect(result.x.map(({ length }) => length)).toEqual([result.draws, result.draws]);
  });

  test("of a minibatch is that of all samples", async () => {
    const [t, gamma] = [200, 2];
    const result = await estimateLearningCoefficient(asked({ tier: "B", batch: 28, nBeta: t, gamma }));
    expect(result.batch).toBe(28);
    expectReads(result, quadraticAtT(CURVATURES, t, gamma), 0.12);
  });

  test("of a normal crossing is exact at a finite t, and no curvature of rounding speaks against it", async () => {
    const weights = [tf.zeros([2])];
    const request = { engine, losses: crossing, weights, samples: 20, nBeta: 1000, trajectory: 8, tolerance: 0.04 };
    const result = await estimateLearningCoefficient({ ...request, budget: 30_000 });
    tf.dispose(weights);
    expectReads(result, normalCrossingAtT([1, 1], 500, 1), 0.06);
    expect(result.quad).toBeLessThan(0.01);
    expect(result.verdict, result.verdictReason).toBe("ok");
  });

  test("has a curve in t and in gamma where they are asked for", async () => {
    const curve = { nBeta: [0.1, 10], gamma: [4] };
    const result = await estimateLearningCoefficient(asked({ nBeta: 200, gamma: 2, chains: 4, budget: 2500, curve }));
    const points = [[20, 2], [2000, 2], [200, 8]] as const; // prettier-ignore
    expect(result.curve.map(({ nBeta, gamma }) => [nBeta, gamma])).toEqual(points);
    for (const { nBeta, gamma, lambdaHat, lambdaSe } of result.curve) {
      const off = Math.abs(lambdaHat! - quadraticAtT(CURVATURES, nBeta!, gamma!));
      expect(off).toBeLessThan(MOST_STANDARD_ERRORS * lambdaSe!);
    }
    expect(result.multiplicity).not.toBeNull();
  });

  test("brings weights that are no minimum to the one beside them, and says so", async () => {
    const away = BOWL_WEIGHTS.map(({ values, shape }) => ({
      values: Float32Array.from(values, (v) => v + 0.3),
      shape,
    }));
    const result = await estimateLearningCoefficient(asked({ weights: away, nBeta: 200, gamma: 2, budget: 500 }));
    expect(result.anchorMoved).toBeGreaterThan(0.3);
    expect(result.anchorGain).toBeGreaterThan(0.1);
    expect(result.baseLoss).toBeCloseTo(((CURVATURES.reduce((sum, s) => sum + s, 0) / 2) * 0.3 ** 2), 4); // prettier-ignore
    const left = await estimateLearningCoefficient(
      asked({ weights: away, nBeta: 200, gamma: 2, budget: 200, refine: "never" }),
    );
    expect(left).toMatchObject({ anchorMoved: 0, verdict: "not-a-minimum" });
  });

  test("is the same for the same seed, alone or beside another, and not for another", async () => {
    const short = { budget: 200, nBeta: 200 };
    const first = await estimateLearningCoefficient(asked({ ...short, seed: 7 }));
    const [again, other] = await Promise.all(
      [7, 8].map((seed) => estimateLearningCoefficient(asked({ ...short, seed }))),
    );
    expect(again).toEqual(first);
    expect(other!.lambdaHat).not.toBe(first.lambdaHat);
  });

  test("tells how far it is", async () => {
    const seen: number[] = [];
    const onProgress = ({ done, of }: { done: number; of: number }): void => void seen.push(done / of);
    await estimateLearningCoefficient(asked({ budget: 400, onProgress }));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBeLessThanOrEqual(1);
  });

  test.each(["A", "B"] as const)(
    "can be cancelled before and on the way, and leaves no tensor, tier %s",
    async (tier) => {
      const cancelled = { code: "cancelled", message: "the estimate was cancelled by its signal" };
      const before = asked({ tier, signal: AbortSignal.abort() });
      await expect(estimateLearningCoefficient(before)).rejects.toMatchObject(cancelled);
      const abort = new AbortController();
      let calls = 0;
      const losses: Losses = (weights, rows) => {
        calls += 1;
        // In the middle of the sampling: what comes before takes fewer.
        if (calls === 300) abort.abort("enough");
        return bowl(weights, rows);
      };
      const onTheWay = asked({ tier, losses, signal: abort.signal, tolerance: 0.001 });
      await expect(estimateLearningCoefficient(onTheWay)).rejects.toMatchObject({ ...cancelled, cause: "enough" });
      expect(calls).toBeLessThan(400);
    },
  );
});
