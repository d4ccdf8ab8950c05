/** The figures of one cell's chains: what an estimate states of x = t (L(w) - L(w0)). Pure. */
import { ess, essBulk, essTail, mcseMean } from "../../src/stats/ess.ts";
import { mean, variance } from "../../src/stats/moments.ts";
import { gewekeZ } from "../../src/stats/geweke.ts";
import { rankNormalisedSplitRHat } from "../../src/stats/r-hat.ts";
import type { ChainRecord } from "../sample/chains.ts";

export interface ChainSummary {
  readonly lambdaHat: number;
  readonly lambdaSe: number;
  readonly rHat: number;
  /** Of the mean, of the rank-normalised bulk, of the tails. */
  readonly ess: number;
  readonly essBulk: number;
  readonly essTail: number;
  /** Largest |z| over chains. */
  readonly gewekeZ: number;
  /** (mean of the second halves - mean of the first) / its standard error. */
  readonly halvesZ: number;
  readonly varOverMean: number;
  /** Mean of |w - w0|. */
  readonly displacement: number;
  readonly nonFinite: number;
}

export function summarise(record: ChainRecord): ChainSummary {
  const { x, displacement } = record;
  const all = pooled(x);
  const lambdaHat = mean(all);
  return {
    lambdaHat,
    lambdaSe: mcseMean(x),
    rHat: rankNormalisedSplitRHat(x),
    ess: ess(x),
    essBulk: essBulk(x),
    essTail: essTail(x),
    gewekeZ: gewekeZ(x),
    halvesZ: halvesZ(x),
    varOverMean: posteriorVariance(record) / lambdaHat,
    displacement: mean(pooled(displacement)),
    nonFinite: all.filter((value) => !Number.isFinite(value)).length,
  };
}

const pooled = (chains: readonly Float64Array[]): Float64Array => {
  const out = new Float64Array(chains.reduce((sum, chain) => sum + chain.length, 0));
  chains.reduce((at, chain) => {
    out.set(chain, at);
    return at + chain.length;
  }, 0);
  return out;
};

function halvesZ(x: readonly Float64Array[]): number {
  const first = x.map((chain) => chain.slice(0, Math.floor(chain.length / 2)));
  const second = x.map((chain) => chain.slice(Math.ceil(chain.length / 2)));
  return (mean(pooled(second)) - mean(pooled(first))) / Math.hypot(mcseMean(first), mcseMean(second));
}

/**
 * Variance of x over the posterior, without that of reading x on a minibatch: the covariance of the readings x1, x2 of the
 * batch's halves, whose noises are independent but for being drawn without repetition from 2M halves in all. With noise
 * variance s^2, E (x1 - x2)^2 / 2 = s^2 2M/(2M - 1) and Cov(x1, x2) = Var(x) - s^2/(2M - 1), so
 *   Var(x) = Cov(x1, x2) + E (x1 - x2)^2 / (4M).
 */
function posteriorVariance({ x, halves, pool }: ChainRecord): number {
  if (halves.length === 0) return variance(pooled(x));
  const first = pooled(halves.map(([a]) => a));
  const second = pooled(halves.map(([, b]) => b));
  const [mean1, mean2] = [mean(first), mean(second)];
  const covariance = first.reduce((sum, a, i) => sum + (a - mean1) * (second[i]! - mean2), 0) / (first.length - 1);
  const gap = first.reduce((sum, a, i) => sum + (a - second[i]!) ** 2, 0) / first.length;
  return covariance + gap / (4 * pool.batches);
}
