/** Shards that are stopped at a turn of their loops, and gone on with from the checkpoints that they leave. */
import type { Clock } from "../../src/core/clock.ts";
import type { CellId } from "../../src/core/ids.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { ShardCheckpoints } from "../../worker/trainer/shard-checkpoints.ts";
import { recordShard, type RecordedShard } from "./shard-recorder.ts";

export type Files = ReadonlyMap<CellId, Uint8Array>;

export interface CutShard extends RecordedShard {
  /** What cells without an outcome left. */
  readonly left: Files;
  /** Turns of the event loop that the shard took. */
  readonly turns: number;
  /** Where each cell with a memory stood when it was cut. */
  readonly positions: readonly string[];
  readonly log: readonly string[];
}

/** Time goes so fast that every step gives way, and every turn is one at which a shard may be cut. */
export function everyStepTurns(engine: Engine): Engine {
  let nowMs = 0;
  const clock: Clock = { ...engine.clock, monotonicMs: () => (nowMs += 100) };
  return { ...engine, clock };
}

class CutAt extends ShardCheckpoints {
  turns = 0;
  readonly #cut: number;

  constructor(cut: number, options: ConstructorParameters<typeof ShardCheckpoints>[0]) {
    super(options);
    this.#cut = cut;
  }

  override async turn(): Promise<void> {
    this.turns += 1;
    if (this.turns === this.#cut) this.stop();
    await super.turn();
  }
}

/** Runs the cells until turn `cut`, or to their end. */
export async function runUntil(
  engine: Engine,
  cells: readonly Cell[],
  cut = Infinity,
  before: Files = new Map(),
): Promise<CutShard> {
  const controller = new AbortController();
  const left = new Map<CellId, Uint8Array>(before);
  const log: string[] = [];
  let positions: readonly string[] = [];
  const checkpoints: CutAt = new CutAt(cut, {
    intervalMs: Infinity,
    cells: cells.map(({ id }) => ({ cellId: id, attempt: 2, left: before.get(id) })),
    backend: engine.backend,
    clock: engine.clock,
    log: (_id, _level, message) => log.push(message),
    write: async (id, file) => void left.set(id, file),
    onStopped: () => {
      positions = [...checkpoints.memories.values()].map(({ position }) => position);
      controller.abort();
    },
  });
  const shard = await recordShard(engine, cells, controller.signal, undefined, checkpoints);
  for (const id of shard.results.keys()) left.delete(id as CellId);
  return { ...shard, left, turns: checkpoints.turns, positions, log };
}
