import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fillNormal, rootKey } from "../../../src/core/random.ts";
import type { LoadedData, Tensor3D } from "../../../src/catalogue/entry.ts";
import type { Cell } from "../../../src/spec/cell.ts";
import { automaticStep, ceilingOf, closedForm } from "../../../worker/complexity/closed-form.ts";
import { kernelRows, type KernelRows, type KernelSource } from "../../../worker/complexity/kernel.ts";
import { spectrumOf, type Spectrum } from "../../../worker/complexity/spectrum.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, outputsOf, rowGradients } from "../../../worker/engine/program.ts";
import { sizeOf } from "../../../worker/engine/shape.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { tinyCell, type CellGiven } from "../../support/tiny-cells.ts";

let engine: Engine;
let tensorsBefore = 0;
const open: FusedData[] = [];
beforeAll(async () => {
  engine = await openEngine("wasm");
});
beforeEach(() => {
  tensorsBefore = engine.memory().tensors;
});
afterEach(() => {
  for (const data of open.splice(0)) data.dispose();
  expect(engine.memory().tensors).toBe(tensorsBefore);
});

/** A cell with random weights: normals of this standard deviation, or what `weights` makes of them. */
async function sourceOf(
  given: CellGiven,
  weights?: (shape: readonly number[], index: number) => Float32Array,
): Promise<KernelSource & { readonly cell: Cell; readonly loaded: LoadedData }> {
  const cell = tinyCell(given);
  const program = openProgram(engine, cell.config);
  const loaded = await engine.datasets.load(cell.config.data);
  const data = new FusedData(program, [loaded]);
  open.push(data);
  const random = (shape: readonly number[], index: number): Float32Array => {
    const values = new Float32Array(sizeOf(shape));
    fillNormal(rootKey("kernel-test"), { a: index, b: 0 }, values);
    return values.map((value) => 0.5 * value);
  };
  const key = rootKey("kernel-test/key");
  const arrays = program.parameters.map(({ shape }, p) => (weights ?? random)(shape, p));
  return { cell, loaded, program, data, dataset: 0, weights: arrays, key };
}

const eigen = (matrix: Matrix): number[] =>
  new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues.toSorted((a, b) => b - a);

const TEACHER = { kind: "teacher-student", inputs: 16, outputs: 1, train: 400, test: 10 };
const DIGITS = { kind: "digits", size: 7, train: 300, test: 10 };

/** The spectrum by JavaScript's doubles and another library's eigenvalues. */
function plainSpectrum({ values, rows, parameters, samples, whole }: KernelRows): Spectrum {
  const x = new Matrix(
    Array.from({ length: rows }, (_, i) => [...values.subarray(i * parameters, (i + 1) * parameters)]),
  );
  const gram = rows <= parameters ? x.mmul(x.transpose()) : x.transpose().mmul(x);
  const eigenvalues = Float64Array.from(eigen(gram), (value) => Math.max(0, value / samples));
  const rank = eigenvalues.filter((value) => value > 1e-10 * eigenvalues[0]!).length;
  return { eigenvalues, rank, rankIsWhole: whole };
}

describe("the Gauss-Newton kernel", () => {
  test("of linear regression is the second-moment matrix of the inputs", async () => {
    const source = await sourceOf({
      data: { kind: "teacher-student", inputs: 3, train: 50, test: 10 },
      architecture: { kind: "polynomial", basis: "monomial", degree: 1, normalise: false },
    });
    const { x } = source.loaded.train;
    const design = new Matrix(Array.from({ length: 50 }, (_, i) => [1, ...x.subarray(3 * i, 3 * i + 3)]));
    const expected = eigen(design.transpose().mmul(design).div(50));
    const spectrum = spectrumOf(kernelRows(source, 256));
    expect(spectrum.eigenvalues).toHaveLength(4);
    spectrum.eigenvalues.forEach((value, i) => expect(value / expected[i]!).toBeCloseTo(1, 5));
    expect(spectrum).toMatchObject({ rank: 4, rankIsWhole: true });
  });

  test("of a classifier is its Fisher matrix: by finite differences of the logits", async () => {
    const source = await sourceOf({
      data: { kind: "spirals", arms: 4, train: 5, test: 10 },
      architecture: { kind: "mlp", activation: "tanh", depth: 0 },
    });
    const rows = kernelRows(source, 256);
    expect(rows).toMatchObject({ rows: 20, samples: 5, whole: true });
    const expected = eigen(fisherByDifferences(source, 4));
    const spectrum = spectrumOf(rows);
    // Softmax-linear with C classes and p inputs: (C - 1)(p + 1) directions of its 12 parameters.
    expect(spectrum).toMatchObject({ rank: 9, rankIsWhole: true });
    for (let i = 0; i < 9; i += 1) expect(spectrum.eigenvalues[i]! / expected[i]!).toBeCloseTo(1, 4);
  });

  test("drawn rows have the trace of the whole, within its sampling error", async () => {
    const given: CellGiven = {
      data: { kind: "digits", size: 7, train: 300, test: 10 },
      architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 6 },
    };
    const whole = kernelRows(await sourceOf(given), 3000);
    expect(whole.whole).toBe(true);
    const drawn = kernelRows(await sourceOf(given), 150);
    expect(drawn).toMatchObject({ rows: 150, samples: 150, whole: false });
    const lengths = Array.from({ length: 150 }, (_, i) =>
      drawn.values.subarray(i * drawn.parameters, (i + 1) * drawn.parameters).reduce((sum, v) => sum + v * v, 0),
    );
    const trace = whole.values.reduce((sum, v) => sum + v * v, 0) / whole.samples;
    const mean = lengths.reduce((sum, v) => sum + v, 0) / 150;
    const error = Math.sqrt(lengths.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 149 / 150);
    expect(error / mean).toBeLessThan(0.1);
    expect(Math.abs(mean - trace) / error).toBeLessThan(3);
  });

  test("the gradient of the loss lies in the span of the rows", async () => {
    const source = await sourceOf({
      data: { kind: "teacher-student", inputs: 6, outputs: 2, train: 8, test: 10 },
      architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 5 },
    });
    const { values, rows, parameters } = kernelRows(source, 256);
    const gradient = gradientOf(source);
    const at = (i: number): Float32Array =>
      i < rows ? values.subarray(i * parameters, (i + 1) * parameters) : gradient;
    const gram = (count: number): Matrix =>
      new Matrix(Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => dot(at(i), at(j)))));
    const rank = (values: readonly number[]): number => values.filter((value) => value > 1e-9 * values[0]!).length;
    expect(rank(eigen(gram(rows + 1)))).toBe(rank(eigen(gram(rows))));
  });

  test("the rank of a deep linear network at a generic point is that of its map's tangent space", async () => {
    // Rank-h matrices M x N: h (M + N - h) dimensions.
    const source = await sourceOf({
      data: { kind: "teacher-student", inputs: 6, outputs: 4, train: 200, test: 10 },
      architecture: { kind: "deep-linear", depth: 1, width: 2 },
    });
    const rank = 2 * (6 + 4 - 2);
    for (const most of [800, 60]) {
      const spectrum = spectrumOf(kernelRows(source, most));
      expect(spectrum).toMatchObject({ rank, rankIsWhole: true });
      const { parameterCount, task } = source.program;
      expect(ceilingOf([spectrum], parameterCount, task)).toBe(rank / 2);
    }
  });

  test("its closed form, ranks and step are those of plain double precision", async () => {
    for (const [given, most] of [
      [{ data: TEACHER, architecture: { kind: "mlp", activation: "tanh", depth: 2, width: 32 } }, 256],
      [{ data: TEACHER, architecture: { kind: "mlp", activation: "relu", depth: 1, width: 4 } }, 256],
      [{ data: DIGITS, architecture: { kind: "cnn", depth: 1, width: 4 } }, 100],
    ] as const) {
      const source = await sourceOf(given);
      const rows = kernelRows(source, most);
      const [spectrum, expected] = [spectrumOf(rows), plainSpectrum(rows)];
      expect(spectrum.rank).toBe(expected.rank);
      for (const gamma of [0.01, 1, 100]) {
        const form = closedForm(spectrum, 150, gamma, 1);
        const plain = closedForm(expected, 150, gamma, 1);
        const noise = { samples: 64, batches: 4 };
        const step = automaticStep(form, 150, gamma, noise);
        expect(form.quad / plain.quad).toBeCloseTo(1, 9);
        expect(form.varOverMean / plain.varOverMean).toBeCloseTo(1, 9);
        expect(form.top / plain.top).toBeCloseTo(1, 12);
        expect(step / automaticStep(plain, 150, gamma, noise)).toBeCloseTo(1, 9);
      }
    }
  });

  test("with fewer rows than directions the ceiling is what shapes allow, not the rank of the subset", async () => {
    const source = await sourceOf({
      data: { kind: "digits", size: 7, train: 60, test: 10 },
      architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 20 },
    });
    const spectrum = spectrumOf(kernelRows(source, 40));
    expect(spectrum.rankIsWhole).toBe(false);
    const { parameterCount, task } = source.program;
    expect(ceilingOf([spectrum], parameterCount, task)).toBe(Math.min(parameterCount, 60 * 9) / 2);
  });
});

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function gradientOf({ program, data, weights }: KernelSource): Float32Array {
  const { tf } = program.engine;
  const parts: Float32Array[] = [];
  tf.tidy(() => {
    const stacked = weights.map((values, p) =>
      tf.tile(tf.tensor(values, [1, ...program.parameters[p]!.shape]), [
        2,
        ...program.parameters[p]!.shape.map(() => 1),
      ]),
    );
    const rows = Int32Array.from({ length: 2 * data.rows("train") }, (_, i) => i % data.rows("train"));
    const { gradients } = rowGradients(program, stacked, data.gather("train", [0, 0], rows));
    for (const gradient of gradients) parts.push(gradient.dataSync<"float32">().slice(0, gradient.size / 2));
  });
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** 1/N sum_i J_i^T (diag p - p p^T) J_i from central differences of the logits, which are linear in these weights. */
function fisherByDifferences(source: KernelSource, classes: number): Matrix {
  const { program, data } = source;
  const samples = data.rows("train");
  const base = logitsAt(source, source.weights);
  const columns = source.weights.flatMap((values, p) =>
    Array.from(values, (_, i) => {
      const moved = (by: number): readonly Float32Array[] =>
        source.weights.map((array, q) => array.map((value, j) => (q === p && j === i ? value + by : value)));
      const [up, down] = [logitsAt(source, moved(0.5)), logitsAt(source, moved(-0.5))];
      return up.map((value, k) => value - down[k]!);
    }),
  );
  const fisher = Matrix.zeros(program.parameterCount, program.parameterCount);
  for (let s = 0; s < samples; s += 1) {
    const z = Array.from(base.subarray(s * classes, (s + 1) * classes));
    const total = z.reduce((sum, value) => sum + Math.exp(value), 0);
    const p = z.map((value) => Math.exp(value) / total);
    const jacobian = new Matrix(columns.map((column) => Array.from(column.subarray(s * classes, (s + 1) * classes))));
    const curvature = Matrix.diag(p).sub(Matrix.columnVector(p).mmul(Matrix.rowVector(p)));
    fisher.add(jacobian.mmul(curvature).mmul(jacobian.transpose()).div(samples));
  }
  return fisher;
}

function logitsAt({ program, data }: KernelSource, weights: readonly Float32Array[]): Float32Array {
  const { tf } = program.engine;
  const rows = data.rows("train");
  const out: { z: Float32Array } = { z: new Float32Array(0) };
  tf.tidy(() => {
    const stacked = weights.map((values, p) => tf.tensor(values, [1, ...program.parameters[p]!.shape]));
    const input: Tensor3D = data.gather(
      "train",
      [0],
      Int32Array.from({ length: rows }, (_, i) => i),
    ).input;
    out.z = outputsOf(program, stacked, input).dataSync<"float32">();
  });
  return out.z;
}
