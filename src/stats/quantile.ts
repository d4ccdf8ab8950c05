/** Quantiles of a sample. */

/**
 * The quantile at `p` in [0, 1] by linear interpolation of the order statistics at 1 + (n - 1) p: type 7 of Hyndman and Fan,
 * "Sample Quantiles in Statistical Packages", The American Statistician 50(4), 1996; the default of R and NumPy. NaN for no
 * values or any NaN.
 */
export function quantile(values: Float64Array, p: number): number {
  return quantileOfSorted(values.toSorted(), p);
}

/** `quantile` of values that are already in ascending order (NaN last, as Float64Array sorts). */
export function quantileOfSorted(sorted: Float64Array, p: number): number {
  const last = sorted.length - 1;
  if (last < 0 || Number.isNaN(sorted[last]) || !(p >= 0 && p <= 1)) return Number.NaN;
  const at = last * p;
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}

export function median(values: Float64Array): number {
  return quantile(values, 0.5);
}
