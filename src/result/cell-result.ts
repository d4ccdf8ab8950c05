/** What one committed attempt of a cell says: made by a worker, kept by the coordinator, read by reports. */
import { z } from "zod";
import { canonicalJson, sha256Hex } from "../core/canonical-json.ts";

/** A finite number, or null where there is none (not applicable, or not finite: the status and reason say which). */
const figure = z.number().nullable();

/** Health of an estimate; a lambda-hat is never shown without it. */
export const VERDICTS = ["ok", "unconverged", "biased", "not-a-minimum", "over-ceiling", "diverged"] as const;
export type Verdict = (typeof VERDICTS)[number];

export const estimateSchema = z.object({
  lambdaHat: figure.describe("local learning coefficient: t mean(L_B(w) - L_B(w0)) over all draws of all chains"),
  lambdaSe: figure.describe("standard error of lambdaHat: sd of the draws / sqrt(ESS)"),
  rHat: figure.describe("rank-normalised split R-hat of x = t (L_B(w) - L_B(w0)) (Vehtari et al. 2021)"),
  essBulk: figure.describe("effective sample size, bulk (Vehtari et al. 2021)"),
  essTail: figure.describe("effective sample size, tail (Vehtari et al. 2021)"),
  gewekeZ: figure.describe("largest |z| over chains: first 10 % of the draws against the last 50 % (Geweke 1992)"),
  varOverMean: figure.describe("var(x)/mean(x); 1 when x is Gamma(lambda, 1)"),
  quad: figure.describe("1/2 sum_i t s_i / (t s_i + gamma), s_i eigenvalues of the Gauss-Newton kernel J J^T / N"),
  ceiling: figure.describe("min(parameters, rank J) / 2"),
  kernelRows: z.number().int().describe("rows of the kernel matrix behind quad and ceiling"),
  kernelTop: figure.describe("largest eigenvalue s_max of the kernel"),
  displacement: figure.describe("mean |w - w0| over draws"),
  baseLoss: figure.describe("loss at w0 over all training rows, nats per sample"),
  chains: z.number().int(),
  draws: z.number().int().describe("recorded draws of each chain"),
  burnIn: z.number().int(),
  stepSize: figure.describe("epsilon"),
  nBeta: figure.describe("t = n beta"),
  gamma: figure,
  n: z.number().int().describe("samples: training rows x positions"),
  batch: z.number().int(),
  gradients: z.number().int().describe("minibatch gradients spent"),
  nonFinite: z.number().int().describe("draws that were not finite"),
  verdict: z.enum(VERDICTS),
  verdictReason: z.string().describe("the numbers behind the verdict"),
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
  /** Not part of the digest: differs from run to run. */
  timing: z.object({
    trainMs: z.number().describe("wall time of the shard's training / its cells"),
    estimateMs: z.number(),
    wallMs: z.number().describe("wall time of the shard from its start to this result"),
  }),
  /** Not part of the digest. */
  backend: z.string(),
  fuseWidth: z.number().int(),
});
export type CellResult = z.infer<typeof cellResultSchema>;

/** SHA-256 over what must be equal in every run of a cell on one kind of backend. */
export function resultDigest(result: CellResult): string {
  const { timing: _timing, backend: _backend, fuseWidth: _fuseWidth, ...same } = result;
  return sha256Hex(canonicalJson(same));
}
