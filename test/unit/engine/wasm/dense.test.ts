import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Activation } from "../../../../src/catalogue/architecture/activation.ts";
import { addRow, dense, sumRows, type DenseOptions } from "../../../../src/catalogue/architecture/dense.ts";
import { ownKernel } from "../../../../src/catalogue/own-kernel.ts";
import type { Tensor, Tensor3D, Tf } from "../../../../src/catalogue/entry.ts";
import { normalDensity, normalDistribution } from "../../../support/normal-distribution.ts";
import { bitsOf, normals, sizeOf } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

type Kind = Activation | "none";
const KINDS: readonly Kind[] = ["none", "tanh", "relu", "gelu"];

interface Shape {
  readonly members: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

interface Layer {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly dy: Float32Array;
}

type Shape3 = [number, number, number];
const shapesOf = ({ members, rows, inner, columns }: Shape): Record<keyof Layer, Shape3> => ({
  x: [members, rows, inner],
  weight: [members, inner, columns],
  bias: [members, 1, columns],
  dy: [members, rows, columns],
});

function drawn(shape: Shape): Layer {
  const shapes = shapesOf(shape);
  const values = (name: keyof Layer, std: number): Float32Array => normals(name, sizeOf(shapes[name]), std);
  return {
    x: values("x", 1),
    weight: values("weight", 1 / Math.sqrt(shape.inner)),
    bias: values("bias", 0.5),
    dy: values("dy", 1),
  };
}

/** phi, and phi' of z and y = phi(z). */
const FUNCTIONS: Readonly<Record<Kind, readonly [(z: number) => number, (z: number) => number]>> = {
  none: [(z) => z, () => 1],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  relu: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0)],
  gelu: [(z) => z * normalDistribution(z), (z) => normalDistribution(z) + z * normalDensity(z)],
};

/** A number in float64 with the size of what it was added up from, the scale of its rounding errors. */
class Sum {
  value = 0;
  scale = 0;
  add(term: number): void {
    this.value += term;
    this.scale += Math.abs(term);
  }
}

const sums = (count: number): Sum[] => Array.from({ length: count }, () => new Sum());

interface Reference {
  readonly y: readonly Sum[];
  readonly dWeight: readonly Sum[];
  readonly dBias: readonly Sum[];
  readonly dx: readonly Sum[];
}

/** One layer by the book. */
function reference(kind: Kind, { members, rows, inner, columns }: Shape, { x, weight, bias, dy }: Layer): Reference {
  const [phi, slope] = FUNCTIONS[kind];
  const at = { y: sums(dy.length), dWeight: sums(weight.length), dBias: sums(bias.length), dx: sums(x.length) };
  for (let m = 0; m < members; m += 1)
    for (let r = 0; r < rows; r += 1)
      for (let j = 0; j < columns; j += 1) {
        const out = (m * rows + r) * columns + j;
        const z = new Sum();
        z.add(bias[m * columns + j]!);
        for (let i = 0; i < inner; i += 1)
          z.add(x[(m * rows + r) * inner + i]! * weight[(m * inner + i) * columns + j]!);
        at.y[out]!.value = phi(z.value);
        at.y[out]!.scale = z.scale;
        const dz = dy[out]! * slope(z.value);
        at.dBias[m * columns + j]!.add(dz);
        for (let i = 0; i < inner; i += 1) {
          at.dWeight[(m * inner + i) * columns + j]!.add(dz * x[(m * rows + r) * inner + i]!);
          at.dx[(m * rows + r) * inner + i]!.add(dz * weight[(m * inner + i) * columns + j]!);
        }
      }
  return at;
}

describe.each(WASM_BUILDS)("a dense layer in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  type Results = Readonly<Record<"y" | "dWeight" | "dBias" | "dx", Float32Array>>;

  function run(kind: Kind, shape: Shape, layer: Layer, readsData = false): Results {
    const shapes = shapesOf(shape);
    const options: DenseOptions = { readsData, ...(kind === "none" ? {} : { activation: kind }) };
    const read = (tensor: Tensor | undefined): Float32Array =>
      tensor === undefined ? new Float32Array() : tensor.dataSync<"float32">();
    return tf.tidy(() => {
      const [x, weight, bias, dy] = [tf.tensor3d(layer.x, shapes.x), tf.tensor3d(layer.weight, shapes.weight), tf.tensor3d(layer.bias, shapes.bias), tf.tensor3d(layer.dy, shapes.dy)]; // prettier-ignore
      const apply = (weight: Tensor, bias: Tensor, input: Tensor = x): Tensor =>
        dense(tf, input as Tensor3D, weight, bias, options);
      const leaves = readsData ? [weight, bias] : [weight, bias, x];
      const { value, grads } = tf.valueAndGrads(apply)(leaves, dy);
      return { y: read(value), dWeight: read(grads[0]), dBias: read(grads[1]), dx: read(grads[2]) };
    });
  }

  /** A float32 sum of n terms errs by at most (n + 1) 2^-24 of their sizes; phi adds some units of its own, passed on by dz. */
  function expectClose(kind: Kind, shape: Shape): void {
    const layer = drawn(shape);
    const expected = reference(kind, shape, layer);
    const results = run(kind, shape, layer);
    const { inner, rows, columns } = shape;
    const terms = { y: inner + 16, dWeight: inner + rows + 24, dBias: inner + rows + 24, dx: inner + columns + 24 };
    for (const name of ["y", "dWeight", "dBias", "dx"] as const) {
      expect(results[name]).toHaveLength(expected[name].length);
      expected[name].forEach(({ value, scale }, i) =>
        expect(Math.abs(results[name][i]! - value), `${kind} ${name} ${JSON.stringify(shape)} at ${i}`)
          // Of gradients, a term's own dz errs by what z did: a few units of 1 + |z|, and |z| is of order 1 here.
          .toBeLessThanOrEqual(terms[name] * 2 ** -24 * (name === "y" ? scale : 4 * (scale + 1))),
      );
    }
  }

  test.each(KINDS)("%s: agrees with float64 for every remainder of its tiles, forward and back", (kind) => {
    for (const rows of [1, 3, 5, 8])
      for (const columns of [1, 2, 4, 7, 9])
        for (const inner of [1, 3, 8, 9]) expectClose(kind, { members: 2, rows, inner, columns });
  });

  test("agrees with float64 over random shapes", () => {
    const length = fc.integer({ min: 1, max: 37 });
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), fc.integer({ min: 1, max: 4 }), length, length, length, (kind, members, rows, inner, columns) =>
        expectClose(kind, { members, rows, inner, columns }),
      ), // prettier-ignore
      { numRuns: 60, seed: 1 },
    );
  });

  test.each(KINDS)("%s: agrees with TensorFlow.js's own operations, forward and back", (kind) => {
    const shape = { members: 3, rows: 21, inner: 10, columns: 13 };
    const layer = drawn(shape);
    const [ours, plain] = [run(kind, shape, layer), withoutOwnKernels(tf, () => run(kind, shape, layer))];
    for (const name of ["y", "dWeight", "dBias", "dx"] as const) {
      expect(ours[name]).toHaveLength(plain[name].length);
      ours[name].forEach((value, i) => expect(Math.abs(value - plain[name][i]!)).toBeLessThanOrEqual(1e-5 * (1 + Math.abs(value)))); // prettier-ignore
    }
  });

  test("rows in several blocks have the bits of one: a row forward, and gradients as far as the rows before are zero", () => {
    // 65,536 / (700 + 400) is less than the least block of 64 rows: 150 rows are three blocks.
    const shape = { members: 1, rows: 150, inner: 700, columns: 400 };
    const layer = drawn(shape);
    const whole = run("tanh", shape, layer);
    const last = { ...shape, rows: 1 };
    const row = { ...layer, x: layer.x.slice(-700), dy: layer.dy.slice(-400) };
    expect(bitsOf(run("tanh", last, row).y)).toEqual(bitsOf(whole.y.slice(-400)));
    expect(bitsOf(run("tanh", last, row).dx)).toEqual(bitsOf(whole.dx.slice(-700)));
    const onlyLast = { ...layer, dy: layer.dy.map((value, i) => (i < 149 * 400 ? 0 : value)) };
    const gradients = run("tanh", shape, onlyLast);
    const alone = run("tanh", last, row);
    expect([...gradients.dBias]).toEqual([...alone.dBias]);
    expect([...gradients.dWeight]).toEqual([...alone.dWeight]);
  });

  test("rows in several blocks agree with the plain operations", () => {
    const shape = { members: 2, rows: 131, inner: 600, columns: 520 };
    const layer = drawn(shape);
    const [ours, plain] = [run("relu", shape, layer), withoutOwnKernels(tf, () => run("relu", shape, layer))];
    for (const name of ["y", "dWeight", "dBias", "dx"] as const) {
      const worst = ours[name].reduce((most, value, i) => Math.max(most, Math.abs(value - plain[name][i]!)), 0);
      // Sums of up to 600 terms of order 1; a relu whose input is 0 within rounding may open in one and not in the other.
      expect(worst, name).toBeLessThan(2e-4);
    }
  });

  test.each(KINDS)("%s: a member has the bits that it has alone, at any place", (kind) => {
    for (const [rows, inner, columns] of [
      [5, 3, 1],
      [13, 9, 6],
      [8, 16, 32],
    ] as const) /* prettier-ignore */ {
      const shape = { members: 6, rows, inner, columns };
      const layer = drawn(shape);
      const fused = run(kind, shape, layer);
      for (let m = 0; m < shape.members; m += 1) {
        const part = (values: Float32Array): Float32Array => {
          const size = values.length / shape.members;
          return values.slice(m * size, (m + 1) * size);
        };
        const own = { x: part(layer.x), weight: part(layer.weight), bias: part(layer.bias), dy: part(layer.dy) };
        const alone = run(kind, { ...shape, members: 1 }, own);
        for (const name of ["y", "dWeight", "dBias", "dx"] as const)
          expect(bitsOf(alone[name])).toEqual(bitsOf(part(fused[name])));
      }
    }
  });

  test("of data it takes no gradient, and the others keep their bits", () => {
    const shape = { members: 2, rows: 7, inner: 5, columns: 6 };
    const layer = drawn(shape);
    const [whole, ofData] = [run("tanh", shape, layer), run("tanh", shape, layer, true)];
    expect(ofData.dx).toHaveLength(0);
    for (const name of ["y", "dWeight", "dBias"] as const) expect(bitsOf(ofData[name])).toEqual(bitsOf(whole[name]));
    tf.tidy(() => {
      const given = { x: tf.ones([2, 7, 5]), weight: tf.ones([2, 5, 6]), dy: tf.ones([2, 7, 6]) };
      expect(ownKernel(tf, "OccamDenseGrad", given, { activation: "none", inputGradient: false })).toHaveLength(2);
    });
  });

  test("one member's NaN and infinity stay its own", () => {
    const shape = { members: 3, rows: 6, inner: 5, columns: 9 };
    const [sane, wild] = [drawn(shape), drawn(shape)];
    wild.weight[shape.inner * shape.columns] = Number.NaN;
    wild.x[2 * shape.rows * shape.inner] = Number.POSITIVE_INFINITY;
    const [expected, results] = [run("gelu", shape, sane), run("gelu", shape, wild)];
    for (const name of ["y", "dWeight", "dBias", "dx"] as const) {
      const size = expected[name].length / shape.members;
      expect(bitsOf(results[name].slice(0, size))).toEqual(bitsOf(expected[name].slice(0, size)));
      expect(results[name].slice(size, 2 * size).some(Number.isNaN), name).toBe(true);
    }
    const rows = results.y.slice(2 * shape.rows * shape.columns);
    expect(rows.slice(0, shape.columns).every((y) => !Number.isFinite(y) || Math.abs(y) < 1e-37)).toBe(true);
    expect(rows.slice(shape.columns).every(Number.isFinite)).toBe(true);
  });

  test("without rows its gradients are zeros, and without members nothing", () => {
    const noRows = run("tanh", { members: 2, rows: 0, inner: 3, columns: 5 }, drawn({ members: 2, rows: 0, inner: 3, columns: 5 })); // prettier-ignore
    expect([noRows.y.length, noRows.dx.length]).toEqual([0, 0]);
    expect([...noRows.dWeight, ...noRows.dBias]).toEqual(Array.from({ length: 40 }, () => 0));
    const empty = { members: 0, rows: 4, inner: 3, columns: 5 };
    expect(Object.values(run("relu", empty, drawn(empty))).map(({ length }) => length)).toEqual([0, 0, 0, 0]);
  });

  test("operands that do not agree are refused", () => {
    tf.tidy(() => {
      const [x, weight, bias] = [tf.ones([2, 3, 4]), tf.ones([2, 4, 5]), tf.ones([2, 1, 5])];
      const call = (x: Tensor, weight: Tensor, bias: Tensor) => () =>
        ownKernel(tf, "OccamDense", { x, weight, bias }, { activation: "tanh" });
      expect(call(x, tf.ones([2, 3, 5]), bias)).toThrow("a dense layer of x [2,3,4] by [2,3,5]");
      expect(call(x, weight, tf.ones([2, 1, 4]))).toThrow("bias is float32 [2,1,5], not float32 [2,1,4]");
      expect(() => ownKernel(tf, "OccamDense", { x, weight, bias }, { activation: "swish" })).toThrow(
        '"swish" is none of',
      );
    });
  });

  test("rows are added and summed in the order of float32", () => {
    for (const [members, rows, width] of [
      [1, 1, 1],
      [2, 5, 3],
      [3, 9, 8],
      [2, 33, 31],
      [2, 0, 4],
    ] as const) /* prettier-ignore */ {
      const [x, row] = [normals("x", members * rows * width), normals("row", members * width)];
      const [sum, added] = tf.tidy(() => {
        const given = tf.tensor3d(x, [members, rows, width]);
        const bias = tf.tensor3d(row, [members, 1, width]);
        return [sumRows(tf, given).dataSync<"float32">(), addRow(tf, given, bias).dataSync<"float32">()] as const;
      });
      const [sums, all] = [new Float32Array(members * width), new Float32Array(x.length)];
      x.forEach((value, i) => {
        const at = Math.floor(i / (rows * width)) * width + (i % width);
        sums[at] = sums[at]! + value;
        all[i] = value + row[at]!;
      });
      expect(bitsOf(sum)).toEqual(bitsOf(sums));
      expect(bitsOf(added)).toEqual(bitsOf(all));
    }
  });

  test("leaves no tensor behind", () => {
    const shape = { members: 2, rows: 3, inner: 4, columns: 5 };
    const before = tf.memory().numTensors;
    for (const kind of KINDS) run(kind, shape, drawn(shape));
    expect(tf.memory().numTensors).toBe(before);
  });
});
