/**
 * Times training steps of a shard's own program at the widths that are not known yet: data, optimizers and regularisers are
 * those of its cells, and what it computes is thrown away. It takes a fraction of a second, and little of a short shard.
 */
import type { LoadedData } from "../../src/catalogue/entry.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { FuseKey } from "../../src/core/ids.ts";
import type { Cell, CellConfig } from "../../src/spec/cell.ts";
import { isOutOfMemory, type Engine } from "../engine/engine.ts";
import type { FuseWidths } from "../engine/fuse-width.ts";
import type { Pace } from "../engine/pace.ts";
import type { Program } from "../engine/program.ts";
import { FusedData } from "../train/fused-data.ts";
import { FusedUpdate } from "../train/fused-update.ts";
import { byOptimizer, memberOf } from "../train/members.ts";
import { inTensorScope } from "./tensor-scope.ts";

/** All widths of one shard together, about. */
const BUDGET_MS = 300;
/** Of what the shard will take, at the most. */
const SHARE = 0.05;
/** Timed steps of one width, after one that warms up: at least these, and more while they are short. */
const LEAST_STEPS = 3;
const MOST_STEPS = 20;
const TIMED_MS = 10;
/** What one width costs at the least, in its steps: drawing its weights is about one, the warm-up, the timed ones. */
const LEAST_COST_STEPS = 2 + LEAST_STEPS;
/** The first probe of a process begins with steps that let V8 compile what they run through. */
const COMPILING_STEPS = 30;
const COMPILING_MS = 80;

interface ProbedCell {
  readonly cell: Cell;
  readonly data: LoadedData;
}

/** @param most members that memory holds */
export async function probeWidths(
  program: Program,
  key: FuseKey,
  cells: readonly ProbedCell[],
  most: number,
  widths: FuseWidths,
  pace: Pace,
): Promise<void> {
  const limit = Math.min(most, cells.length);
  const tooShort = SHARE * stepsOf(cells[0]!.cell.config) < LEAST_COST_STEPS;
  // One cell needs no company; and to a short shard no measurement is worth its time.
  if (limit === 1 || widths.next(key, limit) === undefined || tooShort) return;
  try {
    await inTensorScope(program.engine.tf, () => timeWidths(program, key, cells.slice(0, limit), widths, pace));
  } catch (error) {
    // What keeps a probe from its end fails the program, too, and that one says so. An abort goes through.
    if (error instanceof OccamError && error.code === "cancelled") throw error;
  }
}

async function timeWidths(
  program: Program,
  key: FuseKey,
  cells: readonly ProbedCell[],
  widths: FuseWidths,
  pace: Pace,
): Promise<void> {
  const data = new FusedData(program, [cells[0]!.data]);
  const nowMs = stopwatchOf(program.engine);
  try {
    if (widths.isEmpty) compile(program, data, cells);
    const startMs = nowMs();
    for (let width = widths.next(key, cells.length); width !== undefined; width = widths.next(key, cells.length)) {
      const lastMs = widths.lastPoint(key)?.stepMs;
      const shareMs = SHARE * stepsOf(cells[0]!.cell.config) * (lastMs ?? Infinity);
      const nextMs = LEAST_COST_STEPS * 2 * (lastMs ?? 0);
      if (nowMs() - startMs + nextMs > Math.min(BUDGET_MS, shareMs)) return;
      timeWidth(program, data, key, cells.slice(0, width), widths);
      await pace.turn();
    }
  } finally {
    data.dispose();
  }
}

/** Steps of one program: updates, then those of its chains. */
function stepsOf({ train, estimate }: CellConfig): number {
  return train.steps + (estimate.sampler === "none" ? 0 : estimate.burnIn + estimate.draws * estimate.thin);
}

function timeWidth(
  program: Program,
  data: FusedData,
  key: FuseKey,
  cells: readonly ProbedCell[],
  widths: FuseWidths,
): void {
  try {
    widths.timed(key, { width: cells.length, stepMs: stepMsOf(program, data, cells) });
  } catch (error) {
    if (isOutOfMemory(error)) widths.trainingRanOut(key, cells.length);
    throw error;
  }
}

function compile(program: Program, data: FusedData, cells: readonly ProbedCell[]): void {
  const nowMs = stopwatchOf(program.engine);
  const endMs = nowMs() + COMPILING_MS;
  withStep(program, data, cells.slice(0, 1), (step) => {
    for (let steps = 0; steps < COMPILING_STEPS && nowMs() < endMs; steps += 1) step();
  });
}

/** Of the fastest step: whatever disturbs it only ever adds time. */
function stepMsOf(program: Program, data: FusedData, cells: readonly ProbedCell[]): number {
  const nowMs = stopwatchOf(program.engine);
  return withStep(program, data, cells, (step) => {
    step();
    const startMs = nowMs();
    let [lastMs, fastest] = [startMs, Infinity];
    for (let steps = 0; steps < LEAST_STEPS || (steps < MOST_STEPS && lastMs - startMs < TIMED_MS); steps += 1) {
      step();
      fastest = Math.min(fastest, nowMs() - lastMs);
      lastMs = nowMs();
    }
    return fastest;
  });
}

/**
 * wasm computes on the calling thread, so its time is the processor's, and what other processes take is not in it. The other
 * backends compute elsewhere: their time is the wall's.
 */
function stopwatchOf({ backend, clock }: Engine): () => number {
  if (backend !== "wasm") return () => clock.monotonicMs();
  return () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
}

function withStep<T>(
  program: Program,
  data: FusedData,
  cells: readonly ProbedCell[],
  measure: (step: () => void) => T,
): T {
  const { tf } = program.engine;
  const members = byOptimizer(cells.map(({ cell }) => memberOf(cell, 0)));
  const datasets = members.map(() => 0);
  const { batch } = members[0]!.cell.config.train;
  const indices = Int32Array.from({ length: members.length * batch }, (_, i) => i % data.rows("train"));
  const update = FusedUpdate.start(program, members);
  const step = (): void => {
    const rows = data.gather("train", datasets, indices);
    const losses = update.apply(rows, 1, 1);
    // Reading waits for the device. The weights come last: reading the losses would not wait for them.
    tf.tidy(() => tf.slice(tf.reshape(update.weights.at(-1)!, [-1]), 0, 1).dataSync());
    tf.dispose([rows.input, rows.targets, losses]);
  };
  try {
    return measure(step);
  } finally {
    update.dispose();
  }
}
