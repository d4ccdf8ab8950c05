/** The figures of an estimate as columns: those of the main estimate, and the few of them that stand again for a second one. */
import { column, type Column } from "./column.ts";
import type { Estimate } from "./cell-result.ts";

type EstimateColumn = Column<Estimate>;

const NATS = "nats per sample";

/** What an estimate says. `verdict` follows `lambda_se`: neither figure is read without it. */
export const ESTIMATE_HEAD: readonly EstimateColumn[] = [
  column("estimand", "string", "", "whose coefficient it is: loss, behavioural-kl or -mse; then what is held or left out", (e) => e.estimand),
  column("lambda_hat", "number", "", "local learning coefficient (E1); read it with its verdict", (e) => e.lambdaHat),
  column("lambda_se", "number", "", "standard error of lambda_hat", (e) => e.lambdaSe),
  column("verdict", "string", "", "health of the estimate", (e) => e.verdict),
  column("verdict_reason", "string", "", "the numbers behind the verdict", (e) => e.verdictReason),
]; // prettier-ignore

/** The same of other ways to it, and of its closed form. */
const BESIDE: readonly EstimateColumn[] = [
  column("e2", "number", "", "t^2 var(L) over the posterior: needs no minimum at w0", (e) => e.e2),
  column("e3", "number", "", "slope of the mean loss over two temperatures", (e) => e.e3),
  column("quad", "number", "", "closed form 1/2 sum_i t s_i / (t s_i + gamma)", (e) => e.quad),
  column("quad_by", "string", "", "where its spectrum is from: kernel or lanczos", (e) => e.quadBy),
  column("ceiling", "number", "", "min(parameters, rank J) / 2", (e) => e.ceiling),
  column("multiplicity", "number", "", "m by the fit t E_t[L - L0] = lambda - (m - 1)/ln t over the curve (E4)", (e) => e.multiplicity),
  column("multiplicity_se", "number", "", "standard error of multiplicity", (e) => e.multiplicitySe),
  column("lambda_e4", "number", "", "lambda by the same fit", (e) => e.lambdaE4),
  column("curve_points", "integer", "", "further estimates at other t and gamma, in estimates.csv", (e) => e.curve.length),
]; // prettier-ignore

const CONVERGENCE: readonly EstimateColumn[] = [
  column("r_hat", "number", "", "rank-normalised split R-hat (Vehtari et al. 2021)", (e) => e.rHat),
  column("ess", "number", "draws", "effective sample size, bulk", (e) => e.essBulk),
  column("ess_tail", "number", "draws", "effective sample size, tail", (e) => e.essTail),
  column("ess_mean", "number", "draws", "independent draws whose mean would have the error lambda_se", (e) => e.essMean),
  column("geweke_z", "number", "", "largest |z| over chains (Geweke 1992)", (e) => e.gewekeZ),
  column("halves_z", "number", "", "second halves of the chains against the first, in standard errors", (e) => e.halvesZ),
  column("var_over_mean", "number", "", "var(x) / mean(x); 1 when x is Gamma(lambda, 1)", (e) => e.varOverMean),
  column("virial", "number", "", "mean of (w - w0) . grad U / d; 1 when every direction has been explored", (e) => e.virial),
  column("gamma_slope", "number", "", "-d ln lambda_hat / d ln gamma; 0 where the pull does not matter", (e) => e.gammaSlope),
  column("acceptance", "number", "fraction", "mean acceptance probability of a step or proposal", (e) => e.acceptance),
  column("energy_error", "number", "", "root mean square of the proposals' energy error", (e) => e.energyError),
  column("rejected", "integer", "proposals", "proposals that were refused", (e) => e.rejected),
  column("step_bias", "number", "fraction", "(mean at the whole step - mean at the half step) / lambda_hat", (e) => e.stepBias),
  column("non_finite", "integer", "draws", "draws or proposals that were not finite", (e) => e.nonFinite),
]; // prettier-ignore

const ANCHOR: readonly EstimateColumn[] = [
  column("base_loss", "number", NATS, "loss at the trained weights over the training rows", (e) => e.baseLoss),
  column("descent", "number", "", "t (L(w0) - L) at the minimum of the quadratic approximation; 0 at a minimum", (e) => e.descent),
  column("anchor_moved", "number", "", "|w0 - trained weights|: above 0 where w0 was refined", (e) => e.anchorMoved),
  column("anchor_gain", "number", NATS, "L(trained weights) - L(w0)", (e) => e.anchorGain),
  column("displacement", "number", "", "mean |w - w0| over draws", (e) => e.displacement),
]; // prettier-ignore

const SAMPLING: readonly EstimateColumn[] = [
  column("sampler", "string", "", "hmc (tier A), langevin (tier B), or one of the literature", (e) => e.sampler),
  column("n_beta", "number", "", "inverse temperature times samples, t = n beta", (e) => e.nBeta),
  column("gamma", "number", "", "strength of the pull to w0", (e) => e.gamma),
  column("step_size", "number", "", "step size epsilon of the sampler", (e) => e.stepSize),
  column("n", "integer", "samples", "samples the estimate is over: rows x positions", (e) => e.n),
  column("free_parameters", "integer", "", "parameters that move", (e) => e.parameters),
  column("chains", "integer", "", "sampling chains", (e) => e.chains),
  column("draws", "integer", "", "recorded draws of each chain", (e) => e.draws),
  column("burn_in", "integer", "steps", "steps or proposals before the first draw", (e) => e.burnIn),
  column("estimate_batch", "integer", "rows", "rows of a gradient: the fixed subset, or a minibatch", (e) => e.batch),
  column("gradients", "integer", "", "gradients of so many rows spent, all chains", (e) => e.gradients),
  column("kernel_rows", "integer", "rows", "rows of the kernel matrix behind quad and ceiling", (e) => e.kernelRows),
  column("kernel_top", "number", "", "largest curvature of the loss at w0", (e) => e.kernelTop),
]; // prettier-ignore

/** All that stands behind it. */
export const ESTIMATE_FIGURES: readonly EstimateColumn[] = [...BESIDE, ...CONVERGENCE, ...ANCHOR, ...SAMPLING];

const HEAD_NAMES = ESTIMATE_HEAD.map(({ name }) => name);
const SECOND: ReadonlySet<string> = new Set(
  HEAD_NAMES.concat("quad", "ceiling", "r_hat", "ess", "var_over_mean", "gradients"),
);

/** What is told of a second estimate, of the behavioural loss. */
export const BEHAVIOURAL_COLUMNS: readonly EstimateColumn[] = [...ESTIMATE_HEAD, ...ESTIMATE_FIGURES]
  .filter(({ name }) => SECOND.has(name))
  .map((one) => ({
    ...one,
    name: `behavioural_${one.name}`,
    description: `of the second estimate: ${one.description}`,
  }));
