/**
 * Passes a shard's events on as their contract wants them, though its cells may run in several programs one after another, and
 * again in smaller ones after a failed allocation: a result once, a point once, and progress over all cells of the shard.
 *
 * A cell that runs again computes the same numbers, so what it says again is dropped, and nothing is missing.
 */
import type { CellId } from "../../src/core/ids.ts";
import type { MetricPoint, ShardEvents, ShardProgress } from "./shard.ts";

export class ShardRelay implements ShardEvents {
  readonly #events: ShardEvents;
  readonly #lastSteps = new Map<string, number>();
  /** Cells without an outcome. */
  readonly #open: Set<CellId>;
  #running = 0;

  constructor(events: ShardEvents, cells: Iterable<CellId>) {
    this.#events = events;
    this.#open = new Set(cells);
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
    const fresh = points.filter(({ series, step }) => {
      const name = `${cellId} ${series}`;
      if (step <= (this.#lastSteps.get(name) ?? -1)) return false;
      this.#lastSteps.set(name, step);
      return true;
    });
    if (fresh.length > 0) this.#events.metrics(cellId, fresh);
  }

  log(...line: Parameters<ShardEvents["log"]>): void {
    this.#events.log(...line);
  }

  result(...[cellId, result]: Parameters<ShardEvents["result"]>): void {
    if (this.#open.delete(cellId)) this.#events.result(cellId, result);
  }

  failed(...[cellId, kind, reason]: Parameters<ShardEvents["failed"]>): void {
    if (this.#open.delete(cellId)) this.#events.failed(cellId, kind, reason);
  }
}
