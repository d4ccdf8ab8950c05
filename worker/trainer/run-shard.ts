/**
 * A shard, from its cells to their results: load the data, train all cells as one fused program (or as several, where one
 * would not fit the memory), estimate the learning coefficient of those that ended well, and hand every result out as soon
 * as it is complete.
 *
 * A cell that cannot run (its data do not load, its architecture does not take the task) fails alone. An abort ends the
 * shard without results for the cells that have none yet.
 */
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { OccamError, invariant, messageOf } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import { architectureOf, optimizerOf } from "../../src/catalogue/registry.ts";
import type { LoadedData } from "../../src/catalogue/entry.ts";
import type { CellResult, Estimate } from "../../src/result/cell-result.ts";
import { fuseKeyOf, taskOf, type Cell } from "../../src/spec/cell.ts";
import { isOutOfMemory, type Engine } from "../engine/engine.ts";
import { Pace } from "../engine/pace.ts";
import { openProgram, type Program } from "../engine/program.ts";
import { estimateAll } from "../complexity/estimate.ts";
import { FusedData } from "../train/fused-data.ts";
import { memberOf, type Member } from "../train/members.ts";
import { bytesPerMember } from "../train/memory.ts";
import { train, type Trained } from "../train/train.ts";
import type { Shard, ShardEvents } from "./shard.ts";

/** A cell whose data are there. */
interface ReadyCell {
  readonly cell: Cell;
  readonly dataName: string;
  readonly data: LoadedData;
}

/** Runs a shard to its end. Resolves too when `signal` aborts: the signal says so. */
export async function runShard(engine: Engine, shard: Shard, events: ShardEvents, signal: AbortSignal): Promise<void> {
  const startMs = engine.clock.monotonicMs();
  const pace = new Pace(engine.clock, signal);
  try {
    await pace.turn();
    const ready = await readyCells(engine, sameFuseKey(shard.cells), events);
    const first = ready[0];
    if (first === undefined) return;
    const program = openProgram(engine, first.cell.config);
    for (const group of groupsOf(engine, program, ready)) await runGroup(program, group, events, pace, startMs);
  } catch (error) {
    if (error instanceof OccamError && error.code === "cancelled") return;
    throw error;
  }
}

function sameFuseKey(cells: readonly Cell[]): readonly Cell[] {
  const keys = new Set(cells.map((cell) => fuseKeyOf(cell.config)));
  invariant(keys.size <= 1, `a shard holds cells of ${keys.size} fuse keys`);
  return cells;
}

async function readyCells(engine: Engine, cells: readonly Cell[], events: ShardEvents): Promise<readonly ReadyCell[]> {
  const ready: ReadyCell[] = [];
  for (const cell of cells) {
    try {
      const { architecture, data } = cell.config;
      const refusal = architectureOf(architecture).unsupported(architecture, taskOf(cell.config));
      if (refusal === undefined) {
        ready.push({ cell, dataName: canonicalJson(data), data: await engine.datasets.load(data) });
      } else events.failed(cell.id, "error", `${architecture.kind}: ${refusal}`);
    } catch (error) {
      events.failed(cell.id, failureKind(error), `data ${cell.config.data.kind}: ${messageOf(error)}`);
    }
  }
  return ready;
}

const failureKind = (error: unknown): "error" | "out-of-memory" => (isOutOfMemory(error) ? "out-of-memory" : "error");

/** As many cells in one program as the engine's memory holds. Width changes no number of any cell. */
function groupsOf(engine: Engine, program: Program, cells: readonly ReadyCell[]): readonly (readonly ReadyCell[])[] {
  const slots = Math.max(...cells.map(({ cell }) => optimizerOf(cell.config.optimizer).slots.length));
  const bytes = bytesPerMember(program, cells[0]!.cell.config, slots);
  const width = Math.max(1, Math.floor(engine.memoryBudgetBytes / bytes));
  const groups: ReadyCell[][] = [];
  for (let at = 0; at < cells.length; at += width) groups.push(cells.slice(at, at + width));
  return groups;
}

/** Runs a group; one that does not fit into memory is halved and tried again, a single cell that does not fit fails. */
async function runGroup(
  program: Program,
  group: readonly ReadyCell[],
  events: ShardEvents,
  pace: Pace,
  startMs: number,
): Promise<void> {
  const done = new Set<string>();
  const once: ShardEvents = {
    ...forwarded(events),
    result: (id, result) => {
      done.add(id);
      events.result(id, result);
    },
  };
  try {
    await trainAndEstimate(program, group, once, pace, startMs);
  } catch (error) {
    if (error instanceof OccamError && error.code === "cancelled") throw error;
    const rest = group.filter(({ cell }) => !done.has(cell.id));
    const kind = failureKind(error);
    if (kind === "out-of-memory" && rest.length > 1) {
      const half = Math.ceil(rest.length / 2);
      await runGroup(program, rest.slice(0, half), events, pace, startMs);
      await runGroup(program, rest.slice(half), events, pace, startMs);
      return;
    }
    for (const { cell } of rest) events.failed(cell.id, kind, messageOf(error));
  }
}

/** The events object as plain functions: its methods may live on a prototype, which a spread would lose. */
function forwarded(events: ShardEvents): ShardEvents {
  return {
    progress: (progress) => events.progress(progress),
    metrics: (id, points) => events.metrics(id, points),
    log: (id, level, message, fields) => events.log(id, level, message, fields),
    result: (id, result) => events.result(id, result),
    failed: (id, kind, reason) => events.failed(id, kind, reason),
  };
}

async function trainAndEstimate(
  program: Program,
  group: readonly ReadyCell[],
  events: ShardEvents,
  pace: Pace,
  startMs: number,
): Promise<void> {
  const { clock } = program.engine;
  const names = [...new Set(group.map(({ dataName }) => dataName))];
  const datasets = names.map((name) => group.find(({ dataName }) => dataName === name)!.data);
  const members = group.map(({ cell, dataName }) => memberOf(cell, names.indexOf(dataName)));
  const data = new FusedData(program, datasets);
  const report = new Reporter(program, events, startMs, group.length);
  const trainStartMs = clock.monotonicMs();
  try {
    const trained = await trainGroup(program, data, members, events, pace);
    const trainMs = (clock.monotonicMs() - trainStartMs) / group.length;
    for (const ended of trained) if (ended.outcome === "diverged") report.diverged(ended, trainMs);
    const whole = trained.filter((ended) => ended.outcome === "ok");
    const estimateStartMs = clock.monotonicMs();
    const estimates = await estimateAll(program, data, whole, events, pace);
    const estimateMs = (clock.monotonicMs() - estimateStartMs) / Math.max(1, whole.length);
    whole.forEach((ended, i) => report.complete(ended, estimates[i] ?? null, trainMs, estimateMs));
  } finally {
    data.dispose();
  }
}

async function trainGroup(
  program: Program,
  data: FusedData,
  members: readonly Member[],
  events: ShardEvents,
  pace: Pace,
): Promise<readonly Trained[]> {
  const trained: Trained[] = [];
  const progress: ShardEvents["progress"] = (at) => events.progress(at);
  const metrics: ShardEvents["metrics"] = (id, points) => events.metrics(id, points);
  await train(program, data, members, { progress, metrics, ended: (ended) => trained.push(ended) }, pace);
  return trained;
}

/** Builds results and hands them out. */
class Reporter {
  readonly #program: Program;
  readonly #events: ShardEvents;
  readonly #startMs: number;
  readonly #fuseWidth: number;

  constructor(program: Program, events: ShardEvents, startMs: number, fuseWidth: number) {
    this.#program = program;
    this.#events = events;
    this.#startMs = startMs;
    this.#fuseWidth = fuseWidth;
  }

  diverged({ member, steps, loss }: Trained & { outcome: "diverged" }, trainMs: number): void {
    const reason = `training loss ${loss} at step ${steps}`;
    this.#events.log(member.cell.id, "warn", `diverged: ${reason}`, { step: steps });
    this.#events.result(member.cell.id, {
      ...this.#common(trainMs, 0),
      outcome: "diverged",
      reason,
      steps,
      stopped: "diverged",
      trainLoss: null,
      testLoss: null,
      trainAccuracy: null,
      testAccuracy: null,
      estimate: null,
    });
  }

  complete(
    { member, steps, stopped, train, test }: Trained & { outcome: "ok" },
    estimate: Estimate | null,
    trainMs: number,
    estimateMs: number,
  ): void {
    const scores = { trainLoss: train.loss, testLoss: test.loss, testAccuracy: test.accuracy };
    this.#events.log(member.cell.id, "info", `trained: ${steps} steps, ended by ${stopped}`, scores);
    if (estimate !== null) this.#tellEstimate(member.cell.id, estimate);
    this.#events.result(member.cell.id, {
      ...this.#common(trainMs, estimateMs),
      outcome: "ok",
      reason: "",
      steps,
      stopped,
      trainLoss: train.loss,
      testLoss: Number.isFinite(test.loss) ? test.loss : null,
      trainAccuracy: train.accuracy,
      testAccuracy: test.accuracy,
      estimate,
    });
  }

  #tellEstimate(id: CellId, { lambdaHat, lambdaSe, verdict, verdictReason }: Estimate): void {
    const fields = { lambdaHat, lambdaSe, reason: verdictReason };
    this.#events.log(id, verdict === "ok" ? "info" : "warn", `estimated: ${verdict}`, fields);
  }

  #common(trainMs: number, estimateMs: number): Pick<CellResult, "parameters" | "timing" | "backend" | "fuseWidth"> {
    return {
      parameters: this.#program.parameterCount,
      timing: { trainMs, estimateMs, wallMs: this.#program.engine.clock.monotonicMs() - this.#startMs },
      backend: this.#program.engine.backend,
      fuseWidth: this.#fuseWidth,
    };
  }
}
