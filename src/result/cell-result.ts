/** What one committed attempt of a cell says: made by a worker, kept by the coordinator, read by reports. */
import { z } from "zod";
import { canonicalJson, sha256Hex } from "../core/canonical-json.ts";
import { exactly } from "./exact.ts";

/** A finite number, or null where there is none (not applicable, or not finite: the status and reason say which). */
const figure = z.number().nullable();

/** Health of an estimate; a lambda-hat is never shown without it. */
export const VERDICTS = ["ok", "unconverged", "biased", "not-a-minimum", "over-ceiling", "diverged"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Further estimates of a cell at other t and gamma. */
export const curvePointSchema = z.object({
  nBeta: figure.describe("t"),
  gamma: figure,
  lambdaHat: figure,
  lambdaSe: figure,
  verdict: z.enum(VERDICTS),
});
export type CurvePointResult = z.infer<typeof curvePointSchema>;

export const estimateSchema = z.object({
  estimand: z
    .string()
    .describe("what the loss is: loss, behavioural-mse or behavioural-kl; then what is held or left out"),
  sampler: z.string().describe("hmc (tier A), langevin (tier B), or a sampler of the literature"),
  lambdaHat: figure.describe("local learning coefficient E1: t mean(L(w) - L(w0)) over all draws of all chains"),
  lambdaSe: figure.describe("standard error of lambdaHat by the chains' autocorrelation"),
  e2: figure.describe("E2: t^2 var(L(w)) over the posterior, which needs no minimum at w0"),
  e3: figure.describe("E3: slope (E_1[L] - E_2[L]) / (1/t_1 - 1/t_2) of two temperatures, one by reweighting"),
  rHat: figure.describe("rank-normalised split R-hat of x = t (L(w) - L(w0)) (Vehtari et al. 2021)"),
  essBulk: figure.describe("effective sample size, bulk (Vehtari et al. 2021)"),
  essTail: figure.describe("effective sample size, tail (Vehtari et al. 2021)"),
  essMean: figure.describe("independent draws of x whose mean would have the standard error lambdaSe"),
  gewekeZ: figure.describe("largest |z| over chains: first 10 % of the draws against the last 50 % (Geweke 1992)"),
  halvesZ: figure.describe("second halves of the chains against the first, in standard errors"),
  varOverMean: figure.describe("var(x)/mean(x); 1 when x is Gamma(lambda, 1)"),
  virial: figure.describe("mean of (w - w0) . grad U / d: 1 when every direction has been explored"),
  acceptance: figure.describe("mean acceptance probability; of hypothetical steps where a sampler accepts all"),
  energyError: figure.describe("root mean square of Delta H"),
  rejected: z.number().int().describe("proposals that were refused"),
  stepBias: figure.describe("(mean at the whole step - mean at the half step) / lambdaHat"),
  gammaSlope: figure.describe("-d ln lambdaHat / d ln gamma, by the draws: 0 where the pull does not matter"),
  quad: figure.describe("1/2 sum_i t s_i / (t s_i + gamma), s_i eigenvalues of the Hessian at w0"),
  quadBy: z.string().describe("kernel: of the whole Gauss-Newton kernel matrix; lanczos: by Hessian-vector products"),
  ceiling: figure.describe("min(d, rank J) / 2"),
  descent: figure.describe("t (L(w0) - L) at the minimum of the quadratic approximation: 0 at a minimum"),
  kernelRows: z.number().int().describe("rows of the kernel matrix behind the ceiling"),
  kernelTop: figure.describe("largest curvature s_max of L at w0"),
  displacement: figure.describe("mean |w - w0| over draws"),
  anchorMoved: figure.describe("|w0 - trained weights|: above 0 where w0 was refined"),
  anchorGain: figure.describe("L(trained weights) - L(w0), on the rows of the estimate"),
  baseLoss: figure.describe("loss at the trained weights over all training rows, nats per sample"),
  chains: z.number().int(),
  draws: z.number().int().describe("recorded draws of each chain"),
  burnIn: z.number().int().describe("steps or proposals before the first draw"),
  stepSize: figure.describe("epsilon"),
  nBeta: figure.describe("t = n beta"),
  gamma: figure,
  parameters: z.number().int().describe("d: free parameters"),
  n: z.number().int().describe("samples: rows x positions"),
  batch: z.number().int().describe("rows of a gradient: the fixed subset, or a minibatch"),
  gradients: z.number().int().describe("gradients of so many rows spent, all chains"),
  nonFinite: z.number().int().describe("draws or proposals that were not finite"),
  verdict: z.enum(VERDICTS),
  verdictReason: z.string().describe("the numbers behind the verdict"),
  curve: z.array(curvePointSchema).readonly(),
  multiplicity: figure.describe("m by E4: t E_t[L - L0] = lambda - (m - 1)/ln t over the curve's temperatures"),
  multiplicitySe: figure,
  lambdaE4: figure.describe("lambda by the same fit: the intercept"),
});
export type Estimate = z.infer<typeof estimateSchema>;

export const cellResultSchema = z.object({
  /** "diverged" is a result, not a fault: a loss was not finite. */
  outcome: z.enum(["ok", "diverged"]),
  reason: z.string(),
  parameters: z.number().int(),
  steps: z.number().int().describe("updates done"),
  stopped: z.enum(["budget", "train-loss", "diverged"]),
  trainLoss: figure.describe("mean over the training rows, eval mode, without penalties"),
  testLoss: figure,
  trainAccuracy: figure.describe("null for regression"),
  testAccuracy: figure,
  estimate: estimateSchema.nullable(),
  behavioural: estimateSchema.nullable().describe("of the behavioural loss, where both were asked for"),
  /** Not part of the digest: differs from run to run. */
  timing: z.object({
    trainMs: z
      .number()
      .describe("wall time of the shard's training / its cells, earlier attempts that a checkpoint tells of included"),
    estimateMs: z.number(),
    wallMs: z.number().describe("wall time of the shard from its start to this result"),
  }),
  /** Not part of the digest. */
  backend: z.string(),
  fuseWidth: z.number().int(),
  /** Of the metrics and log of the attempt: what its worker could not keep. Not part of the digest; left out when nothing is. */
  dropped: z.object({ points: z.number().int(), lines: z.number().int() }).exactOptional(),
});
export type CellResult = z.infer<typeof cellResultSchema>;

/** A result with no field that is not its own; where it says no, the schema says why. */
export const isCellResult = exactly(cellResultSchema);

/** SHA-256 over what must be equal in every run of a cell on one kind of backend. */
export function resultDigest(result: CellResult): string {
  const { timing: _timing, backend: _backend, fuseWidth: _fuseWidth, dropped: _dropped, ...same } = result;
  return sha256Hex(canonicalJson(same));
}
