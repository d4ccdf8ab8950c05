/**
 * The local learning coefficient of every cell of a loss surface: lambda-hat = E1 = mean over draws of x = t (L(w) - L(w0)), w
 * from the posterior at inverse temperature t localised at w0 (Lau et al., arXiv 2308.12108, equation 4), with what is needed to
 * trust it. In order:
 *
 *  1. the quadratic approximation at w0: curvature, `quad`, ceiling, and whether w0 is a minimum at all;
 *  2. w0 is refined where it is none, and the estimate says how far it moved;
 *  3. chains: adjusted HMC on a fixed subset (tier A), Langevin with its bias under control (tier B), or a sampler of the
 *     literature; the estimate itself and the points of its curves beside each other;
 *  4. figures and verdict. Where the chains saw a lower loss than w0's, w0 is moved below the best seen and sampled again, once.
 *
 * Each cell's memory keeps w0, the descent to it and the chains; what it has is taken from there. The figures are made anew.
 */
import { fold, permutation, type RandomKey } from "../../src/core/random.ts";
import type { Estimate } from "../../src/result/cell-result.ts";
import { mcseMean } from "../../src/stats/ess.ts";
import type { EstimateConfig } from "../../src/spec/cell.ts";
import { curveOf, samplingOf, type CurvePoint, type Sampling } from "../../src/spec/sampling.ts";
import { NO_PIECES, type Pieces } from "../checkpoint/cell-memory.ts";
import type { Pace } from "../engine/pace.ts";
import { poolShape } from "../sample/batch-pool.ts";
import type { ChainRecord, Posterior } from "../sample/posterior.ts";
import { refine, type Refined, type RefineState } from "../sample/refine.ts";
import type { Surface } from "../sample/surface.ts";
import { automaticStep, closedForm, lanczosForm, type ClosedForm } from "./closed-form.ts";
import { descentOf, lanczos, topOf, wholeGradients, type LanczosSpectrum } from "./lanczos.ts";
import { multiplicityOf } from "./multiplicity.ts";
import { samplePosteriors } from "./sample-posteriors.ts";
import type { Spectrum } from "./spectrum.ts";
import { summarise, type ChainSummary } from "./summary.ts";
import { judge, type Judgement } from "./verdict.ts";

/** A kernel matrix at some weights. */
export interface Kernel {
  readonly spectrum: Spectrum;
  readonly rows: number;
  /** min(d, rank J) / 2, or what shapes allow. */
  readonly ceiling: number;
  /** All rows are in it, so that its spectrum is that of the Hessian at a minimum. */
  readonly whole: boolean;
}

/** One cell of the surface. */
export interface Problem {
  /** The root of its chance. */
  readonly key: RandomKey;
  /** Where what is done of it is kept. */
  readonly memory?: Pieces | undefined;
  /** The Gauss-Newton kernel at these weights, where one is of this surface. */
  kernelAt?(weights: readonly Float32Array[]): Kernel;
}

export interface SurfaceEvents {
  /** Gradients of each chain so far, of those that it may take. */
  progress(done: number, of: number): void;
  log(cell: number, message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** All of an estimate but what only its cell knows, with the draws behind it. */
export interface SurfaceEstimate {
  readonly estimate: Omit<Estimate, "estimand" | "baseLoss">;
  readonly record: ChainRecord;
}

/** Rows of Hessian-vector products where not all are taken. */
const MOST_HESSIAN_ROWS = 1024;
/** Share of `quad` that w0 may be above the minimum of the quadratic approximation before it is refined: lambda-hat loses it. */
const REFINE_FROM = 0.02;
const REFINE_STEPS = 400;
/** The first step of an adjusted chain, as a share of the stiffest direction's time; it is learned from there. */
const FIRST_STEP = 0.5;

/** What is known of a cell at its w0. */
interface Anchored {
  readonly weights: readonly Float32Array[];
  readonly t: number;
  readonly gamma: number;
  readonly form: ClosedForm;
  readonly descent: number;
  readonly kernelRows: number;
  readonly moved: number;
  readonly gain: number;
  /** Spent on it. */
  readonly gradients: number;
}

type Round = "first" | "second";

export async function estimateSurface(
  surface: Surface,
  problems: readonly Problem[],
  config: EstimateConfig,
  events: SurfaceEvents,
  pace: Pick<Pace, "turn">,
): Promise<readonly SurfaceEstimate[]> {
  const work = new SurfaceWork(surface, problems, config, events, pace);
  return work.run();
}

class SurfaceWork {
  readonly #surface: Surface;
  readonly #problems: readonly Problem[];
  readonly #config: EstimateConfig;
  readonly #events: SurfaceEvents;
  readonly #pace: Pick<Pace, "turn">;
  readonly #sampling: Sampling;
  readonly #curve: readonly CurvePoint[];
  /** Of each cell: the fixed subset, or what Hessians are over. */
  readonly #rows: readonly Int32Array[];

  constructor(
    surface: Surface,
    problems: readonly Problem[],
    config: EstimateConfig,
    events: SurfaceEvents,
    pace: Pick<Pace, "turn">,
  ) {
    this.#surface = surface;
    this.#problems = problems;
    this.#config = config;
    this.#events = events;
    this.#pace = pace;
    this.#sampling = samplingOf(config, surface.rows, surface.dimension);
    this.#curve = curveOf(config);
    const count = this.#isAdjusted ? this.#sampling.rows : Math.min(surface.rows, MOST_HESSIAN_ROWS);
    this.#rows = problems.map(({ key }) => fixedRows(key, surface.rows, count));
  }

  async run(): Promise<readonly SurfaceEstimate[]> {
    const every = this.#problems.map((_, cell) => cell);
    const anchored = await this.#anchorAll(every);
    const results = await this.#sampleAll(every, anchored, "first");
    return this.#reanchor(anchored, results);
  }

  /** Of one round: the first, or the second, of a w0 that the chains of the first have led to. */
  #memoryOf(cell: number, round: Round): Pieces {
    return (this.#problems[cell]!.memory ?? NO_PIECES).within(round);
  }

  get #isAdjusted(): boolean {
    return this.#sampling.kind === "adjusted";
  }

  /** Only a minimum of all that the chains see can be gone to. */
  get #mayRefine(): boolean {
    return this.#config.refine === "auto" && this.#rows[0]!.length >= (this.#isAdjusted ? 0 : this.#surface.rows);
  }

  /** Steps 1 and 2. */
  async #anchorAll(every: readonly number[]): Promise<readonly Anchored[]> {
    const pieces = every.map((cell) => this.#memoryOf(cell, "first").piece<never, Anchored>("w0"));
    const cells = every.filter((cell) => pieces[cell]!.result === undefined);
    const trained = cells.map((cell) => ({ weights: this.#surface.trained[cell]!, moved: 0, gain: 0, gradients: 0 }));
    const first = cells.length === 0 ? [] : await this.#look(cells, trained);
    const high = cells.filter((_, i) => first[i]!.descent > REFINE_FROM * first[i]!.form.quad);
    const refined = this.#mayRefine
      ? await this.#refine(high, high.map((cell) => first[cells.indexOf(cell)]!), "first") // prettier-ignore
      : new Map<number, Anchored>();
    cells.forEach((cell, i) => pieces[cell]!.finish(refined.get(cell) ?? first[i]!));
    return every.map((cell) => pieces[cell]!.result ?? refined.get(cell) ?? first[cells.indexOf(cell)]!);
  }

  /** Looks at these weights of the cells. */
  async #look(
    cells: readonly number[],
    at: readonly Pick<Anchored, "weights" | "moved" | "gain" | "gradients">[],
  ): Promise<readonly Anchored[]> {
    const kernels = cells.map((cell, i) => this.#problems[cell]!.kernelAt?.(at[i]!.weights));
    const knows = (kernel: Kernel | undefined): boolean =>
      kernel !== undefined && (kernel.whole || kernel.spectrum.rankIsWhole);
    const spectra = await this.#spectra(cells, at.map(({ weights }) => weights), kernels.map((kernel) => !knows(kernel))); // prettier-ignore
    return cells.map((_, i) => {
      const [kernel, spectrum] = [kernels[i], spectra[i]!];
      const { weights, moved, gain, gradients } = at[i]!;
      const { t, gamma } = this.#temperature(weights);
      const form = this.#form(kernel, spectrum, t, gamma);
      const descent = descentOf(spectrum, t, gamma);
      return { weights, t, gamma, form, descent, kernelRows: kernel?.rows ?? 0, moved, gain, gradients: gradients + spectrum.gradients }; // prettier-ignore
    });
  }

  /** A cell's spectrum is with probes where it needs them, whatever those beside it need. */
  async #spectra(
    cells: readonly number[],
    anchors: readonly (readonly Float32Array[])[],
    needsProbes: readonly boolean[],
  ): Promise<readonly LanczosSpectrum[]> {
    const spectra = new Map<number, LanczosSpectrum>();
    for (const withProbes of [true, false]) {
      const own = [...cells.keys()].filter((i) => needsProbes[i] === withProbes);
      if (own.length === 0) continue;
      const found = await this.#lanczos(own.map((i) => cells[i]!), own.map((i) => anchors[i]!), withProbes); // prettier-ignore
      own.forEach((i, at) => spectra.set(i, found[at]!));
    }
    return cells.map((_, i) => spectra.get(i)!);
  }

  async #lanczos(
    cells: readonly number[],
    anchors: readonly (readonly Float32Array[])[],
    withProbes: boolean,
  ): Promise<readonly LanczosSpectrum[]> {
    const rows = cells.map((cell) => this.#rows[cell]!);
    const keys = cells.map((cell) => this.#problems[cell]!.key);
    const source = { surface: this.#surface, cells, anchors, keys, rows };
    // A fixed subset is all that adjusted chains see.
    if (this.#isAdjusted || rows[0]!.length === this.#surface.rows) return lanczos(source, withProbes, this.#pace);
    const slopes = await wholeGradients(this.#surface, cells, anchors, MOST_HESSIAN_ROWS, this.#pace);
    return lanczos({ ...source, slopes }, withProbes, this.#pace);
  }

  #form(kernel: Kernel | undefined, spectrum: LanczosSpectrum, t: number, gamma: number): ClosedForm {
    const known = kernel === undefined ? undefined : closedForm(kernel.spectrum, t, gamma, kernel.ceiling);
    // Rows that add no direction any more know the spectrum of all.
    if (known !== undefined && (kernel!.whole || kernel!.spectrum.rankIsWhole)) return known;
    const form = lanczosForm(spectrum, t, gamma, kernel?.ceiling ?? this.#surface.dimension / 2);
    if (known === undefined) return form;
    // Both see only part of it: the share of the landscape from whichever saw more of its small curvatures.
    return {
      ...form,
      top: Math.max(form.top, known.top, topOf(spectrum)),
      varOverMean: Math.min(form.varOverMean, known.varOverMean),
    };
  }

  #temperature(weights: readonly Float32Array[]): { readonly t: number; readonly gamma: number } {
    const { nBeta, gamma, rho } = this.#config;
    const n = this.#surface.rows * this.#surface.positions;
    const t = nBeta > 0 ? nBeta : n / Math.max(1, Math.log(n));
    if (gamma > 0) return { t, gamma };
    const square = weights.reduce((sum, values) => sum + values.reduce((s, value) => s + value * value, 0), 0);
    return { t, gamma: this.#surface.dimension / (rho ** 2 * Math.max(square, Number.MIN_VALUE)) };
  }

  /** Brings these cells below where they are. @param start by default their w0 */
  async #refine(
    cells: readonly number[],
    anchored: readonly Anchored[],
    round: Round,
    start: readonly (readonly Float32Array[])[] = anchored.map(({ weights }) => weights),
  ): Promise<ReadonlyMap<number, Anchored>> {
    if (cells.length === 0) return new Map();
    const pieces = cells.map((cell) => this.#memoryOf(cell, round).piece<RefineState, Refined>("descent"));
    const open = [...cells.keys()].filter((i) => pieces[i]!.result === undefined);
    const plan = {
      steps: REFINE_STEPS,
      rows: open.map((i) => this.#rows[cells[i]!]!),
      curvature: open.map((i) => anchored[i]!.t * anchored[i]!.form.top + anchored[i]!.gamma),
      start: open.map((i) => start[i]!),
    };
    const posteriors = open.map((i) => this.#posterior(cells[i]!, anchored[i]!, { t: 1, gamma: 1 }));
    const found = await refine(this.#surface, posteriors, plan, this.#pace, open.map((i) => pieces[i]!)); // prettier-ignore
    const refined = pieces.map(({ result }, i) => result ?? found[open.indexOf(i)]!);
    cells.forEach((cell, i) => {
      const { gain, moved } = refined[i]!;
      const message = `w0 was no minimum: refined by ${gain.toPrecision(3)} in loss, moved by ${moved.toPrecision(3)}`;
      this.#events.log(cell, message, { gain, moved });
    });
    const at = refined.map(({ weights, gain, moved, gradients }, i) => ({
      weights,
      gain: anchored[i]!.gain + gain,
      moved: anchored[i]!.moved + moved,
      gradients: anchored[i]!.gradients + gradients,
    }));
    return new Map((await this.#look(cells, at)).map((each, i) => [cells[i]!, each]));
  }

  #posterior(cell: number, { weights, t, gamma, form }: Anchored, point: CurvePoint): Posterior {
    const own = { t: t * point.t, gamma: gamma * point.gamma };
    const { key } = this.#problems[cell]!;
    return { cell, key, anchor: weights, ...own, epsilon: this.#epsilon(form, own.t, own.gamma) };
  }

  #epsilon(form: ClosedForm, t: number, gamma: number): number {
    const { stepSize, batch } = this.#config;
    if (stepSize > 0) return stepSize;
    if (this.#isAdjusted) return FIRST_STEP / Math.sqrt(t * form.top + gamma);
    const { rows, batches } = poolShape(this.#surface, batch);
    return automaticStep(form, t, gamma, { samples: rows * this.#surface.positions, batches });
  }

  /** Step 3: of each cell, a record for the estimate and for each further point of its curves. */
  async #sampleAll(
    cells: readonly number[],
    anchored: readonly Anchored[],
    round: Round,
  ): Promise<readonly (readonly ChainRecord[])[]> {
    const asked = cells.flatMap((cell, i) =>
      this.#curve.map((point, at) => {
        const posterior = this.#posterior(cell, anchored[i]!, point);
        return { posterior, point: at, memory: this.#memoryOf(cell, round) };
      }),
    );
    const bench = { surface: this.#surface, config: this.#config, sampling: this.#sampling, rows: this.#rows, events: this.#events, pace: this.#pace }; // prettier-ignore
    const records = await samplePosteriors(bench, asked);
    const points = this.#curve.length;
    return cells.map((_, i) => records.slice(i * points, (i + 1) * points));
  }

  /** Step 4. */
  async #reanchor(
    anchored: readonly Anchored[],
    records: readonly (readonly ChainRecord[])[],
  ): Promise<readonly SurfaceEstimate[]> {
    const results = records.map((own, cell) => this.#result(anchored[cell]!, own));
    const again = results.flatMap(({ estimate, record }, cell) =>
      estimate.verdict === "not-a-minimum" && record.best !== undefined ? [cell] : [],
    );
    if (!this.#mayRefine || again.length === 0) return results;
    const pieces = again.map((cell) => this.#memoryOf(cell, "second").piece<never, Anchored>("w0"));
    const open = again.filter((_, i) => pieces[i]!.result === undefined);
    const before = open.map((cell) => anchored[cell]!);
    const refined = await this.#refine(open, before, "second", open.map((cell) => records[cell]![0]!.best!)); // prettier-ignore
    const moved = again.map((cell, i) => pieces[i]!.result ?? refined.get(cell)!);
    again.forEach((_, i) => pieces[i]!.finish(moved[i]!));
    const resampled = await this.#sampleAll(again, moved, "second");
    return results.map((result, cell) => {
      const i = again.indexOf(cell);
      if (i < 0) return result;
      const spent = result.estimate.gradients - anchored[cell]!.gradients;
      return this.#result({ ...moved[i]!, gradients: moved[i]!.gradients + spent }, resampled[i]!);
    });
  }

  #result(anchored: Anchored, records: readonly ChainRecord[]): SurfaceEstimate {
    const [record, ...further] = records as [ChainRecord, ...ChainRecord[]];
    const { dimension } = this.#surface;
    const summary = summarise(record, dimension, anchored.gamma);
    const { verdict, reason } = this.#judge(summary, record, anchored.form, anchored.descent);
    const curve = further.map((own, i) => this.#curvePoint(anchored, this.#curve[i + 1]!, own));
    const temperatures = [
      { t: anchored.t, lambdaHat: summary.lambdaHat, lambdaSe: summary.lambdaSe },
      ...curve
        .filter((_, i) => this.#curve[i + 1]!.gamma === 1)
        .map(({ nBeta, lambdaHat, lambdaSe }) => ({ t: nBeta!, lambdaHat: lambdaHat ?? Number.NaN, lambdaSe: lambdaSe ?? Number.NaN })), // prettier-ignore
    ];
    const fit = multiplicityOf(temperatures);
    const gradients = anchored.gradients + records.reduce((sum, own) => sum + own.gradients, 0);
    const estimate = {
      sampler: this.#samplerName,
      ...figures(summary),
      acceptance: record.acceptance,
      energyError: record.energyError,
      rejected: record.rejected,
      quad: figure(anchored.form.quad),
      quadBy: anchored.form.by,
      ceiling: figure(anchored.form.ceiling),
      descent: figure(anchored.descent),
      kernelRows: anchored.kernelRows,
      kernelTop: figure(anchored.form.top),
      anchorMoved: figure(anchored.moved),
      anchorGain: figure(anchored.gain),
      chains: this.#config.chains,
      burnIn: record.warmUp,
      stepSize: figure(record.epsilon),
      nBeta: figure(anchored.t),
      gamma: figure(anchored.gamma),
      parameters: dimension,
      n: this.#surface.rows * this.#surface.positions,
      batch: record.batchRows,
      gradients,
      verdict,
      verdictReason: reason,
      curve,
      multiplicity: fit === undefined ? null : figure(fit.multiplicity),
      multiplicitySe: fit === undefined ? null : figure(fit.multiplicitySe),
      lambdaE4: fit === undefined ? null : figure(fit.lambda),
    };
    return { estimate, record };
  }

  get #samplerName(): string {
    const { kind } = this.#sampling;
    if (kind === "classical") return this.#config.sampler;
    return kind === "adjusted" ? "hmc" : "langevin";
  }

  #curvePoint(anchored: Anchored, point: CurvePoint, record: ChainRecord): Estimate["curve"][number] {
    const [t, gamma] = [anchored.t * point.t, anchored.gamma * point.gamma];
    const summary = summarise(record, this.#surface.dimension, gamma);
    // The spectrum is the same; what the pull has of it is not.
    const { verdict } = this.#judge(summary, record, { ...anchored.form, varOverMean: 1 }, anchored.descent * point.t);
    return { nBeta: figure(t), gamma: figure(gamma), lambdaHat: figure(summary.lambdaHat), lambdaSe: figure(summary.lambdaSe), verdict }; // prettier-ignore
  }

  #judge(summary: ChainSummary, record: ChainRecord, form: ClosedForm, descent: number): Judgement {
    const { chains } = this.#config;
    const { dimension } = this.#surface;
    return judge({
      ...summary,
      ess: summary.essMean,
      chains,
      tolerance: this.#config.tolerance > 0 ? this.#config.tolerance : DEFAULT_TOLERANCE,
      varOverMeanExpected: form.quad < LEAST_QUADRATIC * summary.lambdaHat ? 1 : form.varOverMean,
      ceiling: form.ceiling,
      dimension,
      proposals: chains * summary.draws,
      refuses: this.#isAdjusted,
      descent,
      virialSe: record.virial.length === 0 ? Number.NaN : mcseMean(record.virial) / dimension,
    });
  }
}

/** Relative standard error that samplers of the literature are asked for. */
const DEFAULT_TOLERANCE = 0.1;

/**
 * Share of lambda-hat below which the quadratic approximation is not what is measured: at a degenerate w0 its spectrum is 0, up to
 * the errors of Hessian-vector products, whose share under the pull says nothing.
 */
const LEAST_QUADRATIC = 0.1;

function figures(summary: ChainSummary) {
  return {
    lambdaHat: figure(summary.lambdaHat),
    lambdaSe: figure(summary.lambdaSe),
    e2: figure(summary.e2),
    e3: figure(summary.e3),
    rHat: figure(summary.rHat),
    essBulk: figure(summary.essBulk),
    essTail: figure(summary.essTail),
    essMean: figure(summary.essMean),
    gewekeZ: figure(summary.gewekeZ),
    halvesZ: figure(summary.halvesZ),
    varOverMean: figure(summary.varOverMean),
    virial: figure(summary.virial),
    stepBias: figure(summary.stepBias),
    gammaSlope: figure(summary.gammaSlope),
    displacement: figure(summary.displacement),
    draws: summary.draws,
    nonFinite: summary.nonFinite,
  };
}

/** Rows of a cell's fixed subset: all of them in their order, or so many of a keyed one. */
function fixedRows(key: RandomKey, rows: number, count: number): Int32Array {
  if (count >= rows) return Int32Array.from({ length: rows }, (_, row) => row);
  return permutation(fold(key, "subset"), { a: 0, b: 0 }, rows).slice(0, count);
}

/** A number of a result: null where there is none. */
const figure = (value: number): number | null => (Number.isFinite(value) ? value : null);
