/**
 * The health of an estimate: one verdict, with every number that it rests on. Pure. The first that applies, in this order:
 *
 *   diverged       a draw, or more than half of the proposals, was not finite; or x is beyond 50 times its ceiling d/2
 *   over-ceiling   lambda-hat is above min(d, rank J)/2 by more than 3 SE (a regular model sits at it)
 *   biased         where the pull holds what is measured
 *   not-a-minimum  lambda-hat is below 0; or a loss below w0's was seen by more than a tenth of lambda-hat; or the quadratic
 *                  approximation promises one lower by more than a quarter of it
 *   unconverged    R-hat above its limit, or ESS below max(100, 1/(lambda tol^2)), or the halves differ by more than 2 SE
 *   biased         var(x)/mean(x) outside of [0.8, 1.25] and of what chance and the prior's share explain; virial above 1.02;
 *                  whole and half steps differ
 *   ok
 *
 * Limits that are statistics themselves:
 *  - R-hat of chains that HAVE converged is above 1 by chance. For m split chains with effective size ESS/m each,
 *    R-hat^2 - 1 ~ (m/ESS) chi2_(m-1)/(m-1) (from var+ / W = 1 + Var(chain means)/W). The limit is 1.01 (Vehtari et al. 2021),
 *    or the 99 % point of that where it is higher. A slow or stuck chain lowers ESS itself, and fails by it.
 *  - var/mean of S effective draws of Gamma(lambda, 1) has the relative standard error sqrt((2 + 6/lambda)/S); 2 of them are
 *    granted. Directions that the prior holds lower it: the lower limit follows the closed form sum a_i^2 / sum a_i.
 *  - a_i = t s_i / (t s_i + gamma) is what the landscape has of direction i, the pull has the rest. Where their mean
 *    sum a_i^2 / sum a_i is below 0.2, lambda-hat falls nearly as 1/gamma: the pull is what is measured.
 */
import type { Verdict } from "../../src/result/cell-result.ts";

export interface VerdictInputs {
  readonly lambdaHat: number;
  readonly lambdaSe: number;
  readonly rHat: number;
  /** Effective draws, of the mean of x. */
  readonly ess: number;
  /** Of the draws themselves. */
  readonly essBulk: number;
  readonly chains: number;
  /** Relative standard error that is asked for. */
  readonly tolerance: number;
  /** (mean of the second halves - mean of the first) / its standard error. */
  readonly halvesZ: number;
  readonly varOverMean: number;
  /** What the closed form expects of it. */
  readonly varOverMeanExpected: number;
  readonly ceiling: number;
  /** d */
  readonly dimension: number;
  /** Proposals or draws that were not finite, and how many there were. */
  readonly nonFinite: number;
  readonly proposals: number;
  /** A proposal that is not finite was refused: the draws themselves are sound. */
  readonly refuses: boolean;
  /** Smallest x on a fixed set; NaN where x is noisy. */
  readonly lowest: number;
  /** By how much x falls to the minimum of the quadratic approximation. */
  readonly descent: number;
  /** NaN where they are not read. */
  readonly virial: number;
  readonly virialSe: number;
  readonly stepBias: number;
  readonly stepBiasZ: number;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly reason: string;
}

const R_HAT_LIMIT = 1.01;
const LEAST_ESS = 100;
const STANDARD_ERRORS = 2;
const CEILING_STANDARD_ERRORS = 3;
const LEAST_VAR_OVER_MEAN = 0.8;
const MOST_VAR_OVER_MEAN = 1.25;
/** x beyond so many times d/2 has left every minimum. */
const RUNAWAY = 50;
/** Shares of lambda-hat by which w0 may be above a lower point: one that was seen, one that is promised. */
const MOST_SEEN_BELOW = 0.1;
const MOST_PROMISED_BELOW = 0.25;
const MOST_VIRIAL = 1.02;
/** Below, chains have not been everywhere that the pull lets them: no doubt of what they saw, and said. */
const FILLED_VIRIAL = 0.9;
/** Whole steps against half steps: as a share, and in standard errors. */
const MOST_STEP_BIAS = 0.1;
const STEP_BIAS_STANDARD_ERRORS = 3;
const LEAST_SHARE_OF_LANDSCAPE = 0.2;

export function judge(inputs: VerdictInputs): Judgement {
  const { lambdaHat, lambdaSe, ceiling } = inputs;
  const estimate = `lambda-hat ${text(lambdaHat)} +- ${text(lambdaSe)}`;
  const diverged = divergence(inputs);
  if (diverged !== undefined) return { verdict: "diverged", reason: diverged };
  if (lambdaHat > ceiling + CEILING_STANDARD_ERRORS * lambdaSe) {
    return { verdict: "over-ceiling", reason: `${estimate} is above the ceiling ${text(ceiling)}` };
  }
  const pull = pullDoubt(inputs);
  if (pull !== undefined) return { verdict: "biased", reason: pull };
  const lower = lowerDoubt(inputs, estimate);
  if (lower !== undefined) return { verdict: "not-a-minimum", reason: lower };
  const doubts = convergenceDoubts(inputs);
  if (doubts.length > 0) return { verdict: "unconverged", reason: doubts.join("; ") };
  const biases = biasDoubts(inputs);
  if (biases.length > 0) return { verdict: "biased", reason: biases.join("; ") };
  return { verdict: "ok", reason: convergenceText(inputs) };
}

function divergence({ lambdaHat, nonFinite, proposals, refuses, dimension }: VerdictInputs): string | undefined {
  if (!refuses && nonFinite > 0) return `${nonFinite} draws were not finite`;
  if (2 * nonFinite > proposals) return `${nonFinite} of ${proposals} proposals were not finite`;
  if (!Number.isFinite(lambdaHat)) return "no draw is finite";
  const most = (RUNAWAY * dimension) / 2;
  return lambdaHat > most
    ? `lambda-hat ${text(lambdaHat)} is beyond ${text(most)}: the chains have run away`
    : undefined;
}

function lowerDoubt({ lambdaHat, lowest, descent }: VerdictInputs, estimate: string): string | undefined {
  if (lambdaHat < 0) return `${estimate} is below 0: the chains found lower losses than that of w0`;
  if (lowest < -MOST_SEEN_BELOW * lambdaHat) {
    return `the chains saw a loss below that of w0, by ${text(-lowest)} in units of lambda-hat ${text(lambdaHat)}`;
  }
  if (descent > MOST_PROMISED_BELOW * lambdaHat) {
    return `the gradient at w0 promises a loss lower by ${text(descent)} in units of lambda-hat ${text(lambdaHat)}: train longer, or refine`;
  }
  return undefined;
}

/** The limit of R-hat at this many effective draws. */
export function rHatLimit(ess: number, chains: number): number {
  const splits = 2 * chains;
  return Math.max(R_HAT_LIMIT, Math.sqrt(1 + (splits / ess) * chiSquareShare99(splits - 1)));
}

/** Effective draws that an estimate needs: at least 100, and a relative standard error of `tolerance` where var(x) = lambda. */
export function leastEss(lambdaHat: number, tolerance: number): number {
  return Math.max(LEAST_ESS, 1 / (lambdaHat * tolerance ** 2));
}

type ConvergenceInputs = Pick<VerdictInputs, "rHat" | "ess" | "chains" | "halvesZ" | "lambdaHat" | "tolerance">;

/** What speaks against convergence: nothing where the chains may end. */
export function convergenceDoubts(inputs: ConvergenceInputs): readonly string[] {
  const { rHat, ess, chains, halvesZ, lambdaHat, tolerance } = inputs;
  const doubts: string[] = [];
  const limit = rHatLimit(ess, chains);
  const needed = leastEss(lambdaHat, tolerance);
  // Negated, so that NaN is a doubt too.
  if (!(rHat <= limit)) doubts.push(`R-hat ${text(rHat)} is above ${text(limit)}`);
  if (!(ess >= needed)) doubts.push(`ESS ${text(ess)} is below ${text(needed)}`);
  if (!(Math.abs(halvesZ) <= STANDARD_ERRORS)) {
    doubts.push(`the second halves of the chains differ from the first by ${text(halvesZ)} standard errors`);
  }
  return doubts;
}

function convergenceText({ rHat, ess, chains, halvesZ, varOverMean, virial, virialSe }: VerdictInputs): string {
  const figures =
    `R-hat ${text(rHat)} (limit ${text(rHatLimit(ess, chains))}), ESS ${text(ess)}, ` +
    `halves differ by ${text(halvesZ)} standard errors, var/mean ${text(varOverMean)}`;
  if (!(virial + STANDARD_ERRORS * virialSe < FILLED_VIRIAL)) return figures;
  return `${figures}; the chains fill ${text(virial)} of the room that gamma leaves (virial): of what lies beyond this says nothing`;
}

/** Where the pull is what is measured, nothing else that is read says much. */
function pullDoubt({ varOverMeanExpected }: VerdictInputs): string | undefined {
  if (varOverMeanExpected >= LEAST_SHARE_OF_LANDSCAPE) return undefined;
  const share = text(varOverMeanExpected);
  return `the pull gamma holds what is measured, the landscape's share is ${share}: take a smaller gamma or a larger t`;
}

function biasDoubts(inputs: VerdictInputs): readonly string[] {
  const { virial, virialSe, stepBias, stepBiasZ } = inputs;
  const doubts: string[] = [];
  const spread = spreadDoubt(inputs);
  if (spread !== undefined) doubts.push(spread);
  if (virial - STANDARD_ERRORS * virialSe > MOST_VIRIAL) {
    doubts.push(`the virial ${text(virial)} is above ${MOST_VIRIAL}: the chains are hotter than the posterior`);
  }
  if (Math.abs(stepBias) > MOST_STEP_BIAS && Math.abs(stepBiasZ) > STEP_BIAS_STANDARD_ERRORS) {
    doubts.push(`whole and half steps differ by ${text(stepBias)} of lambda-hat (${text(stepBiasZ)} standard errors)`);
  }
  return doubts;
}

function spreadDoubt({ varOverMean, varOverMeanExpected, lambdaHat, essBulk }: VerdictInputs): string | undefined {
  const chance = STANDARD_ERRORS * Math.sqrt((2 + 6 / lambdaHat) / essBulk);
  const least = Math.min(1, varOverMeanExpected) * Math.min(LEAST_VAR_OVER_MEAN, 1 - chance);
  const most = Math.max(MOST_VAR_OVER_MEAN, 1 + chance);
  if (varOverMean >= least && varOverMean <= most) return undefined;
  const closed = `${text(varOverMeanExpected)} by the closed form`;
  return `var/mean ${text(varOverMean)} is outside of ${text(least)} to ${text(most)} (${closed})`;
}

/** The 99 % point of chi2_k / k, by Wilson and Hilferty's cube (1931); within 1 % for k >= 3. */
function chiSquareShare99(k: number): number {
  const spread = 2 / (9 * k);
  return (1 - spread + 2.3263 * Math.sqrt(spread)) ** 3;
}

const text = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value));
