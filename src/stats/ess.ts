/**
 * Effective sample size: the number of independent draws that would give the same standard error as all draws of the chains.
 * Figures of chains that `areUsable` refuses are NaN.
 */
import { areUsable, pool, rankNormalise, splitChains, type Chains } from "./chains.ts";
import { mean, standardDeviation, variance } from "./moments.ts";
import { quantile } from "./quantile.ts";

/** ESS for the mean of the draws as they are, over split chains; use it for the standard error of a mean. */
export function ess(chains: Chains): number {
  return areUsable(chains) ? essOf(splitChains(chains)) : Number.NaN;
}

/** ESS of the rank-normalised split chains: sampling efficiency in the bulk (Vehtari et al. 2021, section 4.1). */
export function essBulk(chains: Chains): number {
  return areUsable(chains) ? essOf(rankNormalise(splitChains(chains))) : Number.NaN;
}

/** The smaller of the ESS of I(x <= q05) and of I(x <= q95), quantiles of all draws: efficiency in the tails (section 4.3). */
export function essTail(chains: Chains): number {
  if (!areUsable(chains)) return Number.NaN;
  return Math.min(...[0.05, 0.95].map((p) => essBelow(chains, quantile(pool(chains), p))));
}

/** Monte Carlo standard error of the mean of all draws: sd / sqrt(ESS). */
export function mcseMean(chains: Chains): number {
  return standardDeviation(pool(chains)) / Math.sqrt(ess(chains));
}

/** ESS of the indicator I(x <= limit). */
function essBelow(chains: Chains, limit: number): number {
  return ess(chains.map((chain) => chain.map((x) => (x <= limit ? 1 : 0))));
}

/**
 * S / tau for m chains of n draws, S = m n. tau = -1 + 2 sum_k P_k + rho_even over pairs P_k = rho_2k + rho_2k+1 of the
 * autocorrelation. Geyer's initial positive sequence (Statistical Science 7(4), 1992) ends before the first pair that is not
 * positive, or before the last pair that the lags allow; the initial monotone sequence cuts each pair down to the one before
 * it. rho_even is the even term of the pair that ended the sequence, where positive: it lowers the variance for antithetic
 * chains (Vehtari et al. 2021, section 3.2). tau is at least 1 / log10(S), the bound of Stan and ArviZ.
 */
function essOf(chains: Chains): number {
  const n = chains[0]!.length;
  const total = chains.length * n;
  const rho = autocorrelation(chains);
  let lag = 0;
  let sum = 0;
  for (let bound = Number.POSITIVE_INFINITY; lag < n - 4; lag += 2) {
    const pair = rho(lag) + rho(lag + 1);
    if (pair <= 0) break;
    bound = Math.min(bound, pair);
    sum += bound;
  }
  const tau = -1 + 2 * sum + Math.max(0, rho(lag));
  return total / Math.max(tau, 1 / Math.log10(total));
}

/**
 * The autocorrelation of all chains at a lag t (equation 10): rho_t = 1 - (W - c_t) / var+, with c_t the mean over chains of
 * their autocovariances (divisor n), W = c_0 n / (n - 1) and var+ = c_0 + the variance of the chains' means. Lags are computed
 * when they are asked for, because the sequence ends after a few autocorrelation times.
 */
function autocorrelation(chains: Chains): (lag: number) => number {
  const n = chains[0]!.length;
  const centred = chains.map((chain) => {
    const centre = mean(chain);
    return chain.map((x) => x - centre);
  });
  const covariance = (lag: number): number => mean(Float64Array.from(centred, (chain) => dotAtLag(chain, lag) / n));
  const spread = covariance(0);
  const within = (spread * n) / (n - 1);
  const total = spread + (chains.length > 1 ? variance(Float64Array.from(chains, mean)) : 0);
  return (lag) => (lag === 0 ? 1 : 1 - (within - covariance(lag)) / total);
}

function dotAtLag(x: Float64Array, lag: number): number {
  let sum = 0;
  for (let i = lag; i < x.length; i += 1) sum += x[i]! * x[i - lag]!;
  return sum;
}
