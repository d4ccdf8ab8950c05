/**
 * Bootstrap intervals (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3: percentile intervals),
 * by keyed draws, so that the same key gives the same interval.
 */
import { fillUniform, fold, type RandomKey } from "../core/random.ts";
import { mean } from "./moments.ts";
import { quantile } from "./quantile.ts";

export interface BootstrapOptions {
  readonly key: RandomKey;
  /** Default 2000. */
  readonly resamples?: number;
  /** Coverage, default 0.95. */
  readonly level?: number;
  /** The cluster of each row, any numbers; whole clusters are drawn. Left out: each row is its own cluster. */
  readonly clusters?: ArrayLike<number>;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Resamples whose statistic was not finite; they are left out of the interval. */
  readonly undefinedResamples: number;
}

/**
 * The percentile interval of a statistic of `rows` rows; the statistic is given the numbers of the drawn rows. NaN when there
 * are fewer than two clusters, or when more than half of the resamples have no finite statistic.
 */
export function bootstrapInterval(
  rows: number,
  statistic: (drawn: Int32Array) => number,
  options: BootstrapOptions,
): Interval {
  const resamples = options.resamples ?? 2000;
  const tail = (1 - (options.level ?? 0.95)) / 2;
  const clusters = rowsByCluster(rows, options.clusters);
  const values = new Float64Array(resamples);
  const draws = new Float32Array(clusters.length);
  const key = fold(options.key, "bootstrap");
  for (let b = 0; b < resamples; b += 1) {
    fillUniform(key, { a: b, b: 0 }, draws);
    values[b] = statistic(drawnRows(clusters, draws));
  }
  const finite = values.filter(Number.isFinite);
  const undefinedResamples = resamples - finite.length;
  const usable = clusters.length >= 2 && undefinedResamples <= resamples / 2;
  const at = (p: number): number => (usable ? quantile(finite, p) : Number.NaN);
  return { low: at(tail), high: at(1 - tail), undefinedResamples };
}

/** The interval of the mean of the values. */
export function bootstrapMeanInterval(values: Float64Array, options: BootstrapOptions): Interval {
  return bootstrapInterval(values.length, (drawn) => mean(Float64Array.from(drawn, (row) => values[row]!)), options);
}

/** The rows of each cluster, clusters in the order of their first rows. */
function rowsByCluster(rows: number, clusters: ArrayLike<number> | undefined): readonly (readonly number[])[] {
  const byCluster = new Map<number, number[]>();
  for (let row = 0; row < rows; row += 1) {
    const name = clusters?.[row] ?? row;
    const members = byCluster.get(name);
    if (members === undefined) byCluster.set(name, [row]);
    else members.push(row);
  }
  return [...byCluster.values()];
}

function drawnRows(clusters: readonly (readonly number[])[], draws: Float32Array): Int32Array {
  const drawn: number[] = [];
  for (const draw of draws) drawn.push(...clusters[Math.floor(draw * clusters.length)]!);
  return Int32Array.from(drawn);
}
