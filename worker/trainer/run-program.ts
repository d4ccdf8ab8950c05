/**
 * One fused program of a shard, from its cells to their results: data, training, estimates. Where memory runs out it is the
 * number of members that gives way: cells whose training did not fit are handed back to be run in smaller programs, and
 * chains that did not fit are run for fewer cells at a time, without training anything again.
 */
import { OccamError, messageOf } from "../../src/core/errors.ts";
import type { CellId, FuseKey } from "../../src/core/ids.ts";
import { CellTimes, type Spent } from "../checkpoint/cell-times.ts";
import { cellsAtOnce, estimateAll } from "../complexity/estimate.ts";
import { isOutOfMemory } from "../engine/engine.ts";
import { nextWidth, type FuseWidths } from "../engine/fuse-width.ts";
import type { Pace } from "../engine/pace.ts";
import type { Program } from "../engine/program.ts";
import { FusedData } from "../train/fused-data.ts";
import type { Member } from "../train/members.ts";
import { train, type Trained } from "../train/train.ts";
import { programData, type ReadyCell } from "./program-data.ts";
import { ResultReporter } from "./result-reporter.ts";
import type { ShardEvents } from "./shard.ts";
import type { ShardRelay } from "./shard-relay.ts";
import { forgetDisposed, inTensorScope } from "./tensor-scope.ts";

/** What the programs of one shard share. */
export interface ShardRun {
  readonly program: Program;
  readonly key: FuseKey;
  readonly widths: FuseWidths;
  readonly events: ShardRelay;
  readonly pace: Pace;
  readonly startMs: number;
}

/** Of the program's cells. */
type Times = ReadonlyMap<CellId, CellTimes>;

const spentOn = (times: Times, { member }: Trained): Spent => times.get(member.cell.id)!.spent;

type Whole = Trained & { readonly outcome: "ok" };

/** Gives the cells that should be tried again in a smaller program: none, where all have an outcome. */
export async function runProgram(run: ShardRun, cells: readonly ReadyCell[]): Promise<readonly ReadyCell[]> {
  const { events, widths, key } = run;
  try {
    await inTensorScope(run.program.engine.tf, () => trainAndEstimate(run, cells));
    return [];
  } catch (error) {
    if (error instanceof OccamError && error.code === "cancelled") throw error;
    const rest = cells.filter(({ cell }) => events.isOpen(cell.id));
    const outOfMemory = isOutOfMemory(error);
    if (outOfMemory && cells.length > 1) {
      widths.trainingRanOut(key, cells.length);
      return rest;
    }
    for (const { cell } of rest) events.failed(cell.id, outOfMemory ? "out-of-memory" : "error", messageOf(error));
    return [];
  }
}

async function trainAndEstimate(run: ShardRun, cells: readonly ReadyCell[]): Promise<void> {
  const { program, events, startMs } = run;
  const { clock } = program.engine;
  const trainStartMs = clock.monotonicMs();
  const times: Times = new Map(cells.map(({ cell, memory }) => [cell.id, memory?.times ?? new CellTimes()]));
  for (const own of times.values()) own.run("trainMs", () => (clock.monotonicMs() - trainStartMs) / cells.length);
  const { datasets, members } = programData(program, cells);
  const data = new FusedData(program, datasets);
  const report = new ResultReporter(program, events, startMs, cells.length);
  try {
    const trained = await trainAll(run, data, members);
    for (const own of times.values()) own.stop();
    for (const ended of trained) if (ended.outcome === "diverged") report.diverged(ended, spentOn(times, ended));
    const whole = trained.filter((ended) => ended.outcome === "ok");
    await estimateInParts(run, data, whole, report, times);
  } finally {
    data.dispose();
  }
}

async function trainAll(run: ShardRun, data: FusedData, members: readonly Member[]): Promise<readonly Trained[]> {
  const trained: Trained[] = [];
  run.events.begin(members.length);
  const events = { ...tidyingEvents(run), ended: (ended: Trained) => trained.push(ended) };
  await train(run.program, data, members, events, run.pace);
  return trained;
}

/** As many cells at a time as are best and fit; the results of each part are handed out when it is done. */
async function estimateInParts(
  run: ShardRun,
  data: FusedData,
  whole: readonly Whole[],
  report: ResultReporter,
  times: Times,
): Promise<void> {
  const { program, key, widths, events, pace } = run;
  const { tf, clock } = program.engine;
  let waiting = whole;
  while (waiting.length > 0) {
    const part = waiting.slice(0, cellsOfPart(run, data, waiting));
    events.begin(part.length);
    const startMs = clock.monotonicMs();
    const own = part.map(({ member }) => times.get(member.cell.id)!);
    for (const each of own) each.run("estimateMs", () => (clock.monotonicMs() - startMs) / part.length);
    try {
      await inTensorScope(tf, async () => {
        const estimates = await estimateAll(program, data, part, tidyingEvents(run), pace);
        for (const each of own) each.stop();
        part.forEach((ended, i) => report.complete(ended, estimates[i]!, spentOn(times, ended)));
      });
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      if (part.length > 1) {
        widths.estimateRanOut(key, part.length);
        continue;
      }
      events.failed(part[0]!.member.cell.id, "out-of-memory", messageOf(error));
    }
    waiting = waiting.slice(part.length);
  }
}

function cellsOfPart({ program, key, widths }: ShardRun, data: FusedData, waiting: readonly Whole[]): number {
  const config = waiting[0]!.member.cell.config.estimate;
  const most = Math.min(cellsAtOnce(program, data, config), widths.mostEstimated(key));
  // A member of a sampling program is a chain.
  const best = Math.max(1, widths.best(key) / Math.max(1, config.chains));
  return nextWidth(waiting.length, best, most);
}

/** The shard's events, with the tensors' bookkeeping done at every progress, which comes twice a second. */
function tidyingEvents({ program, events }: ShardRun): Pick<ShardEvents, "progress" | "metrics" | "log"> {
  return {
    progress: (at) => {
      forgetDisposed(program.engine.tf);
      events.progress(at);
    },
    metrics: (id, points) => events.metrics(id, points),
    log: (...line) => events.log(...line),
  };
}
