/** Moments of a sample, in float64. Undefined figures (too few values, any value not finite) are NaN. */

/** Arithmetic mean; NaN for no values. */
export function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return finiteOrNaN(sum / values.length);
}

/** Unbiased variance, sum (x - mean)^2 / (n - 1), in two passes; NaN for fewer than two values. */
export function variance(values: Float64Array): number {
  if (values.length < 2) return Number.NaN;
  const centre = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - centre) ** 2;
  return finiteOrNaN(sum / (values.length - 1));
}

export function standardDeviation(values: Float64Array): number {
  return Math.sqrt(variance(values));
}

/** Standard error of the mean of INDEPENDENT values: sd / sqrt(n). For draws of chains use `mcseMean`. */
export function standardError(values: Float64Array): number {
  return Math.sqrt(variance(values) / values.length);
}

const finiteOrNaN = (value: number): number => (Number.isFinite(value) ? value : Number.NaN);
