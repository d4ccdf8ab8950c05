/**
 * Geweke's diagnostic: is a chain's mean the same at its start as at its end? (Geweke, "Evaluating the Accuracy of
 * Sampling-Based Approaches to the Calculation of Posterior Moments", Bayesian Statistics 4, 1992.)
 */
import { fitAutoregression, spectrumAtZero } from "./autoregression.ts";
import type { Chains } from "./chains.ts";
import { mean } from "./moments.ts";

/** The shares of the draws that are compared. */
const FIRST_SHARE = 0.1;
const LAST_SHARE = 0.5;
/** Draws of the first segment, at the least: an autoregression needs some to be fitted to. */
const MIN_SEGMENT = 4;

/** The largest |z| over the chains; NaN when that of any chain is. */
export function gewekeZ(chains: Chains): number {
  return chains.length === 0 ? Number.NaN : Math.max(...chains.map((chain) => Math.abs(gewekeZOfChain(chain))));
}

/**
 * z = (mean_A - mean_B) / sqrt(S_A(0) / n_A + S_B(0) / n_B), A the first 10 % of the draws and B the last 50 %; S(0), the
 * spectral density at frequency zero, is that of the autoregression fitted to the segment, as in R's coda. About N(0, 1) when
 * the chain is stationary. NaN for fewer than 40 draws, draws that are not finite, or two constant segments.
 */
export function gewekeZOfChain(chain: Float64Array): number {
  const first = chain.subarray(0, Math.floor(FIRST_SHARE * chain.length));
  const last = chain.subarray(chain.length - Math.floor(LAST_SHARE * chain.length));
  if (first.length < MIN_SEGMENT || !chain.every(Number.isFinite)) return Number.NaN;
  const varianceOfMean = (part: Float64Array): number => spectrumAtZero(fitAutoregression(part)) / part.length;
  const z = (mean(first) - mean(last)) / Math.sqrt(varianceOfMean(first) + varianceOfMean(last));
  return Number.isFinite(z) ? z : Number.NaN;
}
