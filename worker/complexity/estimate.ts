/**
 * Estimates of trained cells: of each estimand that the configuration asks for, all cells on one loss surface beside each other
 * (`estimate-surface.ts` has what is done), as many at a time as fit into memory.
 */
import { fillNormal, fold, type RandomKey } from "../../src/core/random.ts";
import type { Estimate } from "../../src/result/cell-result.ts";
import type { EstimateConfig } from "../../src/spec/cell.ts";
import { chainBytes } from "../../src/spec/memory.ts";
import { samplingOf } from "../../src/spec/sampling.ts";
import type { Pace } from "../engine/pace.ts";
import type { Program } from "../engine/program.ts";
import { poolShape } from "../sample/batch-pool.ts";
import type { ChainRecord } from "../sample/posterior.ts";
import type { FusedData } from "../train/fused-data.ts";
import { cellKey } from "../train/members.ts";
import type { MetricPoint, ShardEvents } from "../trainer/shard.ts";
import { ceilingOf, mostRank } from "./closed-form.ts";
import { estimandsOf, surfacesOf, type Estimand } from "./estimand.ts";
import { estimateSurface, type Problem, type SurfaceEvents } from "./estimate-surface.ts";
import { kernelRows, type KernelRows } from "./kernel.ts";
import { spectrumOf } from "./spectrum.ts";
import type { TrainedWell } from "./trained.ts";

type EstimateEvents = Pick<ShardEvents, "progress" | "metrics" | "log">;

/** What is estimated of one cell. */
export interface CellEstimates {
  readonly estimate: Estimate | null;
  /** Of the behavioural loss, where it stands beside that of the training loss. */
  readonly behavioural: Estimate | null;
}

const NONE: CellEstimates = { estimate: null, behavioural: null };
/** Points of a chain's trace that are reported, at the most. */
const TRACE_POINTS = 250;

/** Estimates all cells, in their order; null for each where the configuration asks for none. */
export async function estimateAll(
  program: Program,
  data: FusedData,
  trained: readonly TrainedWell[],
  events: EstimateEvents,
  pace: Pace,
): Promise<readonly CellEstimates[]> {
  const config = trained[0]?.member.cell.config.estimate;
  if (config === undefined || config.sampler === "none") return trained.map(() => NONE);
  const estimands = estimandsOf(program, config);
  const found = new Map<string, Estimate[]>(trained.map(({ member }) => [member.cell.id, []]));
  const width = cellsAtOnce(program, data, config);
  const groups = Math.ceil(trained.length / width) * estimands.length;
  let group = 0;
  for (const [index, estimand] of estimands.entries()) {
    for (let at = 0; at < trained.length; at += width) {
      const cells = trained.slice(at, at + width);
      const progress = progressOf(events, pace, group / groups, 1 / groups, cells.length);
      const prefix = index === 0 ? "" : "behavioural.";
      const family = `estimate.${index}`;
      for (const [id, estimate] of await estimateGroup({
        program,
        data,
        cells,
        estimand,
        events,
        pace,
        progress,
        prefix,
        family,
      })) {
        found.get(id)!.push(estimate);
      }
      group += 1;
    }
  }
  return trained.map(({ member }) => {
    const [estimate = null, behavioural = null] = found.get(member.cell.id)!;
    return { estimate, behavioural };
  });
}

/** Cells whose chains fit into the engine's memory together, by the estimate of `src/spec/memory.ts`. */
export function cellsAtOnce(program: Program, data: FusedData, config: EstimateConfig): number {
  if (config.sampler === "none") return Infinity;
  const rows = data.rows(config.inputs === "all" ? "all" : "train");
  const { kind, rows: each, posteriors } = samplingOf(config, rows, program.parameterCount);
  const pool = poolShape({ rows, dimension: program.parameterCount }, config.batch);
  const shape = kind === "adjusted" ? { batches: 1, rows: each } : pool;
  const bytes = chainBytes(program, shape.batches, shape.rows, config.chains * posteriors);
  return Math.max(1, Math.floor(program.engine.memoryBudgetBytes / bytes));
}

interface Group {
  readonly program: Program;
  readonly data: FusedData;
  readonly cells: readonly TrainedWell[];
  readonly estimand: Estimand;
  readonly events: EstimateEvents;
  readonly pace: Pace;
  readonly progress: SurfaceEvents["progress"];
  /** Of the series of its chains. */
  readonly prefix: string;
  /** Of the pieces of the cells' memories. */
  readonly family: string;
}

async function estimateGroup(group: Group): Promise<readonly (readonly [string, Estimate])[]> {
  const { program, data, cells, estimand, events, pace, progress, prefix } = group;
  const estimates: (readonly [string, Estimate])[] = [];
  for (const surfaced of surfacesOf(program, data, cells, estimand)) {
    const surface = surfaced.open();
    const { config } = surfaced.cells[0]!.member.cell;
    const log: SurfaceEvents["log"] = (cell, message, fields) =>
      events.log(surfaced.cells[cell]!.member.cell.id, "warn", message, fields);
    try {
      const problems = surfaced.cells.map((cell) => problemOf(group, cell));
      const results = await estimateSurface(surface, problems, config.estimate, { progress, log }, pace);
      results.forEach(({ estimate, record }, i) => {
        const { member, train } = surfaced.cells[i]!;
        events.metrics(member.cell.id, tracesOf(record, prefix));
        estimates.push([member.cell.id, { estimand: estimand.label, baseLoss: train.loss, ...estimate }]);
      });
    } finally {
      surface.dispose();
    }
  }
  return estimates;
}

function problemOf({ program, data, estimand, family }: Group, { member }: TrainedWell): Problem {
  const { cell, dataset } = member;
  const key = cellKey(cell);
  const memory = member.memory?.within(family);
  const natural = program.task.output.kind === "classes" ? "kl" : "mse";
  const isKernels = estimand.distance === "loss" || estimand.distance === natural;
  const isWhole = estimand.free === undefined && estimand.rows === "all" && estimand.split === "train";
  if (!isKernels || !isWhole) return { key, memory };
  return {
    key,
    memory,
    kernelAt: (weights) => {
      const kernelOf = (at: readonly Float32Array[]): KernelRows =>
        kernelRows({ program, data, dataset, weights: at, key }, cell.config.estimate.kernelRows);
      const kernel = kernelOf(weights);
      const spectrum = spectrumOf(kernel);
      const isFull = spectrum.rank >= mostRank(program.parameterCount, program.task);
      const beside = isFull ? [] : [spectrumOf(kernelOf(besideOf(weights, key)))];
      const ceiling = ceilingOf([spectrum, ...beside], program.parameterCount, program.task);
      return { spectrum, rows: kernel.rows, ceiling, whole: kernel.whole };
    },
  };
}

/** Distance of a generic point from w0 in every coordinate, as a share of the weights' root mean square, and at the least. */
const BESIDE_SHARE = 0.5;
const BESIDE_LEAST = 0.1;

/** A generic point beside these weights, where the Jacobian has the rank that it has almost everywhere. */
function besideOf(weights: readonly Float32Array[], key: RandomKey): readonly Float32Array[] {
  const count = weights.reduce((sum, { length }) => sum + length, 0);
  const squares = weights.reduce((sum, values) => sum + values.reduce((s, value) => s + value * value, 0), 0);
  const distance = Math.max(BESIDE_LEAST, BESIDE_SHARE * Math.sqrt(squares / count));
  return weights.map((values, b) => {
    const normals = new Float32Array(values.length);
    fillNormal(fold(key, "beside"), { a: 0, b }, normals);
    return values.map((value, i) => value + distance * normals[i]!);
  });
}

function progressOf(
  events: EstimateEvents,
  pace: Pace,
  from: number,
  share: number,
  live: number,
): SurfaceEvents["progress"] {
  let isTold = false;
  return (done, of) => {
    // A short estimate is told of too.
    if (isTold && !pace.progressDue() && done < of) return;
    isTold = true;
    const step = Math.round((from + (share * done) / of) * of);
    events.progress({ phase: "estimate", step, steps: of, live });
  };
}

function tracesOf({ x }: ChainRecord, prefix: string): readonly MetricPoint[] {
  return x.flatMap((chain, c) => {
    const every = Math.max(1, Math.ceil(chain.length / TRACE_POINTS));
    const points: MetricPoint[] = [];
    for (let draw = 0; draw < chain.length; draw += every) {
      points.push({ series: `${prefix}chain.${c}`, step: draw, value: chain[draw]! });
    }
    return points;
  });
}
