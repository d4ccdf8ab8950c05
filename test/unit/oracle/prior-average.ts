/** t E_t[K] by importance sampling from the prior N(0, 1/gamma): an estimate that shares nothing with the quadratures. */
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import { mean, variance } from "../../../src/stats/moments.ts";

export interface Average {
  readonly mean: number;
  readonly standardError: number;
}

/** Mean of t K exp(-t K) over that of exp(-t K), with the delta method's standard error. */
export function priorAverage(
  potential: (w: Float64Array) => number,
  dimensions: number,
  t: number,
  gamma: number,
  draws: number,
): Average {
  const normals = new Float32Array(draws * dimensions);
  fillNormal(fold(rootKey("prior average"), "draws"), { a: 0, b: 0 }, normals);
  const scaled = Float64Array.from(normals, (x) => x / Math.sqrt(gamma));
  const values = Float64Array.from(
    { length: draws },
    (_, i) => t * potential(scaled.subarray(i * dimensions, (i + 1) * dimensions)),
  );
  const weights = values.map((value) => Math.exp(-value));
  return ratioOfMeans(
    values.map((value, i) => value * weights[i]!),
    weights,
  );
}

export function ratioOfMeans(over: Float64Array, under: Float64Array): Average {
  const ratio = mean(over) / mean(under);
  const residuals = over.map((value, i) => value - ratio * under[i]!);
  return { mean: ratio, standardError: Math.sqrt(variance(residuals) / over.length) / mean(under) };
}

/** Distance from a value in standard errors. */
export function standardErrors(average: Average, truth: number): number {
  return Math.abs(average.mean - truth) / average.standardError;
}
