/**
 * Eigenvalues and rank of a Gauss-Newton kernel, in double precision, from whichever of the two Gram matrices is smaller:
 * rows x rows (J J^T) or parameters x parameters (J^T J).
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { KernelRows } from "./kernel.ts";

export interface Spectrum {
  /** Eigenvalues of H = J^T A J / N that can be non-zero, descending, none below 0. */
  readonly eigenvalues: Float64Array;
  /** Numerical rank of the rows at hand. */
  readonly rank: number;
  /** Is it the rank of ALL rows? Then more rows would add no direction. */
  readonly rankIsWhole: boolean;
}

/**
 * An eigenvalue counts as zero below this share of the largest. Rounding of a float32 Jacobian leaves about 1e-14; a
 * direction of 1e-5 of the largest singular value still counts.
 */
const ZERO = 1e-10;

export function spectrumOf(kernel: KernelRows): Spectrum {
  const eigenvalues = eigenvaluesOf(kernel, kernel.rows);
  const rank = rankOf(eigenvalues);
  return { eigenvalues, rank, rankIsWhole: isWholeRank(kernel, rank) };
}

/**
 * All rows are here; or the parameters are exhausted; or the second half of the (randomly chosen) rows adds no direction to
 * the first. Rank below the number of rows would not be enough: equal samples repeat rows.
 */
function isWholeRank(kernel: KernelRows, rank: number): boolean {
  if (kernel.whole || rank === kernel.parameters) return true;
  const half = Math.floor(kernel.rows / 2);
  if (rank > half || half === 0) return false;
  return rankOf(eigenvaluesOf(kernel, half)) === rank;
}

function rankOf(eigenvalues: Float64Array): number {
  const limit = ZERO * (eigenvalues[0] ?? 0);
  return eigenvalues.filter((value) => value > limit).length;
}

/** Eigenvalues of the first `rows` rows, scaled as for all. */
function eigenvaluesOf(kernel: KernelRows, rows: number): Float64Array {
  const gram = rows <= kernel.parameters ? gramOfRows(kernel, rows) : gramOfColumns(kernel, rows);
  const values = new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues;
  return Float64Array.from(values, (value) => Math.max(0, value / kernel.samples)).sort((a, b) => b - a);
}

/** J J^T. */
function gramOfRows({ values, parameters }: KernelRows, rows: number): Matrix {
  const gram = Matrix.zeros(rows, rows);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      const product = dot(values, i * parameters, j * parameters, parameters);
      gram.set(i, j, product);
      gram.set(j, i, product);
    }
  }
  return gram;
}

/** J^T J. */
function gramOfColumns({ values, parameters }: KernelRows, rows: number): Matrix {
  const columns = new Float64Array(parameters * parameters);
  for (let r = 0; r < rows; r += 1) {
    for (let i = 0; i < parameters; i += 1) {
      const left = values[r * parameters + i]!;
      for (let j = 0; j <= i; j += 1) columns[i * parameters + j]! += left * values[r * parameters + j]!;
    }
  }
  const gram = Matrix.zeros(parameters, parameters);
  for (let i = 0; i < parameters; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      gram.set(i, j, columns[i * parameters + j]!);
      gram.set(j, i, columns[i * parameters + j]!);
    }
  }
  return gram;
}

/** Four sums side by side: they do not wait for each other. */
function dot(values: Float32Array, a: number, b: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = length - (length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += values[a + i]! * values[b + i]!;
    s1 += values[a + i + 1]! * values[b + i + 1]!;
    s2 += values[a + i + 2]! * values[b + i + 2]!;
    s3 += values[a + i + 3]! * values[b + i + 3]!;
  }
  for (let i = whole; i < length; i += 1) s0 += values[a + i]! * values[b + i]!;
  return s0 + s1 + (s2 + s3);
}
