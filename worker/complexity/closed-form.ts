/**
 * What the kernel's spectrum says of a cell without sampling. For a quadratic U = (t/2) sum_i s_i w_i^2 + (gamma/2) |w|^2 the
 * posterior is Gaussian with precisions t s_i + gamma; with a_i = t s_i / (t s_i + gamma), x = t (L - L0) has
 *   mean 1/2 sum_i a_i   (`quad`: lambda-hat of the quadratic approximation),   variance 1/2 sum_i a_i^2.
 */
import { outputWidth, type Task } from "../../src/catalogue/entry.ts";
import { topOf, traceOf, type LanczosSpectrum } from "./lanczos.ts";
import type { Spectrum } from "./spectrum.ts";

export interface ClosedForm {
  /** 1/2 sum_i t s_i / (t s_i + gamma) */
  readonly quad: number;
  /** Variance over mean of x: sum a_i^2 / sum a_i; 1 when every direction is far above the prior. 1 without any direction. */
  readonly varOverMean: number;
  /** min(P, rank J) / 2: no estimate of a quadratic minimum is above it. */
  readonly ceiling: number;
  /** Largest eigenvalue s_max. */
  readonly top: number;
  /** Mean curvature of what the posterior holds, sum a_i s_i / sum a_i. */
  readonly typical: number;
  readonly by: "kernel" | "lanczos";
}

/** From a kernel matrix. */
export function closedForm(spectrum: Spectrum, t: number, gamma: number, ceiling: number): ClosedForm {
  const sumOf = (f: (s: number) => number): number => spectrum.eigenvalues.reduce((total, s) => total + f(s), 0);
  return formOf(sumOf, spectrum.eigenvalues[0] ?? 0, t, gamma, ceiling, "kernel");
}

/** From Lanczos runs. */
export function lanczosForm(spectrum: LanczosSpectrum, t: number, gamma: number, ceiling: number): ClosedForm {
  return formOf((f) => traceOf(spectrum, f), topOf(spectrum), t, gamma, ceiling, "lanczos");
}

function formOf(
  sumOf: (f: (s: number) => number) => number,
  top: number,
  t: number,
  gamma: number,
  ceiling: number,
  by: ClosedForm["by"],
): ClosedForm {
  const share = (s: number): number => (t * s) / (t * s + gamma);
  const sum = sumOf(share);
  const squares = sumOf((s) => share(s) ** 2);
  const weighted = sumOf((s) => share(s) * s);
  const some = sum > 0;
  return {
    quad: sum / 2,
    varOverMean: some ? squares / sum : 1,
    ceiling,
    top,
    typical: some ? weighted / sum : 0,
    by,
  };
}

/**
 * min(d, rank J) / 2, where the ranks at hand are those of all rows; else what shapes allow: classes are centred, which takes
 * one.
 *
 * @param spectra at w0 and at points near it. The learning coefficient at a degenerate point may be above rank J(w0)/2 (0 for
 *   K = (a b)^2 at 0, where it is 1/2), but not above that of generic points beside it, for it is lower semicontinuous.
 */
export function ceilingOf(
  spectra: readonly Pick<Spectrum, "rank" | "rankIsWhole">[],
  parameters: number,
  task: Task,
): number {
  const most = mostRank(parameters, task);
  if (spectra.some(({ rankIsWhole }) => !rankIsWhole)) return most / 2;
  return Math.min(most, Math.max(...spectra.map(({ rank }) => rank))) / 2;
}

/** What shapes allow of rank J. */
export function mostRank(parameters: number, { output, trainRows }: Task): number {
  const perSample = output.kind === "classes" ? output.positions * (output.classes - 1) : outputWidth(output);
  return Math.min(parameters, trainRows * perSample);
}

/** Relative bias of lambda-hat by minibatch noise that the automatic step allows. */
const MOST_NOISE_BIAS = 0.02;

/** The minibatches that a chain draws from. */
export interface BatchNoise {
  /** m: rows of a batch x positions. */
  readonly samples: number;
  /** Batches of the pool; 1: every batch is the whole set, no noise. */
  readonly batches: number;
}

/**
 * The automatic step: the smaller of two.
 *
 *   1 / (t s_max + gamma)   half of the relaxation time of the stiffest direction. The noise-averaged kernel has no
 *                           discretisation error on a quadratic at any stable step (eps p < 4); this leaves a factor of 4
 *                           for curvature that grows away from w0, and mixes four times faster than the usual 0.25.
 *   noise                   minibatch gradients of covariance c_i / m inflate direction i by eps t^2 c_i / 4m. With control
 *                           variates c_i = s_i 2 quad / t for a linear model of Gaussian inputs (c is the spread of
 *                           x (x . dw) over samples), so lambda-hat by eps t quad / (2m) (sum a_i s_i / sum a_i) (1 - 1/M):
 *                           at most 2 %. Measured on linear
 *                           regression, d = 20, m = 64, at eps = 1 / (t s_max): 5.5 %; without control variates 45 %.
 */
export function automaticStep(
  { quad, top, typical }: ClosedForm,
  t: number,
  gamma: number,
  { samples, batches }: BatchNoise,
): number {
  const stiffness = 1 / (t * top + gamma);
  if (batches === 1 || quad === 0) return stiffness;
  const biasPerStep = ((t * quad) / (2 * samples)) * typical * (1 - 1 / batches);
  return Math.min(stiffness, MOST_NOISE_BIAS / biasPerStep);
}
