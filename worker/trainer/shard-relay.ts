/**
 * Passes a shard's events on as their contract wants them, though its cells may run in several programs one after another, and
 * again in smaller ones after a failed allocation: a result once, a point once, and progress over all cells of the shard.
 *
 * A cell that runs again computes the same numbers, so what it says again is dropped, and nothing is missing. What a cell has
 * said in an attempt that it goes on from is said first: series belong to one attempt.
 */
import type { CellId } from "../../src/core/ids.ts";
import type { CellMemory } from "../checkpoint/cell-memory.ts";
import type { MetricPoint, ShardEvents, ShardProgress } from "./shard.ts";

export class ShardRelay implements ShardEvents {
  readonly #events: ShardEvents;
  readonly #lastSteps = new Map<string, number>();
  /** Cells without an outcome. */
  readonly #open: Set<CellId>;
  readonly #memories: Map<CellId, CellMemory>;
  #running = 0;

  /** @param memories of the cells, where they are kept: a cell that has an outcome leaves them */
  constructor(events: ShardEvents, cells: Iterable<CellId>, memories = new Map<CellId, CellMemory>()) {
    this.#events = events;
    this.#open = new Set(cells);
    this.#memories = memories;
    for (const id of this.#open) this.#pass(id, memories.get(id)?.points ?? []);
  }

  isOpen(cellId: CellId): boolean {
    return this.#open.has(cellId);
  }

  /** So many cells run from now on; what they tell of their progress counts for that much of the shard. */
  begin(cells: number): void {
    this.#running = cells;
  }

  /** Steps become the mean over the cells that have no outcome yet. */
  progress({ step, steps, ...rest }: ShardProgress): void {
    const share = Math.min(1, this.#running / Math.max(1, this.#open.size));
    this.#events.progress({ ...rest, step: Math.floor(step * share), steps });
  }

  metrics(cellId: CellId, points: readonly MetricPoint[]): void {
    const fresh = this.#pass(cellId, points);
    this.#memories.get(cellId)?.say(fresh);
  }

  /** Gives the points that are new. */
  #pass(cellId: CellId, points: readonly MetricPoint[]): readonly MetricPoint[] {
    const fresh = points.filter(({ series, step }) => {
      const name = `${cellId} ${series}`;
      if (step <= (this.#lastSteps.get(name) ?? -1)) return false;
      this.#lastSteps.set(name, step);
      return true;
    });
    if (fresh.length > 0) this.#events.metrics(cellId, fresh);
    return fresh;
  }

  log(...line: Parameters<ShardEvents["log"]>): void {
    this.#events.log(...line);
  }

  result(...[cellId, result]: Parameters<ShardEvents["result"]>): void {
    this.#memories.delete(cellId);
    if (this.#open.delete(cellId)) this.#events.result(cellId, result);
  }

  failed(...[cellId, kind, reason]: Parameters<ShardEvents["failed"]>): void {
    this.#memories.delete(cellId);
    if (this.#open.delete(cellId)) this.#events.failed(cellId, kind, reason);
  }
}
