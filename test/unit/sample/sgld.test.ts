import { beforeAll, describe, expect, test } from "vitest";
import { fillNormal, rootKey } from "../../../src/core/random.ts";
import type { Tensor } from "../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { sgld, type SgldKernel } from "../../../worker/sample/sgld.ts";
import type { SamplerSettings } from "../../../worker/sample/sampler.ts";

/**
 * A quadratic L(w) = 1/2 sum_i h_i w_i^2 with gradient noise of variance c_i / m. With p_i = t h_i + gamma, the stationary
 * E t L is (derived from the linear recursion w' = (1 - eps p/2) w + noise)
 *   classic:        1/2 sum_i t h_i (1 + eps t^2 c_i / 4m) / (p_i (1 - eps p_i / 4))
 *   noise-averaged: 1/2 sum_i t h_i (1 + eps t^2 c_i / (4m (1 - eps p_i / 4))) / p_i
 */
const T = 40;
const GAMMA = 2;
const H = [0.05, 0.3, 1];
/** c_i / m */
const NOISE = [0.01, 0.05, 0.1];
/** eps p = 1.5 in the stiffest direction: far from small, so that each factor of the formulas counts. */
const EPSILON = 1.5 / (T * H[2]! + GAMMA);
const CHAINS = 2000;
const WARM_UP = 150;
const STEPS = 250;

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

function expectedReading(kernel: SgldKernel): number {
  return H.reduce((sum, h, i) => {
    const p = T * h + GAMMA;
    const noise = (EPSILON * T * T * NOISE[i]!) / 4;
    const shrink = 1 - (EPSILON * p) / 4;
    return sum + (0.5 * T * h * (kernel === "classic" ? (1 + noise) / shrink : 1 + noise / shrink)) / p;
  }, 0);
}

/** Mean of t L over steps, for each of many independent chains. */
function readings(kernel: SgldKernel): Float64Array {
  const { tf } = engine;
  const sampler = sgld(kernel);
  const settings: SamplerSettings = {
    t: () => tf.scalar(T),
    gamma: () => tf.scalar(GAMMA),
    epsilon: () => tf.scalar(EPSILON),
  };
  const normal = (step: number, b: number): Tensor => {
    const values = new Float32Array(CHAINS * H.length);
    fillNormal(rootKey(`sgld-test/${kernel}`), { a: step, b }, values);
    return tf.tensor(values, [CHAINS, H.length]);
  };
  const sums = new Float64Array(CHAINS);
  tf.tidy(() => {
    const [h, noise] = [tf.tensor1d(H), tf.sqrt(tf.tensor1d(NOISE))];
    const anchor = [tf.zeros([CHAINS, H.length])];
    let state = sampler.init(tf, anchor, [normal(0, 0)]);
    for (let step = 1; step <= WARM_UP + STEPS; step += 1) {
      const next = tf.tidy(() => {
        const w = state.position[0]!;
        if (step > WARM_UP) {
          const loss = tf.mul(0.5, tf.sum(tf.mul(h, tf.square(w)), -1)).dataSync<"float32">();
          loss.forEach((value, chain) => (sums[chain]! += (T * value) / STEPS));
        }
        const gradient = [tf.add(tf.mul(h, w), tf.mul(noise, normal(step, 1)))];
        const made = sampler.step(tf, state, { gradient, anchor, normal: [normal(step, 0)], settings });
        return [...made.position, ...made.carry];
      });
      tf.dispose([...state.position, ...state.carry]);
      state = { position: next.slice(0, 1), carry: next.slice(1) };
    }
  });
  return sums;
}

function meanAndError(values: Float64Array): { readonly mean: number; readonly error: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

describe("localised SGLD on a quadratic with noisy gradients", () => {
  test.each(["classic", "noise-averaged"] as const)("the %s kernel reads its closed form", (kernel) => {
    const { mean, error } = meanAndError(readings(kernel));
    // Fine enough to tell every factor of the formula from its half.
    expect(error / mean).toBeLessThan(0.005);
    expect(Math.abs(mean - expectedReading(kernel)) / error).toBeLessThan(3);
  });

  test("the two closed forms are far apart at this step", () => {
    expect(expectedReading("classic") / expectedReading("noise-averaged")).toBeGreaterThan(1.1);
  });

  test("a step disposes nothing that it was given and leaves only its new state", () => {
    const { tf } = engine;
    const before = tf.memory().numTensors;
    const given = [1, 2, 3, 4].map((i) =>
      tf.tensor2d([
        [i, 0, 1],
        [1, i, 0],
      ]),
    );
    const scalar = tf.scalar(0.1);
    const sampler = sgld("noise-averaged");
    const settings: SamplerSettings = { t: () => scalar, gamma: () => scalar, epsilon: () => scalar };
    const state = sampler.init(tf, [given[0]!], [given[1]!]);
    const inputs = { gradient: [given[2]!], anchor: [given[0]!], normal: [given[3]!], settings };
    const next = tf.tidy(() => {
      const made = sampler.step(tf, state, inputs);
      return [...made.position, ...made.carry];
    });
    for (const tensor of [...given, ...state.position, ...state.carry]) expect(tensor.isDisposed).toBe(false);
    tf.dispose([...given, scalar, ...state.position, ...state.carry, ...next]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
