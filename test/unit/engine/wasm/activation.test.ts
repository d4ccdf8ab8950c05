import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { activate, type Activation } from "../../../../src/catalogue/architecture/activation.ts";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { normalDensity, normalDistribution } from "../../../support/normal-distribution.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

/** 2^-24: half a unit in the last place of a number just above 1. */
const EPSILON = 2 ** -24;

interface Case {
  readonly activation: Activation;
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
  /** What |error| may be, of the value and of the slope. */
  readonly valueError: (x: number) => number;
  readonly slopeError: (x: number) => number;
}

const geluOf = (x: number): number => x * normalDistribution(x);

const CASES: readonly Case[] = [
  {
    activation: "tanh",
    value: Math.tanh,
    slope: (x) => 1 / Math.cosh(x) ** 2,
    valueError: (x) => 14 * EPSILON * Math.abs(Math.tanh(x)),
    // From y alone: (1 - y)(1 + y) has twice the error of y.
    slopeError: () => 16 * EPSILON,
  },
  {
    activation: "relu",
    value: (x) => Math.max(x, 0),
    slope: (x) => (x > 0 ? 1 : 0),
    valueError: () => 0,
    slopeError: () => 0,
  },
  {
    activation: "gelu",
    value: geluOf,
    slope: (x) => normalDistribution(x) + x * normalDensity(x),
    // x^2/2 is rounded before it is an exponent, so Phi(-|x|) errs by x^2 of its own rounding.
    valueError: (x) =>
      EPSILON * (2 * Math.abs(geluOf(x)) + (8 + x * x) * Math.abs(x) * normalDistribution(-Math.abs(x))),
    slopeError: (x) => EPSILON * (2 + (8 + x * x) * (1 + Math.abs(x)) * normalDensity(x)),
  },
];

describe.each(WASM_BUILDS)("a nonlinearity in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  /** Values and dy phi'(x). */
  function run(activation: Activation, x: Float32Array, dy: Float32Array): readonly [Float32Array, Float32Array] {
    const results = tf.tidy(() => {
      const apply = (input: Tensor): Tensor => activate(tf, activation, input);
      const { value, grad } = tf.valueAndGrad(apply)(tf.tensor1d(x), tf.tensor1d(dy));
      return [value.dataSync<"float32">(), grad.dataSync<"float32">()] as const;
    });
    return results;
  }

  test.each(CASES)("$activation and its slope agree with float64", ({ activation, ...expected }) => {
    const x = Float32Array.from([...normals("x", 4000, 3), ...Array.from({ length: 401 }, (_, i) => (i - 200) / 10)]);
    const [values, slopes] = run(activation, x, x.map(() => 1)); // prettier-ignore
    x.forEach((at, i) => {
      // Below the least normal number anything may be zero.
      const least = 1e-37;
      expect(Math.abs(values[i]! - expected.value(at)), `${activation} ${at}`).toBeLessThanOrEqual(
        expected.valueError(at) + least,
      );
      expect(Math.abs(slopes[i]! - expected.slope(at)), `slope at ${at}`).toBeLessThanOrEqual(
        expected.slopeError(at) + least,
      );
    });
  });

  test.each(CASES)("$activation agrees with TensorFlow.js's own operations, forward and back", ({ activation }) => {
    const [x, dy] = [normals("x", 5000, 2), normals("dy", 5000)];
    const ours = run(activation, x, dy);
    const plain = withoutOwnKernels(tf, () => run(activation, x, dy));
    for (const i of [0, 1] as const) {
      ours[i].forEach((value, at) => expect(Math.abs(value - plain[i][at]!)).toBeLessThanOrEqual(2e-6 * (1 + Math.abs(value)))); // prettier-ignore
    }
  });

  test("at infinities it has its limits, and NaN stays NaN", () => {
    const x = Float32Array.of(Number.NEGATIVE_INFINITY, -0, 0, Number.POSITIVE_INFINITY, Number.NaN);
    const ones = x.map(() => 1);
    expect(run("tanh", x, ones).map((each) => [...each])).toEqual([[-1, -0, 0, 1, Number.NaN], [0, 1, 1, 0, Number.NaN]]); // prettier-ignore
    expect(run("relu", x, ones).map((each) => [...each])).toEqual([[0, -0, 0, Number.POSITIVE_INFINITY, Number.NaN], [0, 0, 0, 1, 1]]); // prettier-ignore
    const [values, slopes] = run("gelu", x, ones);
    expect(Array.from(values.slice(1))).toEqual([-0, 0, Number.POSITIVE_INFINITY, Number.NaN]);
    expect(Array.from(slopes.slice(1))).toEqual([0.5, 0.5, 1, Number.NaN]);
    // What is left of e^-87.
    expect(Math.abs(values[0]!)).toBeLessThan(1e-37);
    expect(Math.abs(slopes[0]!)).toBeLessThan(1e-37);
  });

  test.each(CASES)("$activation of a number has the bits that it has alone, at any length", ({ activation }) => {
    const [x, dy] = [normals("x", 33, 2), normals("dy", 33)];
    const alone = Array.from(x, (value, i) => run(activation, Float32Array.of(value), Float32Array.of(dy[i]!)));
    for (const length of [0, 1, 3, 4, 5, 7, 8, 9, 31, 33]) {
      const [values, gradients] = run(activation, x.subarray(0, length), dy.subarray(0, length));
      expect(bitsOf(values)).toEqual(alone.slice(0, length).map(([value]) => bitsOf(value)[0]));
      expect(bitsOf(gradients)).toEqual(alone.slice(0, length).map(([, gradient]) => bitsOf(gradient)[0]));
    }
  });

  test("leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    for (const { activation } of CASES) run(activation, normals("x", 9), normals("dy", 9));
    expect(tf.memory().numTensors).toBe(before);
  });
});
