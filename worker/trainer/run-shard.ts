/**
 * A shard, from its cells to their results: load the data, learn how many cells one fused program should have, and run all of
 * them in programs of about that width, one after another, so that the results of a wide shard come early. Width changes no
 * number of any cell.
 *
 * Cells that go on from checkpoints do so in programs of equal position: those that stand at one step of one piece of their work,
 * and those that have none, apart.
 *
 * A cell that cannot run (its data do not load, its architecture does not take the task) fails alone. An abort ends the
 * shard without results for the cells that have none yet.
 */
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { OccamError, invariant, messageOf } from "../../src/core/errors.ts";
import { architectureOf, optimizerOf } from "../../src/catalogue/registry.ts";
import { fuseKeyOf, taskOf, type Cell } from "../../src/spec/cell.ts";
import { startOf, startProblem } from "../../src/spec/start.ts";
import { targetBytes, trainingBytes } from "../../src/spec/memory.ts";
import { isOutOfMemory, type Engine } from "../engine/engine.ts";
import { FuseWidths, nextWidth } from "../engine/fuse-width.ts";
import { Pace } from "../engine/pace.ts";
import { openProgram, type Program } from "../engine/program.ts";
import type { ReadyCell } from "./program-data.ts";
import { runProgram, type ShardRun } from "./run-program.ts";
import type { ShardCheckpoints } from "./shard-checkpoints.ts";
import { ShardRelay } from "./shard-relay.ts";
import type { Shard, ShardEvents } from "./shard.ts";
import { probeWidths } from "./width-probe.ts";

/**
 * Runs a shard to its end. Resolves too when `signal` aborts: the signal says so.
 * @param widths what earlier shards of this process have taught
 * @param checkpoints where the shard's cells stand, and are kept; undefined: nobody keeps them
 */
export async function runShard(
  engine: Engine,
  shard: Shard,
  events: ShardEvents,
  signal: AbortSignal,
  widths: FuseWidths = new FuseWidths(),
  checkpoints?: ShardCheckpoints,
): Promise<void> {
  const startMs = engine.clock.monotonicMs();
  const pace = new Pace(engine.clock, signal, checkpoints);
  try {
    await pace.turn();
    const loaded = await readyCells(engine, sameFuseKey(shard.cells), events);
    const ready = loaded.map((own) => ({ ...own, memory: checkpoints?.memories.get(own.cell.id) }));
    const first = ready[0]?.cell.config;
    if (first === undefined) return;
    const relay = new ShardRelay(events, ready.map(({ cell }) => cell.id), checkpoints?.memories); // prettier-ignore
    const program = openProgram(engine, first);
    await runAll({ program, key: fuseKeyOf(first), widths, events: relay, pace, startMs }, ready);
  } catch (error) {
    if (error instanceof OccamError && error.code === "cancelled") return;
    throw error;
  }
}

async function runAll(run: ShardRun, ready: readonly ReadyCell[]): Promise<void> {
  const { program, key, widths, pace } = run;
  const inMemory = membersInMemory(program, ready);
  await probeWidths(program, key, ready, inMemory, widths, pace);
  let waiting = ready;
  while (waiting.length > 0) {
    const most = Math.min(inMemory, widths.mostTrained(key));
    const alike = atPositionOf(waiting[0]!, waiting);
    const taken = alike.slice(0, nextWidth(alike.length, widths.best(key), most));
    const again = await runProgram(run, taken);
    waiting = [...again, ...waiting.filter((own) => !taken.includes(own))];
  }
}

const positionOf = ({ memory }: ReadyCell): string => memory?.position ?? "";

const atPositionOf = (first: ReadyCell, cells: readonly ReadyCell[]): readonly ReadyCell[] =>
  cells.filter((own) => positionOf(own) === positionOf(first));

function sameFuseKey(cells: readonly Cell[]): readonly Cell[] {
  const keys = new Set(cells.map((cell) => fuseKeyOf(cell.config)));
  invariant(keys.size <= 1, `a shard holds cells of ${keys.size} fuse keys`);
  return cells;
}

async function readyCells(engine: Engine, cells: readonly Cell[], events: ShardEvents): Promise<readonly ReadyCell[]> {
  const ready: ReadyCell[] = [];
  for (const cell of cells) {
    try {
      const { architecture, data, train } = cell.config;
      const unsupported = architectureOf(architecture).unsupported(architecture, taskOf(cell.config));
      const refusal = unsupported ?? startProblem(architecture, data, startOf(train))?.message;
      if (refusal === undefined) {
        ready.push({ cell, dataName: canonicalJson(data), data: await engine.datasets.load(data) });
      } else events.failed(cell.id, "error", `${architecture.kind}: ${refusal}`);
    } catch (error) {
      const kind = isOutOfMemory(error) ? "out-of-memory" : "error";
      events.failed(cell.id, kind, `data ${cell.config.data.kind}: ${messageOf(error)}`);
    }
  }
  return ready;
}

/** By the estimate of `src/spec/memory.ts`. */
function membersInMemory(program: Program, cells: readonly ReadyCell[]): number {
  const slots = Math.max(...cells.map(({ cell }) => optimizerOf(cell.config.optimizer).slots.length));
  const targets = Math.max(...cells.map(({ cell }) => targetBytes(cell.config.data, program.task)));
  const bytes = targets + trainingBytes(program, cells[0]!.cell.config.train.batch, slots);
  return Math.max(1, Math.floor(program.engine.memoryBudgetBytes / bytes));
}
