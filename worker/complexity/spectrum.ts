/**
 * Eigenvalues and rank of a Gauss-Newton kernel, in double precision, from whichever of the two Gram matrices is smaller:
 * rows x rows (J J^T) or parameters x parameters (J^T J).
 */
import { gramEigenvalues } from "../engine/wasm/gram-eigenvalues.ts";
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
function eigenvaluesOf({ values, parameters, samples }: KernelRows, rows: number): Float64Array {
  return gramEigenvalues(values, rows, parameters).map((value) => Math.max(0, value / samples));
}
