/**
 * What of a lease's cells lies in the checkpoint store: read before the shard starts, kept while it runs, removed with a result.
 * Only a cell that was tried before is looked for, so that fresh ones cost nothing.
 */
import type { CellId } from "../../src/core/ids.ts";
import type { CheckpointPlan } from "../trainer/shard-checkpoints.ts";
import type { CheckpointKeeper } from "./checkpoint-keeper.ts";
import type { Settlement } from "./committer.ts";
import type { HeldLease } from "./held-lease.ts";

export interface ShardResumptionOptions {
  readonly keeper: Pick<CheckpointKeeper, "keep" | "forget" | "load" | "settled">;
  readonly everyMs: number;
  /** What the last checkpoints may take to be stored. */
  readonly keepLimitMs: number;
}

/** Settlements after which nobody runs the cell again. */
const FINAL: ReadonlySet<Settlement> = new Set(["committed", "duplicate-same", "duplicate-different"]);

export class ShardResumption {
  readonly #options: ShardResumptionOptions;
  /** Shards whose checkpoints are being read. */
  readonly #loading = new Set<string>();
  readonly #left = new Map<string, ReadonlyMap<CellId, Uint8Array>>();
  /** Cells that went on from a checkpoint and have written none since. */
  readonly #resumed = new Set<CellId>();

  constructor(options: ShardResumptionOptions) {
    this.#options = options;
  }

  isLoading(lease: HeldLease): boolean {
    return this.#loading.has(lease.shardId);
  }

  /** Resolves when the shard can start. */
  async load(lease: HeldLease): Promise<void> {
    const tried = [...lease.open].filter((cellId) => lease.attemptAt(cellId) > 1);
    if (tried.length === 0) return;
    this.#loading.add(lease.shardId);
    this.#left.set(lease.shardId, await this.#options.keeper.load(tried));
    this.#loading.delete(lease.shardId);
  }

  /** What the trainer is told of these cells. */
  planOf(lease: HeldLease): CheckpointPlan {
    const left = this.#left.get(lease.shardId);
    this.#left.delete(lease.shardId);
    for (const cellId of left?.keys() ?? []) this.#resumed.add(cellId);
    const cells = [...lease.open].map((cellId) => ({
      cellId,
      attempt: lease.attemptAt(cellId),
      left: left?.get(cellId),
    }));
    return { intervalMs: this.#options.everyMs, cells };
  }

  keep(cellId: CellId, file: Uint8Array): void {
    this.#resumed.delete(cellId);
    this.#options.keeper.keep(cellId, file);
  }

  /** Resolves when all is stored, or after the limit. */
  stored(): Promise<boolean> {
    return this.#options.keeper.settled(this.#options.keepLimitMs);
  }

  /** A cell that fails before it is any farther than its checkpoint may fail because of it: the next attempt begins anew. */
  failed(cellId: CellId): void {
    if (this.#resumed.delete(cellId)) this.#options.keeper.forget(cellId);
  }

  settled(cellId: CellId, settlement: Settlement): void {
    this.#resumed.delete(cellId);
    if (FINAL.has(settlement)) this.#options.keeper.forget(cellId);
  }

  /** The lease is over. */
  forgetLease(shardId: string): void {
    this.#left.delete(shardId);
  }
}
