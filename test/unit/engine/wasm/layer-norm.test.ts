import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { layerNorm } from "../../../../src/catalogue/architecture/layer-norm.ts";
import type { Tensor, Tensor3D, Tf } from "../../../../src/catalogue/entry.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

const EPSILON = 2 ** -24;
const NAMES = ["y", "dx", "dGain", "dBias"] as const;
type Results = Readonly<Record<(typeof NAMES)[number], Float32Array>>;

interface Given {
  readonly x: Float32Array;
  readonly gain: Float32Array;
  readonly bias: Float32Array;
  readonly dy: Float32Array;
}

type Shape = readonly [members: number, rows: number, width: number];

const drawn = ([members, rows, width]: Shape): Given => ({
  x: normals("x", members * rows * width, 2, 0.5),
  gain: normals("gain", members * width, 0.3, 1),
  bias: normals("bias", members * width, 0.3),
  dy: normals("dy", members * rows * width),
});

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

/** By the book, in float64. */
function reference([members, rows, width]: Shape, { x, gain, bias, dy }: Given) {
  const out = { y: [] as number[], dx: [] as number[], dGain: [] as number[], dBias: [] as number[], scale: 1 };
  out.dGain = Array.from({ length: members * width }, () => 0);
  out.dBias = [...out.dGain];
  for (let row = 0; row < members * rows; row += 1) {
    const at = Math.floor(row / rows) * width;
    const own = Array.from(x.slice(row * width, (row + 1) * width));
    const centred = own.map((each) => each - mean(own));
    const rate = 1 / Math.sqrt(mean(centred.map((each) => each * each)) + 1e-5);
    const normal = centred.map((each) => each * rate);
    const given = Array.from(dy.slice(row * width, (row + 1) * width));
    const d = given.map((each, j) => each * gain[at + j]!);
    // What dx is the small difference of.
    out.scale = Math.max(out.scale, rate * Math.max(...d.map(Math.abs)));
    const along = mean(d.map((each, j) => each * normal[j]!));
    normal.forEach((each, j) => {
      out.y.push(each * gain[at + j]! + bias[at + j]!);
      out.dx.push(rate * (d[j]! - mean(d) - each * along));
      out.dGain[at + j]! += given[j]! * each;
      out.dBias[at + j]! += given[j]!;
    });
  }
  return out;
}

const SHAPES: readonly Shape[] = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 64].map((width) => [2, 5, width]);

describe.each(WASM_BUILDS)("layer normalisation in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  function run([members, rows, width]: Shape, given: Given): Results {
    return tf.tidy(() => {
      const wide: [number, number, number] = [members, rows, width];
      const row: [number, number, number] = [members, 1, width];
      const apply = (...leaves: Tensor[]): Tensor => layerNorm(tf, leaves[0] as Tensor3D, leaves[1]!, leaves[2]!);
      const leaves = [tf.tensor3d(given.x, wide), tf.tensor3d(given.gain, row), tf.tensor3d(given.bias, row)];
      const { value, grads } = tf.valueAndGrads(apply)(leaves, tf.tensor3d(given.dy, wide));
      const [y, dx, dGain, dBias] = [value, ...grads].map((tensor) => tensor.dataSync<"float32">());
      return { y: y!, dx: dx!, dGain: dGain!, dBias: dBias! };
    });
  }

  test.each(SHAPES)("agrees with float64, forward and back: %d members, %d rows of %d", (...shape) => {
    const given = drawn(shape);
    const [expected, results] = [reference(shape, given), run(shape, given)];
    for (const name of NAMES) {
      expect(results[name]).toHaveLength(expected[name].length);
      const scale = Math.max(expected.scale, ...expected[name].map(Math.abs));
      expected[name].forEach((value, i) =>
        // Numbers of a row are of one size; a row's sums err by some units of it, and rate by as many.
        expect(Math.abs(results[name][i]! - value), `${name} ${i}`).toBeLessThanOrEqual(48 * EPSILON * scale),
      );
    }
  });

  test("agrees with TensorFlow.js's own operations", () => {
    const shape: Shape = [3, 17, 13];
    const given = drawn(shape);
    const [ours, plain] = [run(shape, given), withoutOwnKernels(tf, () => run(shape, given))];
    for (const name of NAMES)
      ours[name].forEach((value, i) =>
        expect(Math.abs(value - plain[name][i]!)).toBeLessThanOrEqual(5e-6 * (1 + Math.abs(value))),
      );
  });

  test("a constant row is its bias, and takes no gradient", () => {
    const shape: Shape = [1, 2, 6];
    const given = { ...drawn(shape), x: new Float32Array(12).fill(3) };
    const results = run(shape, given);
    expect([...results.y]).toEqual([...given.bias, ...given.bias]);
    expect([...results.dGain]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("a member has the bits that it has alone, and a NaN stays in its row", () => {
    for (const width of [3, 8, 13]) {
      const shape: Shape = [5, 7, width];
      const given = drawn(shape);
      const fused = run(shape, given);
      const part = (values: Float32Array, m: number): Float32Array =>
        values.slice((m * values.length) / 5, ((m + 1) * values.length) / 5);
      for (let m = 0; m < 5; m += 1) {
        const own = {
          x: part(given.x, m),
          gain: part(given.gain, m),
          bias: part(given.bias, m),
          dy: part(given.dy, m),
        };
        const alone = run([1, 7, width], own);
        for (const name of NAMES) expect(bitsOf(alone[name])).toEqual(bitsOf(part(fused[name], m)));
      }
      const wild = run(shape, { ...given, x: given.x.map((value, i) => (i === 2 * width ? Number.NaN : value)) });
      const rows = Array.from({ length: 35 }, (_, row) => wild.y.slice(row * width, (row + 1) * width));
      expect(rows.map((row) => row.every(Number.isNaN))).toEqual(rows.map((_, row) => row === 2));
    }
  });

  test("without rows the gradients of gain and bias are zeros", () => {
    const results = run([2, 0, 3], drawn([2, 0, 3]));
    expect([results.y.length, results.dx.length]).toEqual([0, 0]);
    expect([...results.dGain, ...results.dBias]).toEqual(Array.from({ length: 12 }, () => 0));
  });

  test("leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    run([2, 3, 4], drawn([2, 3, 4]));
    expect(tf.memory().numTensors).toBe(before);
  });
});
