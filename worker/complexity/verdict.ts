/**
 * The health of an estimate: one verdict, with every number that it rests on. Pure. The first that applies, in this order:
 *
 *   diverged       a draw was not finite
 *   over-ceiling   lambda-hat is above min(P, rank J)/2 by more than 3 SE (a regular model sits at it)
 *   not-a-minimum  lambda-hat is below 0: the chains found lower losses than w0's
 *   unconverged    R-hat above its limit, or ESS below max(100, 1/(lambda 0.1^2)), or the halves differ by more than 2 SE
 *   biased         var(x)/mean(x) outside of [0.8, 1.25] and of what chance and the prior's share explain
 *   ok
 *
 * Limits that are statistics themselves:
 *  - R-hat of chains that HAVE converged is above 1 by chance. For m split chains with effective size ESS/m each,
 *    R-hat^2 - 1 ~ (m/ESS) chi2_(m-1)/(m-1) (from var+ / W = 1 + Var(chain means)/W). The limit is 1.01 (Vehtari et al. 2021),
 *    or the 99 % point of that where it is higher. A slow or stuck chain lowers ESS itself, and fails by it.
 *  - var/mean of S effective draws of Gamma(lambda, 1) has the relative standard error sqrt((2 + 6/lambda)/S); 2 of them are
 *    granted. Directions that the prior holds lower it: the lower limit follows the closed form sum a_i^2 / sum a_i.
 */
import type { Verdict } from "../../src/result/cell-result.ts";

export interface VerdictInputs {
  readonly lambdaHat: number;
  readonly lambdaSe: number;
  readonly rHat: number;
  /** Effective draws, of the mean of x. */
  readonly ess: number;
  readonly chains: number;
  /** (mean of the second halves - mean of the first) / its standard error. */
  readonly halvesZ: number;
  readonly varOverMean: number;
  /** What the closed form expects of it. */
  readonly varOverMeanExpected: number;
  readonly ceiling: number;
  readonly nonFinite: number;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly reason: string;
}

const R_HAT_LIMIT = 1.01;
const LEAST_ESS = 100;
/** Relative standard error of lambda-hat, at the most. */
const TOLERANCE = 0.1;
const STANDARD_ERRORS = 2;
const CEILING_STANDARD_ERRORS = 3;
const LEAST_VAR_OVER_MEAN = 0.8;
const MOST_VAR_OVER_MEAN = 1.25;

export function judge(inputs: VerdictInputs): Judgement {
  const { lambdaHat, lambdaSe, ceiling, nonFinite } = inputs;
  const estimate = `lambda-hat ${text(lambdaHat)} +- ${text(lambdaSe)}`;
  if (nonFinite > 0 || !Number.isFinite(lambdaHat)) {
    return { verdict: "diverged", reason: `${nonFinite} draws were not finite` };
  }
  if (lambdaHat > ceiling + CEILING_STANDARD_ERRORS * lambdaSe) {
    return { verdict: "over-ceiling", reason: `${estimate} is above the ceiling ${text(ceiling)}` };
  }
  if (lambdaHat < 0) {
    return {
      verdict: "not-a-minimum",
      reason: `${estimate} is below 0: the chains found lower losses than that of w0`,
    };
  }
  const doubts = convergenceDoubts(inputs);
  if (doubts.length > 0) return { verdict: "unconverged", reason: doubts.join("; ") };
  const bias = biasDoubt(inputs);
  if (bias !== undefined) return { verdict: "biased", reason: bias };
  return { verdict: "ok", reason: convergenceText(inputs) };
}

/** The limit of R-hat at this many effective draws. */
export function rHatLimit(ess: number, chains: number): number {
  const splits = 2 * chains;
  return Math.max(R_HAT_LIMIT, Math.sqrt(1 + (splits / ess) * chiSquareShare99(splits - 1)));
}

/** Effective draws that an estimate needs: at least 100, and a standard error of 10 % of lambda where var(x) = lambda. */
export function leastEss(lambdaHat: number): number {
  return Math.max(LEAST_ESS, 1 / (lambdaHat * TOLERANCE ** 2));
}

function convergenceDoubts(inputs: VerdictInputs): readonly string[] {
  const { rHat, ess, chains, halvesZ, lambdaHat } = inputs;
  const doubts: string[] = [];
  const limit = rHatLimit(ess, chains);
  const needed = leastEss(lambdaHat);
  // Negated, so that NaN is a doubt too.
  if (!(rHat <= limit)) doubts.push(`R-hat ${text(rHat)} is above ${text(limit)}`);
  if (!(ess >= needed)) doubts.push(`ESS ${text(ess)} is below ${text(needed)}`);
  if (!(Math.abs(halvesZ) <= STANDARD_ERRORS)) {
    doubts.push(`the second halves of the chains differ from the first by ${text(halvesZ)} standard errors`);
  }
  return doubts;
}

const convergenceText = ({ rHat, ess, chains, halvesZ, varOverMean }: VerdictInputs): string =>
  `R-hat ${text(rHat)} (limit ${text(rHatLimit(ess, chains))}), ESS ${text(ess)}, ` +
  `halves differ by ${text(halvesZ)} standard errors, var/mean ${text(varOverMean)}`;

function biasDoubt(inputs: VerdictInputs): string | undefined {
  const { varOverMean, varOverMeanExpected, lambdaHat, ess } = inputs;
  const chance = STANDARD_ERRORS * Math.sqrt((2 + 6 / lambdaHat) / ess);
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
