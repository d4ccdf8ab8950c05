/**
 * What chains sample: p(w) ~ exp(-U), U(w) = t L(w) + (gamma/2) |w - w0|^2, the posterior of one cell at inverse temperature
 * t = n beta, localised at w0 (Lau, Furman, Wang, Murfet, Wei, "The Local Learning Coefficient", arXiv 2308.12108), and what
 * chains of it record.
 */
import type { RandomKey } from "../../src/core/random.ts";

export interface Posterior {
  /** Cell of the surface. */
  readonly cell: number;
  /** The root of its chains' chance. */
  readonly key: RandomKey;
  /** w0: one array a free parameter. */
  readonly anchor: readonly Float32Array[];
  readonly t: number;
  readonly gamma: number;
  /** Step size: of every step, or the first of an adapted one. */
  readonly epsilon: number;
}

/** What the chains of one posterior recorded: arrays by chain, one number a draw. */
export interface ChainRecord {
  /** x = t (L(w) - L(w0)), read row by row before any mean. */
  readonly x: readonly Float64Array[];
  /** What lambda-hat is the mean of: x, or something of the same expectation that varies less. */
  readonly mean: readonly Float64Array[];
  /** x of chains of twice the step beside these, with common noise. Empty where there are none. */
  readonly coarse: readonly Float64Array[];
  /** x read on the halves of a minibatch: two readings with independent noise. Empty where x is read on a fixed set. */
  readonly halves: readonly (readonly [Float64Array, Float64Array])[];
  /** |w - w0| */
  readonly displacement: readonly Float64Array[];
  /** (w - w0) . grad U(w), whose mean is d where chains sample U. Empty where it is not read. */
  readonly virial: readonly Float64Array[];
  /** Mean acceptance probability of the proposals after warm-up; of hypothetical ones where chains accept everything. */
  readonly acceptance: number | null;
  /** Root mean square of the energy errors of proposals after warm-up, accepted or not, that are finite; null where none is. */
  readonly energyError: number | null;
  /** Proposals after warm-up that were refused. */
  readonly rejected: number;
  /** Proposals after warm-up, or draws, that were not finite: a warm-up tries steps that are far too large. */
  readonly nonFinite: number;
  /** Step size after warm-up. */
  readonly epsilon: number;
  /** Steps or transitions before the first draw. */
  readonly warmUp: number;
  /** The weights of the lowest loss seen, where one was below that of w0. */
  readonly best: readonly Float32Array[] | undefined;
  /** Gradients of a batch that all chains of the posterior took. */
  readonly gradients: number;
  /** Rows of a batch. */
  readonly batchRows: number;
  /** Batches that the pool has; 1: every gradient is over the same fixed rows. */
  readonly batches: number;
}

/** Standard deviation of a chain's start about w0, in every coordinate. */
export const START_SD = 1e-3;

/** One chain of one posterior. */
export interface Lane {
  /** Index of the posterior. */
  readonly posterior: number;
  readonly chain: number;
}

/** Chains side by side, posterior by posterior. */
export function lanesOf(posteriors: readonly number[], chains: number): readonly Lane[] {
  return posteriors.flatMap((posterior) => Array.from({ length: chains }, (_, chain) => ({ posterior, chain })));
}
