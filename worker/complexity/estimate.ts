/**
 * The local learning coefficient of trained cells: lambda-hat = mean over draws of x = t (L(w) - L(w0)), w from the posterior
 * at inverse temperature t localised at w0 (Lau et al., arXiv 2308.12108, equation 4), with what is needed to trust it.
 *
 * What is done: localised SGLD with the noise-averaged kernel (`sample/sgld.ts`); minibatches with control variates for
 * gradient and reading (`sample/batch-pool.ts`), so that x has the expectation of the paired reading t (L_B(w) - L_B(w0))
 * without its first-order noise; the closed form of the quadratic approximation beside it (`closed-form.ts`). A cell with a
 * draw that is not finite is sampled again from the start with a quarter of the step, twice at the most; no partial chain
 * is averaged.
 */
import type { Estimate } from "../../src/result/cell-result.ts";
import type { EstimateConfig } from "../../src/spec/cell.ts";
import { chainBytes } from "../../src/spec/memory.ts";
import type { Pace } from "../engine/pace.ts";
import type { Program } from "../engine/program.ts";
import { poolShape } from "../sample/batch-pool.ts";
import { sampleChains, type ChainRecord, type SampledCell } from "../sample/chains.ts";
import type { FusedData } from "../train/fused-data.ts";
import { cellKey } from "../train/members.ts";
import type { Trained } from "../train/train.ts";
import type { MetricPoint, ShardEvents } from "../trainer/shard.ts";
import { automaticStep, closedForm, type ClosedForm } from "./closed-form.ts";
import { kernelRows } from "./kernel.ts";
import { spectrumOf } from "./spectrum.ts";
import { summarise, type ChainSummary } from "./summary.ts";
import { judge } from "./verdict.ts";

type TrainedWell = Trained & { readonly outcome: "ok" };
type EstimateEvents = Pick<ShardEvents, "progress" | "metrics" | "log">;

/** Times that a cell is sampled again, each with a quarter of the step. */
const RETRIES = 2;
/** Points of a chain's trace that are reported, at the most. */
const TRACE_POINTS = 250;

/** A cell ready to be sampled. */
interface Prepared {
  readonly trained: TrainedWell;
  readonly sampled: SampledCell;
  readonly form: ClosedForm;
  readonly kernelRows: number;
}

/** Estimates all cells, in their order; null for each where the configuration asks for none. */
export async function estimateAll(
  program: Program,
  data: FusedData,
  trained: readonly TrainedWell[],
  events: EstimateEvents,
  pace: Pace,
): Promise<readonly (Estimate | null)[]> {
  const config = trained[0]?.member.cell.config.estimate;
  if (config === undefined || config.sampler === "none") return trained.map(() => null);
  const estimates: Estimate[] = [];
  const width = cellsAtOnce(program, data, config);
  for (let at = 0; at < trained.length; at += width) {
    const prepared: Prepared[] = [];
    for (const ended of trained.slice(at, at + width)) {
      prepared.push(prepare(program, data, ended));
      await pace.turn();
    }
    estimates.push(...(await estimateGroup(program, data, prepared, events, pace)));
  }
  return estimates;
}

/** Cells whose chains fit into the engine's memory together, by the estimate of `src/spec/memory.ts`. */
export function cellsAtOnce(program: Program, data: FusedData, config: EstimateConfig): number {
  if (config.sampler === "none") return Infinity;
  const pool = poolShape(program, data.rows("train"), config.batch);
  const bytes = chainBytes(program, pool.batches, pool.rows, config.chains);
  return Math.max(1, Math.floor(program.engine.memoryBudgetBytes / bytes));
}

function prepare(program: Program, data: FusedData, trained: TrainedWell): Prepared {
  const { cell, dataset } = trained.member;
  const { estimate } = cell.config;
  const n = data.rows("train") * program.positions;
  const t = estimate.nBeta > 0 ? estimate.nBeta : n / Math.max(1, Math.log(n));
  const source = { program, data, dataset, weights: trained.weights, key: cellKey(cell) };
  const rows = kernelRows(source, estimate.kernelRows);
  const spectrum = spectrumOf(rows);
  const form = closedForm(spectrum, t, estimate.gamma, program.parameterCount, program.task);
  const pool = poolShape(program, data.rows("train"), estimate.batch);
  const noise = { samples: pool.rows * program.positions, batches: pool.batches };
  const epsilon = estimate.stepSize > 0 ? estimate.stepSize : automaticStep(spectrum, form, t, estimate.gamma, noise);
  const sampled = { dataset, key: cellKey(cell), weights: trained.weights, t, gamma: estimate.gamma, epsilon };
  return { trained, sampled, form, kernelRows: rows.rows };
}

async function estimateGroup(
  program: Program,
  data: FusedData,
  prepared: readonly Prepared[],
  events: EstimateEvents,
  pace: Pace,
): Promise<readonly Estimate[]> {
  const estimates: (Estimate | undefined)[] = prepared.map(() => undefined);
  let open = prepared.map((each, index) => ({ index, each, spent: 0 }));
  for (let retry = 0; open.length > 0; retry += 1) {
    const records = await sampleGroup(program, data, open.map(({ each }) => each), events, pace); // prettier-ignore
    const again: typeof open = [];
    open.forEach(({ index, each, spent }, i) => {
      const record = records[i]!;
      const gradients = spent + record.gradients;
      const summary = summarise(record);
      if (summary.nonFinite > 0 && retry < RETRIES) {
        again.push({ index, each: gentler(each, summary.nonFinite, events), spent: gradients });
        return;
      }
      events.metrics(each.trained.member.cell.id, tracesOf(record));
      estimates[index] = assemble(program, data, each, summary, { ...record, gradients });
    });
    open = again;
  }
  return estimates.map((estimate) => estimate!);
}

/** The same cell with a quarter of the step. */
function gentler(each: Prepared, nonFinite: number, events: EstimateEvents): Prepared {
  const epsilon = each.sampled.epsilon / 4;
  const { id } = each.trained.member.cell;
  events.log(id, "warn", `${nonFinite} draws were not finite: sampled again with step ${epsilon}`, { epsilon });
  return { ...each, sampled: { ...each.sampled, epsilon } };
}

async function sampleGroup(
  program: Program,
  data: FusedData,
  prepared: readonly Prepared[],
  events: EstimateEvents,
  pace: Pace,
): Promise<readonly ChainRecord[]> {
  const config = prepared[0]!.trained.member.cell.config.estimate;
  const onStep = (step: number, steps: number): void => {
    if (pace.progressDue() || step === steps) {
      events.progress({ phase: "estimate", step, steps, live: prepared.length });
    }
  };
  const cells = prepared.map(({ sampled }) => sampled);
  return sampleChains(program, data, cells, config, onStep, pace);
}

function tracesOf({ x }: ChainRecord): readonly MetricPoint[] {
  return x.flatMap((chain, c) => {
    const every = Math.ceil(chain.length / TRACE_POINTS);
    const points: MetricPoint[] = [];
    for (let draw = 0; draw < chain.length; draw += every) {
      points.push({ series: `chain.${c}`, step: draw, value: chain[draw]! });
    }
    return points;
  });
}

function assemble(
  program: Program,
  data: FusedData,
  { trained, sampled, form, kernelRows }: Prepared,
  summary: ChainSummary,
  record: ChainRecord,
): Estimate {
  const { chains, draws, burnIn } = trained.member.cell.config.estimate;
  const varOverMeanExpected = form.varOverMean;
  const { verdict, reason } = judge({ ...summary, chains, varOverMeanExpected, ceiling: form.ceiling });
  return {
    lambdaHat: figure(summary.lambdaHat),
    lambdaSe: figure(summary.lambdaSe),
    rHat: figure(summary.rHat),
    essBulk: figure(summary.essBulk),
    essTail: figure(summary.essTail),
    gewekeZ: figure(summary.gewekeZ),
    varOverMean: figure(summary.varOverMean),
    quad: figure(form.quad),
    ceiling: figure(form.ceiling),
    kernelRows,
    kernelTop: figure(form.top),
    displacement: figure(summary.displacement),
    baseLoss: figure(trained.train.loss),
    chains,
    draws,
    burnIn,
    stepSize: figure(sampled.epsilon),
    nBeta: figure(sampled.t),
    gamma: figure(sampled.gamma),
    n: data.rows("train") * program.positions,
    batch: record.pool.rows,
    gradients: record.gradients,
    nonFinite: summary.nonFinite,
    verdict,
    verdictReason: reason,
  };
}

/** A number of a result: null where there is none. */
const figure = (value: number): number | null => (Number.isFinite(value) ? value : null);
