/** R-hat: have the chains converged to one distribution? 1 when they have; 1.01 is the limit that Vehtari et al. advise. */
import { areUsable, fold, rankNormalise, splitChains, type Chains } from "./chains.ts";
import { mean, variance } from "./moments.ts";

/**
 * Rank-normalised split R-hat (Vehtari et al. 2021, sections 4.1 and 4.2): the larger of the R-hat of the rank-normalised
 * split chains (location) and that of the rank-normalised folded split chains (spread). NaN for chains that `areUsable`
 * refuses.
 */
export function rankNormalisedSplitRHat(chains: Chains): number {
  if (!areUsable(chains)) return Number.NaN;
  const split = splitChains(chains);
  return Math.max(rHatOf(rankNormalise(split)), rHatOf(rankNormalise(fold(split))));
}

/** Split R-hat without ranks (Gelman et al., "Bayesian Data Analysis", 3rd edition, section 11.4). */
export function splitRHat(chains: Chains): number {
  return areUsable(chains) ? rHatOf(splitChains(chains)) : Number.NaN;
}

/**
 * R-hat = sqrt(var+ / W), var+ = (n - 1)/n W + B/n, for chains of n draws: W the mean of their variances, B/n the variance of
 * their means (equations 1 to 4). Infinite when each chain is constant and they differ.
 */
function rHatOf(chains: Chains): number {
  const n = chains[0]!.length;
  const within = mean(Float64Array.from(chains, variance));
  const between = variance(Float64Array.from(chains, mean));
  return Math.sqrt((n - 1) / n + between / within);
}
