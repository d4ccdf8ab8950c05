/** Chains that see a lower loss than that of w0: w0 is moved there and sampled again, once, and the estimate says so. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { rootKey } from "../../../src/core/random.ts";
import type { Estimate } from "../../../src/result/cell-result.ts";
import type { EstimateConfig } from "../../../src/spec/cell.ts";
import { estimateSurface } from "../../../worker/complexity/estimate-surface.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { formulaSurface, type RowFormula } from "../../support/formula-surface.ts";
import { ESTIMATE } from "../../support/tiny-cells.ts";

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

const T = 20;
const GAMMA = 0.5;
const CONFIG: EstimateConfig = { ...ESTIMATE, nBeta: T, gamma: GAMMA, trajectory: 10, budget: 1200 };

/** In the first direction; 1/2 sum_i h_i w_i^2 in the others. */
interface Profile {
  at(v: number): number;
  slope(v: number): number;
}

/** (v^2 - 1)^2 / 4 + v/4: a well at 0.84 that is 0.5 above one at -1.1, behind a barrier of 0.05. */
const TWO_WELLS: Profile = {
  at: (v) => (v ** 2 - 1) ** 2 / 4 + v / 4,
  slope: (v) => v ** 3 - v + 1 / 4,
};
const UPPER = minimumNear(TWO_WELLS, 0.84);
const LOWER = minimumNear(TWO_WELLS, -1.1);
/** Where w0 is brought to: the pull to where it was is not let go of on the way. */
const PULLED = minimumNear({ slope: (v) => TWO_WELLS.slope(v) + (GAMMA / T) * (v - UPPER) }, LOWER);
const H = [1, 0.3];

const twoWells: RowFormula = {
  rows: 2,
  shapes: [[1], [H.length]],
  losses: (tf, w, rows) => {
    const [v, others] = tf.split(w, [1, H.length], 2) as [typeof w, typeof w];
    const well = tf.add(tf.mul(0.25, tf.square(tf.sub(tf.square(v), 1))), tf.mul(0.25, v));
    const bowl = tf.mul(0.5, tf.sum(tf.mul(tf.tensor1d(H), tf.square(others)), -1));
    return tf.mul(tf.ones(rows.shape), tf.add(tf.squeeze(well, [2]), bowl));
  },
};

/** 0.1 (1 - cos v) - 0.05 v, falling for ever: every well has a lower one beside it. */
const stairs: RowFormula = {
  rows: 2,
  shapes: [[1]],
  losses: (tf, w, rows) => {
    const step = tf.sub(tf.mul(0.1, tf.sub(1, tf.cos(w))), tf.mul(SLOPE, w));
    return tf.mul(tf.ones(rows.shape), tf.squeeze(step, [2]));
  },
};
const SLOPE = 0.05;
const FIRST_STAIR = Math.asin(SLOPE / 0.1);

interface Run {
  readonly estimates: readonly Omit<Estimate, "estimand" | "baseLoss">[];
  /** Cells that were told of. */
  readonly told: readonly number[];
}

async function run(
  formula: RowFormula,
  trained: readonly (readonly number[])[],
  more: Partial<EstimateConfig> = {},
): Promise<Run> {
  const told: number[] = [];
  const events = { progress: () => undefined, log: (cell: number) => void told.push(cell) };
  const problems = trained.map((_, cell) => ({ key: rootKey(`re-anchoring/${cell}`) }));
  const surface = formulaSurface(engine, formula, trained);
  const pace = { turn: () => Promise.resolve() };
  const found = await estimateSurface(surface, problems, { ...CONFIG, ...more }, events, pace);
  return { estimates: found.map(({ estimate }) => estimate), told };
}

describe("w0 with a lower well beside it", { timeout: 60_000 }, () => {
  let both: Run;
  beforeAll(async () => {
    both = await run(twoWells, [[UPPER, 0, 0], [LOWER, 0, 0]]); // prettier-ignore
  }, 60_000);

  test("is moved into that, sampled again, and reads what is exact there", async () => {
    const { estimates, told } = both;
    const [moved, stayed] = estimates as [Run["estimates"][0], Run["estimates"][0]];
    expect(told).toEqual([0]);
    expect(moved.anchorMoved! / (UPPER - PULLED)).toBeCloseTo(1, 3);
    expect(moved.anchorGain! / (TWO_WELLS.at(UPPER) - TWO_WELLS.at(PULLED))).toBeCloseTo(1, 3);
    for (const [{ lambdaHat, lambdaSe, verdict, verdictReason }, truth] of [
      [moved, exactAt(PULLED)],
      [stayed, exactAt(LOWER)],
    ] as const) {
      expect(verdict, verdictReason).toBe("ok");
      expect(lambdaSe! / truth).toBeLessThan(0.12);
      expect(Math.abs(lambdaHat! - truth), `${lambdaHat} +- ${lambdaSe}, truth ${truth}`).toBeLessThan(3 * lambdaSe!);
    }
    expect([stayed.anchorMoved, stayed.anchorGain]).toEqual([0, 0]);
    // What was spent in vain is spent.
    expect(moved.gradients).toBeGreaterThan(1.5 * stayed.gradients);
  });

  test("is the same beside others and alone", async () => {
    const [alone] = (await run(twoWells, [[UPPER, 0, 0]])).estimates;
    expect(both.estimates[0]).toEqual(alone);
  });

  test("stays where it is when it may not be refined, and is said to be no minimum", async () => {
    const { estimates, told } = await run(twoWells, [[UPPER, 0, 0]], { refine: "never" });
    expect(estimates[0]).toMatchObject({ verdict: "not-a-minimum", anchorMoved: 0, anchorGain: 0 });
    expect(told).toEqual([]);
  });

  test("is moved once, and not again when there is a lower one still", async () => {
    const { estimates, told } = await run(stairs, [[FIRST_STAIR]], { gamma: 0.02, budget: 600 });
    expect(told).toEqual([0]);
    expect(estimates[0]!.anchorMoved).toBeGreaterThan(Math.PI);
    expect(estimates[0]!.verdict).toBe("not-a-minimum");
  });
});

/** By Newton's method on the slope, whose own slope is a difference. */
function minimumNear({ slope }: Pick<Profile, "slope">, start: number): number {
  let v = start;
  for (let i = 0; i < 50; i += 1) v -= slope(v) / ((slope(v + 1e-5) - slope(v - 1e-5)) / 2e-5);
  return v;
}

/** t E[L - L0] where w0 is at v0 in the first direction: a sum over a fine grid there, the closed form in the others. */
function exactAt(v0: number): number {
  let [mass, sum] = [0, 0];
  for (let v = -6; v <= 6; v += 1e-4) {
    const x = T * (TWO_WELLS.at(v) - TWO_WELLS.at(v0));
    const weight = Math.exp(-x - (GAMMA / 2) * (v - v0) ** 2);
    mass += weight;
    sum += weight * x;
  }
  return sum / mass + H.reduce((all, h) => all + (T * h) / (T * h + GAMMA) / 2, 0);
}
