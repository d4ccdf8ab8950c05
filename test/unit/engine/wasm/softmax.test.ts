import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor3D, Tf } from "../../../../src/catalogue/entry.ts";
import { crossEntropy, squaredError } from "../../../../worker/engine/row-loss.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

const EPSILON = 2 ** -24;
const WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 10, 31, 33, 65, 100];
const ROWS = 11;

type Loss = "classes" | "values";

/** Targets of `width` classes: one-hot in even rows, smoothed in odd ones. */
function targetsOf(rows: number, width: number): Float32Array {
  return Float32Array.from({ length: rows * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    const hit = column === (7 * row) % width ? 1 : 0;
    return row % 2 === 0 ? hit : 0.9 * hit + 0.1 / width;
  });
}

interface Row {
  readonly value: number;
  readonly slope: readonly number[];
  /** The size of what the value was added up from. */
  readonly scale: number;
}

function crossEntropyOf(z: readonly number[], q: readonly number[]): Row {
  const most = Math.max(...z);
  const total = z.reduce((sum, each) => sum + Math.exp(each - most), 0);
  const terms = z.map((each, c) => q[c]! * (Math.log(total) + most - each));
  return {
    value: terms.reduce((sum, each) => sum + each, 0),
    slope: z.map((each, c) => Math.exp(each - most) / total - q[c]!),
    scale: 1 + terms.reduce((sum, each) => sum + Math.abs(each), 0),
  };
}

function squaredErrorOf(f: readonly number[], y: readonly number[]): Row {
  const value = f.reduce((sum, each, c) => sum + (y[c]! - each) ** 2 / 2, 0);
  return { value, slope: f.map((each, c) => each - y[c]!), scale: value };
}

describe.each(WASM_BUILDS)("softmax and the losses of rows, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  const softmax = (z: Float32Array, width: number): Float32Array =>
    tf.tidy(() => tf.softmax(tf.tensor2d(z, [z.length / width, width])).dataSync<"float32">());

  /** Losses of rows [1, rows] and dy times their gradient. */
  function run(loss: Loss, outputs: Float32Array, targets: Float32Array, width: number, dy: Float32Array) {
    return tf.tidy(() => {
      const shape: [number, number, number] = [1, dy.length, width];
      const wanted = tf.tensor3d(targets, shape);
      const apply = (given: Tensor3D) => (loss === "classes" ? crossEntropy : squaredError)(tf, given, wanted);
      const { value, grad } = tf.valueAndGrad(apply)(tf.tensor3d(outputs, shape), tf.tensor2d(dy, [1, dy.length]));
      return { values: value.dataSync<"float32">(), gradients: grad.dataSync<"float32">() };
    });
  }

  test.each(WIDTHS)("softmax of %d classes agrees with float64 and sums to 1", (width) => {
    const z = normals("z", ROWS * width, 3);
    const p = softmax(z, width);
    for (let row = 0; row < ROWS; row += 1) {
      const scores = Array.from(z.slice(row * width, (row + 1) * width));
      const most = Math.max(...scores);
      const total = scores.reduce((sum, each) => sum + Math.exp(each - most), 0);
      const values = p.slice(row * width, (row + 1) * width);
      expect(Math.abs(values.reduce((sum, each) => sum + each, 0) - 1)).toBeLessThan((width + 8) * EPSILON);
      values.forEach((value, c) => {
        const expected = Math.exp(scores[c]! - most) / total;
        // z - max is rounded before it is an exponent: a relative error of |z - max| units.
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(expected * (12 + most - scores[c]!) * EPSILON);
      });
    }
  });

  test.each(WIDTHS)("cross-entropy over %d classes agrees with float64, one-hot and smoothed", (width) => {
    const [z, q, dy] = [normals("z", ROWS * width, 4), targetsOf(ROWS, width), normals("dy", ROWS)];
    expectRows(run("classes", z, q, width, dy), z, q, dy, width, crossEntropyOf);
  });

  test.each(WIDTHS)("the squared error of %d values agrees with float64", (width) => {
    const [f, y, dy] = [normals("f", ROWS * width, 2), normals("y", ROWS * width), normals("dy", ROWS)];
    expectRows(run("values", f, y, width, dy), f, y, dy, width, squaredErrorOf);
  });

  function expectRows(
    { values, gradients }: ReturnType<typeof run>,
    outputs: Float32Array,
    targets: Float32Array,
    dy: Float32Array,
    width: number,
    rowOf: (outputs: readonly number[], targets: readonly number[]) => Row,
  ): void {
    for (let row = 0; row < dy.length; row += 1) {
      const [from, to] = [row * width, (row + 1) * width];
      const expected = rowOf(Array.from(outputs.slice(from, to)), Array.from(targets.slice(from, to)));
      expect(Math.abs(values[row]! - expected.value)).toBeLessThanOrEqual((width + 12) * EPSILON * expected.scale);
      expected.slope.forEach((slope, c) => {
        const size = Math.abs(dy[row]!) * (Math.abs(slope) + Math.abs(targets[from + c]!));
        expect(Math.abs(gradients[from + c]! - dy[row]! * slope)).toBeLessThanOrEqual(40 * EPSILON * size);
      });
    }
  }

  test.each(["classes", "values"] as const)("%s: agrees with TensorFlow.js's own operations", (loss) => {
    for (const width of [1, 2, 10, 33]) {
      const [z, dy] = [normals("z", ROWS * width, 3), normals("dy", ROWS)];
      const q = targetsOf(ROWS, width);
      const ours = run(loss, z, q, width, dy);
      const plain = withoutOwnKernels(tf, () => run(loss, z, q, width, dy));
      for (const name of ["values", "gradients"] as const) {
        expect(ours[name]).toHaveLength(plain[name].length);
        ours[name].forEach((value, i) =>
          expect(Math.abs(value - plain[name][i]!)).toBeLessThanOrEqual(3e-6 * (1 + Math.abs(value))),
        );
      }
    }
  });

  test("scores of any size neither overflow nor lose the class", () => {
    const z = Float32Array.of(1e4, -1e4, 0, 1.5e38, -1.5e38, 0, -80, -80, -80);
    const q = Float32Array.of(1, 0, 0, 0, 0, 1, 0, 1, 0);
    const { values, gradients } = run("classes", z, q, 3, Float32Array.of(1, 1, 1));
    expect(Array.from(values.slice(0, 2))).toEqual([0, Math.fround(1.5e38)]);
    expect(values[2]).toBeCloseTo(Math.log(3), 6);
    expect(Array.from(gradients.slice(0, 6))).toEqual([0, 0, 0, 1, 0, -1]);
    expect([...softmax(Float32Array.of(Number.NEGATIVE_INFINITY, 0, 0, Number.NEGATIVE_INFINITY), 4)]).toEqual([0, 0.5, 0.5, 0]); // prettier-ignore
  });

  test("a NaN anywhere in a row is its loss, and no other's", () => {
    for (const width of [2, 5, 9])
      for (let bad = 0; bad < width; bad += 1) {
        const z = normals("z", 3 * width);
        z[width + bad] = Number.NaN;
        for (const loss of ["classes", "values"] as const) {
          const { values } = run(loss, z, targetsOf(3, width), width, Float32Array.of(1, 1, 1));
          expect([...values].map(Number.isNaN)).toEqual([false, true, false]);
        }
      }
  });

  test("a row has the bits that it has alone", () => {
    for (const width of WIDTHS) {
      const [z, q, dy] = [normals("z", ROWS * width, 2), targetsOf(ROWS, width), normals("dy", ROWS)];
      const p = softmax(z, width);
      for (const loss of ["classes", "values"] as const) {
        const all = run(loss, z, q, width, dy);
        for (let row = 0; row < ROWS; row += 3) {
          const part = (values: Float32Array): Float32Array => values.slice(row * width, (row + 1) * width);
          const alone = run(loss, part(z), part(q), width, dy.slice(row, row + 1));
          expect(bitsOf(alone.values)).toEqual(bitsOf(all.values.slice(row, row + 1)));
          expect(bitsOf(alone.gradients)).toEqual(bitsOf(part(all.gradients)));
          expect(bitsOf(softmax(part(z), width))).toEqual(bitsOf(part(p)));
        }
      }
    }
  });

  test("without rows there are no losses", () => {
    for (const loss of ["classes", "values"] as const) {
      const { values, gradients } = run(loss, new Float32Array(), new Float32Array(), 4, new Float32Array());
      expect([values.length, gradients.length]).toEqual([0, 0]);
    }
  });

  test("leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    for (const loss of ["classes", "values"] as const)
      run(loss, normals("z", 12), targetsOf(3, 4), 4, normals("dy", 3));
    expect(tf.memory().numTensors).toBe(before);
  });
});
