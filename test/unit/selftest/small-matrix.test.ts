/** Eigenvectors and solutions that the selftest judges by: checked by what defines them. */
import { expect, test } from "vitest";
import { rootKey, fillNormal } from "../../../src/core/random.ts";
import { solveLeastSquares, symmetricEigen } from "../../../worker/selftest/small-matrix.ts";

/** A A^T + 1/10, A normal. */
function positive(size: number): readonly Float64Array[] {
  const normals = new Float32Array(size * size);
  fillNormal(rootKey("small-matrix"), { a: size, b: 0 }, normals);
  const at = (i: number, k: number): number => normals[i * size + k]!;
  return Array.from({ length: size }, (_, i) =>
    Float64Array.from({ length: size }, (__, j) => {
      let sum = i === j ? 0.1 : 0;
      for (let k = 0; k < size; k += 1) sum += at(i, k) * at(j, k);
      return sum;
    }),
  );
}

const times = (matrix: readonly Float64Array[], vector: Float64Array): readonly number[] =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i]!, 0));
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

test.each([1, 2, 6, 15])(
  "eigenvectors of a matrix of %i rows are orthonormal and are scaled by their values",
  (size) => {
    const matrix = positive(size);
    const { values, vectors } = symmetricEigen(matrix);
    vectors.forEach((vector, k) => {
      times(matrix, vector).forEach((value, i) => expect(value).toBeCloseTo(values[k]! * vector[i]!, 10));
      vectors.forEach((other, l) => expect(dot(vector, other)).toBeCloseTo(k === l ? 1 : 0, 12));
    });
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(
      matrix.reduce((sum, row, i) => sum + row[i]!, 0),
      9,
    );
  },
);

test("a solution solves", () => {
  const matrix = positive(8);
  const wanted = Float64Array.from({ length: 8 }, (_, i) => i - 3);
  solveLeastSquares(matrix, Float64Array.from(times(matrix, wanted))).forEach((value, i) =>
    expect(value).toBeCloseTo(wanted[i]!, 9),
  );
});
