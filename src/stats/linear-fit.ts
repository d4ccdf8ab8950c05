/** Simple linear regression by ordinary least squares. */
import { mean } from "./moments.ts";

export interface LinearFit {
  readonly slope: number;
  readonly intercept: number;
  /** Standard error of the slope: sqrt(RSS / (n - 2) / sum (x - mean x)^2); NaN for two points. */
  readonly slopeSe: number;
  /** 1 - RSS / TSS; NaN when y is constant. */
  readonly rSquared: number;
  readonly points: number;
}

/** Fits y = intercept + slope x. Every figure is NaN for fewer than two points, a constant x, or values that are not finite. */
export function linearFit(x: Float64Array, y: Float64Array): LinearFit {
  const points = x.length;
  const meanX = mean(x);
  const meanY = mean(y);
  const xx = sumOfProducts(x, meanX, x, meanX);
  const yy = sumOfProducts(y, meanY, y, meanY);
  const nan = Number.NaN;
  if (points !== y.length || points < 2 || !(xx > 0) || !Number.isFinite(yy)) {
    return { slope: nan, intercept: nan, slopeSe: nan, rSquared: nan, points };
  }
  const slope = sumOfProducts(x, meanX, y, meanY) / xx;
  const intercept = meanY - slope * meanX;
  const residual = y.reduce((sum, value, i) => sum + (value - intercept - slope * x[i]!) ** 2, 0);
  return {
    slope,
    intercept,
    slopeSe: points > 2 ? Math.sqrt(residual / (points - 2) / xx) : nan,
    rSquared: yy > 0 ? 1 - residual / yy : nan,
    points,
  };
}

/** sum_i (a_i - meanA) (b_i - meanB) */
export function sumOfProducts(a: Float64Array, meanA: number, b: Float64Array, meanB: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i]! - meanA) * (b[i]! - meanB);
  return sum;
}
