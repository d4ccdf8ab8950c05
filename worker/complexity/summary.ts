/** The figures of one posterior's chains: what an estimate states of x = t (L(w) - L(w0)). Pure. */
import { pool } from "../../src/stats/chains.ts";
import { ess, essBulk, essTail, mcseMean } from "../../src/stats/ess.ts";
import { mean, variance } from "../../src/stats/moments.ts";
import { gewekeZ } from "../../src/stats/geweke.ts";
import { rankNormalisedSplitRHat } from "../../src/stats/r-hat.ts";
import type { ChainRecord } from "../sample/posterior.ts";

export interface ChainSummary {
  readonly lambdaHat: number;
  readonly lambdaSe: number;
  readonly e2: number;
  readonly e3: number;
  readonly rHat: number;
  /** Independent draws of x whose mean would have the standard error lambdaSe. */
  readonly essMean: number;
  /** Of the rank-normalised bulk, of the tails. */
  readonly essBulk: number;
  readonly essTail: number;
  /** Largest |z| over chains. */
  readonly gewekeZ: number;
  /** (mean of the second halves - mean of the first) / its standard error. */
  readonly halvesZ: number;
  readonly varOverMean: number;
  /** Mean of (w - w0) . grad U / d; NaN where it was not read. */
  readonly virial: number;
  /** Mean of |w - w0|. */
  readonly displacement: number;
  /** -d ln lambda / d ln gamma = gamma Cov(x, |w - w0|^2 / 2) / lambda, for dE[x]/dgamma = -Cov(x, |w - w0|^2 / 2). */
  readonly gammaSlope: number;
  /** (mean of the whole steps - mean of the half steps) / lambdaHat, and that difference in standard errors; NaN without. */
  readonly stepBias: number;
  readonly stepBiasZ: number;
  /** Smallest x on a fixed set of rows: below 0 a lower loss than w0's was seen. NaN on minibatches. */
  readonly lowest: number;
  readonly nonFinite: number;
  readonly draws: number;
}

export function summarise(record: ChainRecord, dimension: number, gamma: number): ChainSummary {
  const { x, displacement, virial } = record;
  const all = pool(x);
  const lambdaHat = mean(pool(record.mean));
  const lambdaSe = mcseMean(record.mean);
  const e2 = posteriorVariance(record);
  const pairs = record.coarse.map((whole, chain) => whole.map((value, i) => value - x[chain]![i]!));
  const bias = pairs.length === 0 ? Number.NaN : mean(pool(pairs));
  return {
    lambdaHat,
    lambdaSe,
    e2,
    e3: twoTemperatures(all),
    rHat: rankNormalisedSplitRHat(x),
    essMean: lambdaSe > 0 ? Math.max(0, e2) / lambdaSe ** 2 : ess(x),
    essBulk: essBulk(x),
    essTail: essTail(x),
    gewekeZ: gewekeZ(x),
    halvesZ: halvesZ(record.mean),
    varOverMean: e2 / lambdaHat,
    virial: virial.length === 0 ? Number.NaN : mean(pool(virial)) / dimension,
    displacement: mean(pool(displacement)),
    gammaSlope: (gamma * covariance(all, pool(displacement).map((d) => d ** 2 / 2))) / lambdaHat, // prettier-ignore
    stepBias: bias / lambdaHat,
    stepBiasZ: pairs.length === 0 ? Number.NaN : bias / mcseMean(pairs),
    lowest: record.batches === 1 ? all.reduce((least, value) => Math.min(least, value), Infinity) : Number.NaN,
    nonFinite: record.nonFinite,
    draws: x[0]?.length ?? 0,
  };
}

function halvesZ(x: readonly Float64Array[]): number {
  const first = x.map((chain) => chain.slice(0, Math.floor(chain.length / 2)));
  const second = x.map((chain) => chain.slice(Math.ceil(chain.length / 2)));
  return (mean(pool(second)) - mean(pool(first))) / Math.hypot(mcseMean(first), mcseMean(second));
}

/** How far apart the temperatures of E3 are, in standard deviations of x: the weights stay even. */
const TEMPERATURE_STEP = 0.5;

/**
 * E3 = (E_1[L] - E_2[L]) / (1/t_1 - 1/t_2), the slope of the mean loss in temperature (Watanabe 2013), with t_2 = c t_1 by
 * reweighting the draws of t_1 with exp(-(c - 1) x). In units of x it is (E_1[x] - E_2[x]) / (1 - 1/c).
 */
function twoTemperatures(x: Float64Array): number {
  const spread = Math.sqrt(variance(x));
  const c = 1 + TEMPERATURE_STEP / spread;
  const centre = mean(x);
  const weights = x.map((value) => Math.exp(-(c - 1) * (value - centre)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const reweighted = x.reduce((sum, value, i) => sum + value * weights[i]!, 0) / total;
  return (centre - reweighted) / (1 - 1 / c);
}

/** About their means, or about the same centre. */
function covariance(a: Float64Array, b: Float64Array, centre?: number): number {
  const [meanA, meanB] = [centre ?? mean(a), centre ?? mean(b)];
  return a.reduce((sum, value, i) => sum + (value - meanA) * (b[i]! - meanB), 0) / (a.length - 1);
}

/**
 * Variance of x over the posterior, without that of reading x on a minibatch: the covariance of the readings x1, x2 of the
 * batch's halves, whose noises are independent but for being drawn without repetition from 2M halves in all. With noise
 * variance s^2, E (x1 - x2)^2 / 2 = s^2 2M/(2M - 1) and Cov(x1, x2) = Var(x) - s^2/(2M - 1), so
 *   Var(x) = Cov(x1, x2) + E (x1 - x2)^2 / (4M),
 * the covariance about the mean of all: about the means of first and of second halves it would lack what their noises, drawn
 * once, have in common with them.
 */
function posteriorVariance({ x, halves, batches }: ChainRecord): number {
  const all = pool(x);
  if (halves.length === 0) return variance(all);
  const first = pool(halves.map(([a]) => a));
  const second = pool(halves.map(([, b]) => b));
  const gap = first.reduce((sum, a, i) => sum + (a - second[i]!) ** 2, 0) / first.length;
  return covariance(first, second, mean(all)) + gap / (4 * batches);
}
