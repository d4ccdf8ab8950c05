import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { errorFunction } from "../../../support/normal-distribution.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS } from "../../../support/wasm-builds.ts";

const LEAST_NORMAL = 2 ** -126;

interface Case {
  readonly name: "exp" | "log" | "tanh" | "erf";
  readonly reference: (x: number) => number;
  /** Units in the last place of the result. */
  readonly ulps: number;
}

/** As assembly/math.ts states. The largest seen over all of float32: exp 1.01, log 0.80, tanh 6.92, erf 7.13. */
const CASES: readonly Case[] = [
  { name: "exp", reference: Math.exp, ulps: 2 },
  { name: "log", reference: Math.log, ulps: 1 },
  { name: "tanh", reference: Math.tanh, ulps: 7 },
  { name: "erf", reference: errorFunction, ulps: 8 },
];

/** Every 19,997th bit pattern of float32: both signs, every exponent, infinities' neighbours, denormals and NaNs. */
function sampleOfAll(): Float32Array {
  const step = 19_997;
  return new Float32Array(Uint32Array.from({ length: Math.floor(2 ** 32 / step) }, (_, i) => i * step).buffer);
}

const SPECIAL = [0, -0, 1, -1, 2 ** -149, -(2 ** -149), LEAST_NORMAL, 3.4028234663852886e38, -3.4028234663852886e38, 88.72283, 88.722839, 88.73, -87.33654, -87.34, -103, 9.02, 0.5 ** 13].map(Math.fround); // prettier-ignore

const ulpOf = (value: number): number => 2 ** (Math.floor(Math.log2(Math.max(Math.abs(value), LEAST_NORMAL))) - 23);

/** Why y is no good for f(x), if it is not. */
function complaint({ reference, ulps }: Case, x: number, y: number): string | undefined {
  const expected = reference(x);
  const rounded = Math.fround(expected);
  const said = `at ${x}: ${y} for ${expected}`;
  if (Number.isNaN(expected)) return Number.isNaN(y) ? undefined : said;
  if (!Number.isFinite(rounded)) return y === rounded ? undefined : said;
  // What is below the least normal number may be zero.
  if (Math.abs(expected) < LEAST_NORMAL) return Math.abs(y - expected) <= LEAST_NORMAL ? undefined : said;
  return Math.abs(y - expected) <= ulps * ulpOf(expected) ? undefined : said;
}

describe.each(WASM_BUILDS)("elementary functions, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  const valuesOf = (name: Case["name"], xs: Float32Array): Float32Array =>
    tf.tidy(() => (tf[name] as (x: Tensor) => Tensor)(tf.tensor1d(xs)).dataSync<"float32">());

  test.each(CASES)("$name is within $ulps units in the last place over all of float32", (given) => {
    for (const xs of [sampleOfAll(), Float32Array.from(SPECIAL), normals(given.name, 20_000, 4)]) {
      const ys = valuesOf(given.name, xs);
      let [complaints, first] = [0, ""];
      xs.forEach((x, i) => {
        const said = complaint(given, x, ys[i]!);
        if (said === undefined) return;
        complaints += 1;
        first ||= said;
      });
      expect(complaints, first).toBe(0);
    }
  });

  test("limits and NaN are what they are in float64, to the sign of zero", () => {
    const ends = Float32Array.from([Number.NEGATIVE_INFINITY, -0, 0, Number.POSITIVE_INFINITY, Number.NaN]);
    expect([...valuesOf("exp", ends)]).toEqual([0, 1, 1, Number.POSITIVE_INFINITY, Number.NaN]);
    expect([...valuesOf("log", ends)]).toEqual([Number.NaN, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN]); // prettier-ignore
    expect([...valuesOf("tanh", ends)]).toEqual([-1, -0, 0, 1, Number.NaN]);
    expect([...valuesOf("erf", ends)]).toEqual([-1, -0, 0, 1, Number.NaN]);
  });

  test("a NaN of any payload stays NaN", () => {
    const nans = new Float32Array(Uint32Array.from({ length: 512 }, (_, i) => (i % 2 << 31) | 0x7f800001 | (i * 8191)).buffer); // prettier-ignore
    expect(nans.every(Number.isNaN)).toBe(true);
    for (const { name } of CASES) expect(valuesOf(name, nans).every(Number.isNaN), name).toBe(true);
  });

  test("tanh and erf are odd to the bit, and reach 1 without passing it", () => {
    const xs = normals("odd", 20_000, 5);
    for (const name of ["tanh", "erf"] as const) {
      const [ys, mirrored] = [valuesOf(name, xs), valuesOf(name, xs.map((x) => -x))]; // prettier-ignore
      expect(bitsOf(mirrored.map((y) => -y))).toEqual(bitsOf(ys));
      expect(ys.every((y) => Math.abs(y) <= 1)).toBe(true);
      expect([...valuesOf(name, Float32Array.of(9.1, 50, -1e30))]).toEqual([1, 1, -1]);
    }
  });

  test("a number has the bits that it has alone, at any place in a tensor of any length", () => {
    const xs = normals("places", 33, 3).map(Math.abs);
    for (const { name } of CASES) {
      const alone = Array.from(xs, (x) => bitsOf(valuesOf(name, Float32Array.of(x)))[0]!);
      for (let length = 0; length <= xs.length; length += 1) {
        expect(bitsOf(valuesOf(name, xs.subarray(xs.length - length)))).toEqual(alone.slice(xs.length - length));
      }
    }
  });

  test("integers are left to TensorFlow.js's own kernel", () => {
    const powers = tf.tidy(() => tf.exp(tf.tensor1d([0, 1, 2], "int32")).dataSync());
    expect(powers[0]).toBe(1);
    expect(powers[2]! / powers[1]!).toBeCloseTo(Math.E, 5);
  });
});
