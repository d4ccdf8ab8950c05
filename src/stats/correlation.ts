/** Correlation of two variables. */
import { sumOfProducts } from "./linear-fit.ts";
import { mean } from "./moments.ts";
import { averageRanks } from "./ranks.ts";

/** Pearson's r; NaN for fewer than two points, lengths that differ, a constant variable, or values that are not finite. */
export function pearson(x: Float64Array, y: Float64Array): number {
  if (x.length !== y.length || x.length < 2) return Number.NaN;
  const meanX = mean(x);
  const meanY = mean(y);
  const scale = Math.sqrt(sumOfProducts(x, meanX, x, meanX) * sumOfProducts(y, meanY, y, meanY));
  const r = sumOfProducts(x, meanX, y, meanY) / scale;
  return Number.isFinite(r) ? Math.max(-1, Math.min(1, r)) : Number.NaN;
}

/** Spearman's rank correlation: Pearson's r of the average ranks. NaN where `pearson` is, and for values that are not finite. */
export function spearman(x: Float64Array, y: Float64Array): number {
  if (!x.every(Number.isFinite) || !y.every(Number.isFinite)) return Number.NaN;
  return pearson(averageRanks(x), averageRanks(y));
}
