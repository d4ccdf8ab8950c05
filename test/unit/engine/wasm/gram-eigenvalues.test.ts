import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { fillNormal, fillUniform, rootKey } from "../../../../src/core/random.ts";
import { gramEigenvalues } from "../../../../worker/engine/wasm/gram-eigenvalues.ts";

function normals(rows: number, columns: number, name = "gram"): Float32Array {
  const values = new Float32Array(rows * columns);
  fillNormal(rootKey(name), { a: rows, b: columns }, values);
  return values;
}

/** The same in JavaScript doubles: the products as they are defined, and another library's eigenvalues. */
function reference(values: Float32Array, rows: number, columns: number): readonly number[] {
  const x = new Matrix(Array.from({ length: rows }, (_, i) => [...values.subarray(i * columns, (i + 1) * columns)]));
  const gram = rows <= columns ? x.mmul(x.transpose()) : x.transpose().mmul(x);
  return new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues.toSorted((a, b) => b - a);
}

/** The largest error as a share of the largest eigenvalue. */
function errorOf(got: Float64Array, expected: readonly number[]): number {
  expect(got).toHaveLength(expected.length);
  const errors = expected.map((value, i) => Math.abs(value - got[i]!));
  return Math.max(...errors) / Math.max(Number.MIN_VALUE, ...expected.map(Math.abs));
}

describe("eigenvalues of Gram matrices", () => {
  test.each([
    [1, 1],
    [1, 7],
    [7, 1],
    [2, 2],
    [3, 5],
    [5, 3],
    [4, 64],
    [8, 65],
    [9, 130],
    [31, 33],
    [33, 31],
    [64, 64],
    [67, 200],
    [130, 90],
    [256, 300],
  ])("of %i rows by %i columns are those of another library", (rows, columns) => {
    const values = normals(rows, columns);
    // Both round: n 2^-53 each, and the sums of products before them.
    const limit = 8 * (rows + columns) * 2 ** -53;
    expect(errorOf(gramEigenvalues(values, rows, columns), reference(values, rows, columns))).toBeLessThan(limit);
  });

  test("of random shapes, sparse and badly scaled, are those of another library", () => {
    const draws = new Float32Array(400);
    fillUniform(rootKey("gram/shapes"), { a: 0, b: 0 }, draws);
    for (let trial = 0; trial < 100; trial += 1) {
      const [rows, columns] = [1 + Math.floor(40 * draws[4 * trial]!), 1 + Math.floor(40 * draws[4 * trial + 1]!)];
      const zeros = draws[4 * trial + 2]!;
      const spread = 12 * draws[4 * trial + 3]!;
      const keep = new Float32Array(rows * columns);
      fillUniform(rootKey("gram/zeros"), { a: trial, b: 0 }, keep);
      // Columns of very different lengths: eigenvalues over up to 24 orders of magnitude.
      const values = normals(rows, columns, `gram/${trial}`).map((value, i) =>
        keep[i]! < zeros ? 0 : value * 10 ** ((-spread * (i % columns)) / columns),
      );
      const error = errorOf(gramEigenvalues(values, rows, columns), reference(values, rows, columns));
      expect(error, `trial ${trial}: ${rows} x ${columns}`).toBeLessThan(1e-13);
    }
  });

  test("of the second-difference matrix are its closed form, 4 sin^2", () => {
    // X with X X^T = tridiagonal(-1, 2, -1): rows e_i - e_{i+1}.
    const n = 200;
    const values = new Float32Array(n * (n + 1));
    for (let i = 0; i < n; i += 1) {
      values[i * (n + 1) + i] = 1;
      values[i * (n + 1) + i + 1] = -1;
    }
    const expected = Array.from({ length: n }, (_, i) => 4 * Math.sin(((n - i) * Math.PI) / (2 * (n + 1))) ** 2);
    expect(errorOf(gramEigenvalues(values, n, n + 1), expected)).toBeLessThan(1e-14);
  });

  test("of a matrix of rank r are r and, for the rest, rounding far below the limit of the rank rule", () => {
    const [rows, columns, rank] = [120, 180, 17];
    const [left, right] = [normals(rows, rank, "left"), normals(rank, columns, "right")];
    const values = new Float32Array(rows * columns);
    // Whole numbers, so that float32 holds the products and the rank is exact.
    const whole = (value: number): number => Math.round(4 * value);
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < columns; j += 1) {
        let sum = 0;
        for (let k = 0; k < rank; k += 1) sum += whole(left[i * rank + k]!) * whole(right[k * columns + j]!);
        values[i * columns + j] = sum;
      }
    }
    const eigenvalues = gramEigenvalues(values, rows, columns);
    expect(eigenvalues[rank - 1]! / eigenvalues[0]!).toBeGreaterThan(1e-3);
    expect(Math.abs(eigenvalues[rank]! / eigenvalues[0]!)).toBeLessThan(1e-13);
  });

  test("of huge and of tiny numbers keep their relative error", () => {
    const values = normals(20, 30);
    const expected = reference(values, 20, 30);
    for (const power of [100, -100]) {
      const scaled = gramEigenvalues(
        values.map((value) => value * 2 ** power),
        20,
        30,
      );
      expect(
        errorOf(
          scaled.map((value) => value * 2 ** (-2 * power)),
          expected,
        ),
      ).toBeLessThan(1e-13);
    }
    // Denormal numbers have fewer bits, but they are what they are.
    const denormal = values.map((value) => value * 2 ** -140);
    expect(errorOf(gramEigenvalues(denormal, 20, 30), reference(denormal, 20, 30))).toBeLessThan(1e-13);
  });

  test("do not depend on what was computed before: a small matrix after a large one", () => {
    const values = normals(6, 9);
    const before = gramEigenvalues(values, 6, 9);
    gramEigenvalues(normals(300, 310), 300, 310);
    expect(gramEigenvalues(values, 6, 9)).toEqual(before);
  });

  test("of zeros are zeros, of nothing nothing, of what is not finite NaN", () => {
    expect([...gramEigenvalues(new Float32Array(12), 3, 4)]).toEqual([0, 0, 0]);
    expect(gramEigenvalues(new Float32Array(0), 0, 4)).toHaveLength(0);
    expect(gramEigenvalues(new Float32Array(0), 4, 0)).toHaveLength(0);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const values = normals(5, 8);
      values[17] = bad;
      expect([...gramEigenvalues(values, 5, 8)]).toEqual(Array.from({ length: 5 }, () => Number.NaN));
    }
  });
});
