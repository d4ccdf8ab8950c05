/**
 * The pending cells: sweep by sweep in the order that the asking worker is given (`sweep-order.ts`), within a sweep one queue per
 * (fuse key, needs) in the order of their first cell, within a queue first in, first out. Every operation is O(1) but for the few
 * sweeps that have pending cells at once, and the few queues of cells that have failed. Pure: it decides, others persist.
 *
 * Invariants:
 * 1. Cells of one queue share fuse key and needs, so that a shard is cut from one queue and cells that have failed never run
 *    beside cells that have not.
 * 2. `flopsOf` a sweep is the sum over its queues of cells x operations of one cell.
 */
import { invariant } from "../../src/core/errors.ts";
import type { FuseKey, WorkerId } from "../../src/core/ids.ts";
import { shardWidth } from "./shard-width.ts";

/** What one cell of a fuse key needs. */
export interface FuseGroup {
  readonly bytesPerMember: number;
  readonly flopsPerCell: number;
}

const UNKNOWN_GROUP: FuseGroup = { bytesPerMember: 0, flopsPerCell: 1 };

/** What a cell may not do without, after what has happened to it. */
export interface CellNeeds {
  /** The most cells of its shard, itself included; 0: no limit. */
  readonly widthLimit: number;
  /** Workers that had it in vain: any other one first. */
  readonly triedOn: readonly WorkerId[];
  /** A worker must have more memory than this; 0: any. */
  readonly memoryAbove: number;
}

/** Who asks for a shard, and for how many others there is work to be left. */
export interface Ask {
  /** Of these sweeps, which are oldest first, those that the worker may have cells of, in the order in which it should. */
  readonly order: (sweepSeqs: readonly number[]) => readonly number[];
  readonly mayTake: (needs: CellNeeds, sweepSeq: number) => boolean;
  readonly maxFuseWidth: number;
  readonly memoryBytes: number;
  /** Operations that are leased and not done. */
  readonly leasedFlops: number;
  readonly workers: number;
  readonly shardCellsMax: number;
}

export interface Cut<C> {
  readonly sweepSeq: number;
  readonly fuseKey: FuseKey;
  readonly cells: readonly C[];
}

/** Where a pending cell stands. */
export interface WorkQueue {
  readonly sweepSeq: number;
  readonly fuseKey: FuseKey;
  readonly needs: CellNeeds;
}

/**
 * What a cell has of its queue, which nobody but `PendingWork` changes. A `Set` in its place takes more memory, and looks at all
 * that left it since it last grew before it comes to its first.
 */
export interface Queued<C> {
  /** undefined: it is not pending. */
  queue: WorkQueue | undefined;
  before: C | undefined;
  after: C | undefined;
}

interface Queue<C> extends WorkQueue {
  first: C | undefined;
  last: C | undefined;
  size: number;
}

interface SweepQueues<C> {
  readonly queues: Map<string, Queue<C>>;
  flops: number;
}

export class PendingWork<C extends Queued<C>> {
  readonly #bySweep = new Map<number, SweepQueues<C>>();
  /** Sweeps with pending cells, ascending. */
  readonly #order: number[] = [];
  readonly #groups = new Map<FuseKey, FuseGroup>();
  #size = 0;
  /** Cells of one queue mostly follow one another. */
  #last: Queue<C> | undefined;

  /** Pending cells. */
  get size(): number {
    return this.#size;
  }

  /** Operations of a sweep's pending cells. */
  flopsOf(sweepSeq: number): number {
    return this.#bySweep.get(sweepSeq)?.flops ?? 0;
  }

  group(fuseKey: FuseKey): FuseGroup {
    return this.#groups.get(fuseKey) ?? UNKNOWN_GROUP;
  }

  /** To be set before a cell of the key is added: the operations of a queue are counted by it. */
  setGroup(fuseKey: FuseKey, group: FuseGroup): void {
    const more = group.flopsPerCell - this.group(fuseKey).flopsPerCell;
    for (const sweep of this.#bySweep.values()) {
      for (const queue of sweep.queues.values()) if (queue.fuseKey === fuseKey) sweep.flops += queue.size * more;
    }
    this.#groups.set(fuseKey, group);
  }

  /**
   * Behind all others of its queue.
   * @param needs shared by cells that have the same: it is kept with their queue
   */
  add(sweepSeq: number, fuseKey: FuseKey, needs: CellNeeds, cell: C): void {
    invariant(cell.queue === undefined, "a pending cell stands in one queue");
    const sweep = this.#sweep(sweepSeq);
    const queue = this.#queueOf(sweep, sweepSeq, fuseKey, needs);
    append(queue, cell);
    this.#size += 1;
    sweep.flops += this.group(fuseKey).flopsPerCell;
  }

  #queueOf(sweep: SweepQueues<C>, sweepSeq: number, fuseKey: FuseKey, needs: CellNeeds): Queue<C> {
    const last = this.#last;
    // An empty one is no queue any more.
    const isLast = last !== undefined && last.size > 0 && last.needs === needs;
    if (isLast && last.sweepSeq === sweepSeq && last.fuseKey === fuseKey) return last;
    const name = nameOf(fuseKey, needs);
    let queue = sweep.queues.get(name);
    if (queue === undefined) {
      queue = { sweepSeq, fuseKey, needs, first: undefined, last: undefined, size: 0 };
      sweep.queues.set(name, queue);
    }
    this.#last = queue;
    return queue;
  }

  /** Nothing when it is not pending. */
  remove(cell: C): void {
    if (cell.queue === undefined) return;
    const queue = cell.queue as Queue<C>;
    takeOut(queue, cell);
    this.#size -= 1;
    this.#sweep(queue.sweepSeq).flops -= this.group(queue.fuseKey).flopsPerCell;
    if (queue.size === 0) this.#drop(queue);
  }

  /** The cells of the next shard for this worker, which stay queued until they are removed; undefined: none is for it. */
  cut(ask: Ask): Cut<C> | undefined {
    if (this.#order.length === 0) return undefined;
    const sweeps = ask.order(this.#order);
    const queue = this.#first(sweeps, ask);
    if (queue === undefined) return undefined;
    const { sweepSeq, fuseKey, needs } = queue;
    const width = shardWidth({
      ...ask,
      ...this.group(fuseKey),
      widthLimit: needs.widthLimit,
      available: queue.size,
      // What nobody may take now is no work to be shared.
      remainingFlops: sweeps.reduce((sum, seq) => sum + this.flopsOf(seq), ask.leasedFlops),
    });
    return { sweepSeq, fuseKey, cells: firstOf(queue, width) };
  }

  /** Pending cells of the sweep that stand before this one. */
  aheadOf(sweepSeq: number, cell: C): number {
    let ahead = 0;
    for (const queue of this.#bySweep.get(sweepSeq)?.queues.values() ?? []) {
      if (cell.queue !== queue) {
        ahead += queue.size;
        continue;
      }
      for (let other = cell.before; other !== undefined; other = other.before) ahead += 1;
      return ahead;
    }
    return ahead;
  }

  #first(sweeps: readonly number[], ask: Ask): Queue<C> | undefined {
    for (const seq of sweeps) {
      for (const queue of this.#bySweep.get(seq)?.queues.values() ?? [])
        if (ask.mayTake(queue.needs, seq)) return queue;
    }
    return undefined;
  }

  #sweep(seq: number): SweepQueues<C> {
    const known = this.#bySweep.get(seq);
    if (known !== undefined) return known;
    const sweep: SweepQueues<C> = { queues: new Map(), flops: 0 };
    this.#bySweep.set(seq, sweep);
    const place = this.#order.findIndex((other) => other > seq);
    this.#order.splice(place === -1 ? this.#order.length : place, 0, seq);
    return sweep;
  }

  #drop(queue: Queue<C>): void {
    const sweep = this.#bySweep.get(queue.sweepSeq);
    sweep?.queues.delete(nameOf(queue.fuseKey, queue.needs));
    if (sweep?.queues.size !== 0) return;
    this.#bySweep.delete(queue.sweepSeq);
    this.#order.splice(this.#order.indexOf(queue.sweepSeq), 1);
  }
}

function nameOf(fuseKey: FuseKey, { widthLimit, memoryAbove, triedOn }: CellNeeds): string {
  return `${fuseKey}/${widthLimit}/${memoryAbove}/${triedOn.join("\n")}`;
}

function append<C extends Queued<C>>(queue: Queue<C>, cell: C): void {
  cell.queue = queue;
  cell.before = queue.last;
  if (queue.last === undefined) queue.first = cell;
  else queue.last.after = cell;
  queue.last = cell;
  queue.size += 1;
}

function takeOut<C extends Queued<C>>(queue: Queue<C>, cell: C): void {
  if (cell.before === undefined) queue.first = cell.after;
  else cell.before.after = cell.after;
  if (cell.after === undefined) queue.last = cell.before;
  else cell.after.before = cell.before;
  cell.queue = cell.before = cell.after = undefined;
  queue.size -= 1;
}

function firstOf<C extends Queued<C>>(queue: Queue<C>, count: number): readonly C[] {
  const cells: C[] = [];
  for (let cell = queue.first; cell !== undefined && cells.length < count; cell = cell.after) cells.push(cell);
  return cells;
}
