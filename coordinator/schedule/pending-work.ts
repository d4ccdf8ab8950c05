/**
 * The pending cells, in the order in which they are leased: the oldest sweep first, within a sweep one queue per (fuse key,
 * width limit) in the order of their first cell, within a queue first in, first out. Every operation is O(1) but for the few
 * sweeps that have pending cells at once. Pure: it decides, others persist.
 *
 * Invariants:
 * 1. Cells of one queue share fuse key and width limit, so that a shard is cut from one queue and cells that have failed never
 *    run beside cells that have not.
 * 2. `flops` is the sum over all queues of cells x operations of one cell.
 */
import { invariant } from "../../src/core/errors.ts";
import type { FuseKey } from "../../src/core/ids.ts";
import { shardWidth } from "./shard-width.ts";

/** What one cell of a fuse key needs. */
export interface FuseGroup {
  readonly bytesPerMember: number;
  readonly flopsPerCell: number;
}

const UNKNOWN_GROUP: FuseGroup = { bytesPerMember: 0, flopsPerCell: 1 };

/** Who asks for a shard, and for how many others there is work to be left. */
export interface Ask {
  readonly maxFuseWidth: number;
  readonly memoryBytes: number;
  /** Operations that are leased and not done. */
  readonly leasedFlops: number;
  readonly workers: number;
  readonly shardCellsMax: number;
}

export interface Cut<C> {
  readonly fuseKey: FuseKey;
  readonly cells: readonly C[];
}

/** Where a pending cell stands. */
export interface WorkQueue<C> {
  readonly sweepSeq: number;
  readonly fuseKey: FuseKey;
  readonly widthLimit: number;
  readonly cells: Set<C>;
}

type SweepQueues<C> = Map<string, WorkQueue<C>>;

export class PendingWork<C> {
  readonly #bySweep = new Map<number, SweepQueues<C>>();
  /** Sweeps with pending cells, ascending. */
  readonly #order: number[] = [];
  readonly #groups = new Map<FuseKey, FuseGroup>();
  #size = 0;
  #flops = 0;

  /** Pending cells. */
  get size(): number {
    return this.#size;
  }

  get flops(): number {
    return this.#flops;
  }

  group(fuseKey: FuseKey): FuseGroup {
    return this.#groups.get(fuseKey) ?? UNKNOWN_GROUP;
  }

  /** To be set before a cell of the key is added: the operations of a queue are counted by it. */
  setGroup(fuseKey: FuseKey, group: FuseGroup): void {
    const queued = this.#queuedOf(fuseKey);
    this.#flops += queued * (group.flopsPerCell - this.group(fuseKey).flopsPerCell);
    this.#groups.set(fuseKey, group);
  }

  add(sweepSeq: number, fuseKey: FuseKey, widthLimit: number, cell: C): WorkQueue<C> {
    const queues = this.#sweep(sweepSeq);
    const name = `${fuseKey}/${widthLimit}`;
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = { sweepSeq, fuseKey, widthLimit, cells: new Set() };
      queues.set(name, queue);
    }
    queue.cells.add(cell);
    this.#size += 1;
    this.#flops += this.group(fuseKey).flopsPerCell;
    return queue;
  }

  remove(queue: WorkQueue<C>, cell: C): void {
    invariant(queue.cells.delete(cell), "a pending cell stands in its queue");
    this.#size -= 1;
    this.#flops = this.#size === 0 ? 0 : this.#flops - this.group(queue.fuseKey).flopsPerCell;
    if (queue.cells.size === 0) this.#drop(queue);
  }

  /** The cells of the next shard for this worker, which stay queued until they are removed; undefined: nothing is pending. */
  cut(ask: Ask): Cut<C> | undefined {
    const queue = this.#first();
    if (queue === undefined) return undefined;
    const { fuseKey, widthLimit } = queue;
    const width = shardWidth({
      ...ask,
      ...this.group(fuseKey),
      widthLimit,
      available: queue.cells.size,
      remainingFlops: this.#flops + ask.leasedFlops,
    });
    return { fuseKey, cells: firstOf(queue.cells, width) };
  }

  #first(): WorkQueue<C> | undefined {
    const [oldest] = this.#order;
    return oldest === undefined ? undefined : this.#bySweep.get(oldest)?.values().next().value;
  }

  #sweep(seq: number): SweepQueues<C> {
    const known = this.#bySweep.get(seq);
    if (known !== undefined) return known;
    const queues: SweepQueues<C> = new Map();
    this.#bySweep.set(seq, queues);
    const place = this.#order.findIndex((other) => other > seq);
    this.#order.splice(place === -1 ? this.#order.length : place, 0, seq);
    return queues;
  }

  #drop(queue: WorkQueue<C>): void {
    const queues = this.#bySweep.get(queue.sweepSeq);
    queues?.delete(`${queue.fuseKey}/${queue.widthLimit}`);
    if (queues?.size !== 0) return;
    this.#bySweep.delete(queue.sweepSeq);
    this.#order.splice(this.#order.indexOf(queue.sweepSeq), 1);
  }

  #queuedOf(fuseKey: FuseKey): number {
    let count = 0;
    for (const queues of this.#bySweep.values()) {
      for (const queue of queues.values()) if (queue.fuseKey === fuseKey) count += queue.cells.size;
    }
    return count;
  }
}

function firstOf<C>(cells: Iterable<C>, count: number): readonly C[] {
  const first: C[] = [];
  for (const cell of cells) {
    if (first.length === count) break;
    first.push(cell);
  }
  return first;
}
