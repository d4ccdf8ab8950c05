/**
 * Chains: draws of several runs of one sampler, one Float64Array each, all of one length. What is common to R-hat and
 * effective sample sizes: which chains can be judged, splitting, rank normalisation.
 *
 * Source: Vehtari, Gelman, Simpson, Carpenter, Buerkner, "Rank-Normalization, Folding, and Localization: An Improved R-hat
 * for Assessing Convergence of MCMC", Bayesian Analysis 16(2), 2021, arXiv 1903.08008.
 */
import { normalQuantile } from "./normal.ts";
import { median } from "./quantile.ts";
import { averageRanks } from "./ranks.ts";

export type Chains = readonly Float64Array[];

/** Draws of a chain, at the least: half a chain has a variance. */
const MIN_DRAWS = 4;

/**
 * Can figures be computed? There is a chain, all are of one length of 4 draws or more, every draw is finite, and they are
 * not all equal. Figures of other chains are NaN.
 */
export function areUsable(chains: Chains): boolean {
  const first = chains[0]?.[0];
  if (first === undefined) return false;
  const draws = chains[0]!.length;
  if (draws < MIN_DRAWS || chains.some((chain) => chain.length !== draws)) return false;
  return (
    chains.every((chain) => chain.every(Number.isFinite)) && chains.some((chain) => chain.some((x) => x !== first))
  );
}

/** Each chain cut into its first and last half; an odd chain loses its middle draw. */
export function splitChains(chains: Chains): Chains {
  return chains.flatMap((chain) => {
    const half = Math.floor(chain.length / 2);
    return [chain.subarray(0, half), chain.subarray(chain.length - half)];
  });
}

/** Every draw x as z = Phi^-1((rank of x among all draws - 3/8) / (S + 1/4)), S the number of draws; section 4.1. */
export function rankNormalise(chains: Chains): Chains {
  const pooled = pool(chains);
  const z = averageRanks(pooled).map((rank) => normalQuantile((rank - 0.375) / (pooled.length + 0.25)));
  return unpool(z, chains);
}

/** Every draw as its distance |x - median| from the median of all draws; section 4.2. */
export function fold(chains: Chains): Chains {
  const centre = median(pool(chains));
  return chains.map((chain) => chain.map((x) => Math.abs(x - centre)));
}

/** All draws, chain after chain. */
export function pool(chains: Chains): Float64Array {
  const pooled = new Float64Array(chains.reduce((total, chain) => total + chain.length, 0));
  let at = 0;
  for (const chain of chains) {
    pooled.set(chain, at);
    at += chain.length;
  }
  return pooled;
}

function unpool(pooled: Float64Array, like: Chains): Chains {
  let at = 0;
  return like.map((chain) => pooled.subarray(at, (at += chain.length)));
}
