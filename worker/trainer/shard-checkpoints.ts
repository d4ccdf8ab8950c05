/**
 * The checkpoints of a shard's cells: what earlier attempts have left is read here, and what this one has done is written, at an
 * interval and when the shard is told to stop.
 *
 * Invariants:
 * 1. Nothing is written of a cell of which nothing new is known, and nothing between two intervals.
 * 2. A checkpoint that cannot be read or made never stops a cell: it is told of, and the cell begins at the beginning, or goes on.
 */
import type { Clock } from "../../src/core/clock.ts";
import { messageOf } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import { CellMemory } from "../checkpoint/cell-memory.ts";
import { readCheckpoint, writeCheckpoint } from "../checkpoint/checkpoint-file.ts";
import type { ShardEvents } from "./shard.ts";

/** What the agent knows of a cell. */
export interface CellBefore {
  readonly cellId: CellId;
  /** The attempt that runs now, 1 for the first. */
  readonly attempt: number;
  /** The checkpoint that an earlier one has left. */
  readonly left?: Uint8Array | undefined;
}

export interface CheckpointPlan {
  readonly intervalMs: number;
  readonly cells: readonly CellBefore[];
}

export interface ShardCheckpointsOptions extends CheckpointPlan {
  readonly backend: string;
  readonly clock: Clock;
  readonly log: ShardEvents["log"];
  /** Resolves when the file has left this process. */
  readonly write: (cellId: CellId, file: Uint8Array) => Promise<void>;
  /** Called once all is written after `stop`. */
  readonly onStopped: () => void;
}

export class ShardCheckpoints {
  readonly #options: ShardCheckpointsOptions;
  readonly #attempts: ReadonlyMap<CellId, number>;
  readonly #memories = new Map<CellId, CellMemory>();
  #lastMs: number;
  #isStopping = false;

  constructor(options: ShardCheckpointsOptions) {
    this.#options = options;
    this.#attempts = new Map(options.cells.map(({ cellId, attempt }) => [cellId, attempt]));
    for (const before of options.cells) this.#memories.set(before.cellId, this.#memoryOf(before));
    this.#lastMs = options.clock.monotonicMs();
  }

  /** Of the cells that have no outcome yet; whoever ends a cell takes its memory out. */
  get memories(): Map<CellId, CellMemory> {
    return this.#memories;
  }

  /** At the next turn all is written, then `onStopped` called. */
  stop(): void {
    this.#isStopping = true;
  }

  /** To be called between two steps, when every memory can say where it stands. */
  async turn(): Promise<void> {
    const { clock, intervalMs, onStopped } = this.#options;
    if (!this.#isStopping && clock.monotonicMs() - this.#lastMs < intervalMs) return;
    for (const [cellId, memory] of this.#memories) if (memory.isNew) await this.#write(cellId, memory);
    this.#lastMs = clock.monotonicMs();
    if (this.#isStopping) onStopped();
  }

  #memoryOf({ cellId, attempt, left }: CellBefore): CellMemory {
    if (left === undefined) return new CellMemory();
    const { backend, log } = this.#options;
    try {
      const { memory, summary } = readCheckpoint(left, { cellId, backend });
      const from = summary.step === "done" ? `the end of ${summary.phase}` : `step ${summary.step} of ${summary.phase}`;
      log(cellId, "info", `goes on from a checkpoint: ${from}`, { attempt, writtenByAttempt: summary.attempt });
      return memory;
    } catch (error) {
      log(cellId, "warn", `its checkpoint is ignored, it begins at the beginning: ${messageOf(error)}`, { attempt });
      return new CellMemory();
    }
  }

  async #write(cellId: CellId, memory: CellMemory): Promise<void> {
    const { backend, clock, log, write } = this.#options;
    try {
      const attempt = this.#attempts.get(cellId)!;
      await write(cellId, writeCheckpoint(memory, { cellId, backend, attempt, savedAtMs: clock.nowMs() }));
    } catch (error) {
      log(cellId, "warn", `no checkpoint could be made: ${messageOf(error)}`);
    }
  }
}
