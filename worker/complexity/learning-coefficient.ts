/** What an estimate of a user's own model says: every figure of an estimate, named, and the draws behind it. */
import type { CurvePointResult, Estimate } from "../../src/result/cell-result.ts";

/**
 * A local learning coefficient with its standard error, diagnostics and verdict.
 *
 * Units: x = t (L(w) - L(w0)), lambda-hat and its kin are pure numbers; losses are nats a sample. A figure is null where there is
 * none, or where it is not finite; `verdict` and `verdictReason` then say why.
 */
export interface LearningCoefficient extends Estimate {
  /** E1, the local learning coefficient: the mean of x over all draws of all chains. Read it with `verdict`. */
  readonly lambdaHat: number | null;
  /** Standard error of lambdaHat by the chains' autocorrelation. */
  readonly lambdaSe: number | null;
  /**
   * `ok`, or what speaks against it: `unconverged` (more budget, larger gamma), `biased` (x is not distributed as at a minimum),
   * `not-a-minimum` (train longer), `over-ceiling`, `diverged`.
   */
  readonly verdict: Estimate["verdict"];
  /** The numbers behind the verdict, a sentence. */
  readonly verdictReason: string;
  /** x of every draw, one array a chain. */
  readonly x: readonly Float64Array[];

  /** E2: t^2 var(L), which needs no minimum at w0. */
  readonly e2: number | null;
  /** E3: slope of the mean loss in temperature, (E_1[L] - E_2[L]) / (1/t_1 - 1/t_2). */
  readonly e3: number | null;
  /** Further estimates, in the order of `curve.nBeta`, then `curve.gamma`. */
  readonly curve: readonly CurvePointResult[];
  /** m by E4: t E_t[L - L0] = lambda - (m - 1)/ln t over the temperatures of the curve. */
  readonly multiplicity: number | null;
  readonly multiplicitySe: number | null;
  /** lambda by the same fit. */
  readonly lambdaE4: number | null;

  /** Rank-normalised split R-hat of x: 1 when the chains agree (Vehtari et al. 2021). */
  readonly rHat: number | null;
  /** Effective sample size of the bulk of x, and of its tails (Vehtari et al. 2021). */
  readonly essBulk: number | null;
  readonly essTail: number | null;
  /** Independent draws of x whose mean would have the standard error lambdaSe. */
  readonly essMean: number | null;
  /** Largest |z| over chains, the first 10 % of the draws against the last half (Geweke 1992). */
  readonly gewekeZ: number | null;
  /** Second halves of the chains against the first, in standard errors. */
  readonly halvesZ: number | null;
  /** var(x) / mean(x): 1 where x is Gamma(lambda, 1), as at a regular minimum that the pull does not hold. */
  readonly varOverMean: number | null;
  /** Mean of (w - w0) . grad U / d: 1 when every direction has been explored. Tier A. */
  readonly virial: number | null;
  /** Mean acceptance probability: of proposals (A), or of hypothetical ones (B). */
  readonly acceptance: number | null;
  /** Root mean square of the energy error of a proposal. Tier A. */
  readonly energyError: number | null;
  /** Proposals that were refused. */
  readonly rejected: number;
  /** (mean at whole steps - mean at half steps) / lambdaHat. Tier B. */
  readonly stepBias: number | null;
  /** -d ln lambdaHat / d ln gamma: 0 where the pull does not matter. */
  readonly gammaSlope: number | null;
  /** Draws or proposals that were not finite. */
  readonly nonFinite: number;

  /** The same of the quadratic approximation at w0, 1/2 sum_i t s_i / (t s_i + gamma), s_i eigenvalues of the Hessian. */
  readonly quad: number | null;
  /** `lanczos`: by Hessian-vector products. */
  readonly quadBy: string;
  /** d/2: no estimate of a minimum is above it. */
  readonly ceiling: number | null;
  /** Largest curvature s_max of L at w0. */
  readonly kernelTop: number | null;
  /** t (L(w0) - L) at the minimum of the quadratic approximation: 0 at a minimum. */
  readonly descent: number | null;
  /** Mean |w - w0| over draws. */
  readonly displacement: number | null;
  /** |w0 - your weights|: above 0 where w0 was brought to the minimum beside them. */
  readonly anchorMoved: number | null;
  /** L(your weights) - L(w0), on the rows of the estimate. */
  readonly anchorGain: number | null;
  /** Mean loss at your weights over all samples, nats. */
  readonly baseLoss: number | null;

  /** What was estimated: `loss`. */
  readonly estimand: string;
  /** `hmc` (tier A) or `langevin` (tier B). */
  readonly sampler: string;
  /** d: numbers in all weights together. */
  readonly parameters: number;
  /** n: samples. */
  readonly n: number;
  /** t = n beta. */
  readonly nBeta: number | null;
  readonly gamma: number | null;
  readonly chains: number;
  /** Draws of each chain. */
  readonly draws: number;
  /** Steps (B) or proposals (A) before the first draw. */
  readonly burnIn: number;
  /** Step size epsilon after warm-up. */
  readonly stepSize: number | null;
  /** Samples of a gradient: the fixed subset, or a minibatch. */
  readonly batch: number;
  /** Gradients of so many samples spent, all chains. */
  readonly gradients: number;
}
