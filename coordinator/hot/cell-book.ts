/**
 * The cells that can still change: every open cell, and an ended one until its end is durable. Ended cells are read from the
 * store.
 *
 * Invariants, kept by the one function that changes a cell, `apply`:
 * 1. A cell stands in the pending work exactly while its state is pending and one of its sweeps is running.
 * 2. The counts of every sweep that contains the cell follow its state.
 */
import { invariant } from "../../src/core/errors.ts";
import type { CellId, FuseKey } from "../../src/core/ids.ts";
import { NEW_CELL, transition, type CellEvent, type CellLife, type CellState } from "../lease/cell-state.ts";
import type { PendingWork, WorkQueue } from "../schedule/pending-work.ts";
import type { CellFigures, NewCell } from "../store/change.ts";
import type { StoredCell } from "../store/store.ts";
import type { Sweep } from "./sweep.ts";

export interface HotCell {
  readonly key: number;
  readonly id: CellId;
  readonly scope: string;
  readonly fuseKey: FuseKey;
  readonly life: CellLife;
  /** By seq, ascending; shared between cells of the same sweeps. */
  readonly sweeps: readonly Sweep[];
}

interface Entry extends HotCell {
  life: CellLife;
  sweeps: readonly Sweep[];
  queue: WorkQueue<HotCell> | undefined;
}

/** Of a cell that was cancelled before it ever ran: a million of them share it. */
const CANCELLED_NEW = transition(NEW_CELL, { kind: "cancelled" });

export class CellBook {
  readonly #cells = new Map<string, Entry>();
  readonly #work: PendingWork<HotCell>;
  /** Lists of sweeps by their seqs, so that a million cells share one. */
  readonly #lists = new Map<string, readonly Sweep[]>();

  /** Cells of one list mostly follow one another. */
  #lastList: readonly Sweep[] | undefined;
  #nextKey: number;

  constructor(nextKey: number, work: PendingWork<HotCell>) {
    this.#nextKey = nextKey;
    this.#work = work;
  }

  newKey(): number {
    const key = this.#nextKey;
    this.#nextKey += 1;
    return key;
  }

  get size(): number {
    return this.#cells.size;
  }

  get(scope: string, id: CellId): HotCell | undefined {
    return this.#cells.get(nameOf(scope, id));
  }

  all(): Iterable<HotCell> {
    return this.#cells.values();
  }

  addNew(cell: NewCell, sweep: Sweep): HotCell {
    const last = this.#lastList;
    return this.#add(cell, NEW_CELL, last?.length === 1 && last[0] === sweep ? last : [sweep]);
  }

  /** Back into memory, as it was stored. Its sweeps have counted it already. */
  restore(cell: StoredCell, sweeps: readonly Sweep[]): HotCell {
    return this.#add(cell, lifeOf(cell), sweeps, true);
  }

  /** Counts the cell in for one more sweep. */
  link(cell: HotCell, sweep: Sweep): void {
    const entry = this.#entry(cell);
    invariant(!entry.sweeps.includes(sweep), `cell ${cell.id} is in sweep ${sweep.record.id} once`);
    entry.sweeps = this.#list([...entry.sweeps, sweep].sort((left, right) => left.seq - right.seq));
    sweep.countIn(entry.life.state);
    this.requeue(entry);
  }

  /** Applies the event; undefined when it does not concern the cell. */
  apply(cell: HotCell, event: CellEvent): CellState | undefined {
    const entry = this.#entry(cell);
    const next = event.kind === "cancelled" && entry.life === NEW_CELL ? CANCELLED_NEW : transition(entry.life, event);
    if (next === undefined) return undefined;
    for (const sweep of entry.sweeps) {
      sweep.countOut(entry.life.state);
      sweep.countIn(next.state);
      sweep.changes.changed();
    }
    this.#dequeue(entry);
    entry.life = next;
    this.#enqueue(entry);
    return next.state;
  }

  /** Its sweeps have changed state. */
  requeue(cell: HotCell): void {
    const entry = this.#entry(cell);
    this.#dequeue(entry);
    this.#enqueue(entry);
  }

  /** Drops the cell when it has ended; to be called once its end is durable. */
  evict(cell: HotCell): void {
    const { kind } = cell.life.state;
    if (kind === "pending" || kind === "leased" || kind === "running") return;
    const name = nameOf(cell.scope, cell.id);
    if (this.#cells.get(name) === cell) this.#cells.delete(name);
  }

  #add(
    cell: Pick<HotCell, "key" | "id" | "scope" | "fuseKey">,
    life: CellLife,
    sweeps: readonly Sweep[],
    counted = false,
  ): HotCell {
    const { key, id, scope, fuseKey } = cell;
    const entry: Entry = { key, id, scope, fuseKey, life, sweeps: this.#list(sweeps), queue: undefined };
    this.#cells.set(nameOf(scope, id), entry);
    if (!counted) for (const sweep of sweeps) sweep.countIn(life.state);
    this.#enqueue(entry);
    return entry;
  }

  #entry(cell: HotCell): Entry {
    return cell as Entry;
  }

  #enqueue(entry: Entry): void {
    if (entry.life.state.kind !== "pending") return;
    const sweep = entry.sweeps.find((candidate) => candidate.state === "running");
    if (sweep !== undefined) {
      entry.queue = this.#work.add(sweep.seq, entry.fuseKey, entry.life.widthLimit, entry);
    }
  }

  #dequeue(entry: Entry): void {
    if (entry.queue === undefined) return;
    this.#work.remove(entry.queue, entry);
    entry.queue = undefined;
  }

  #list(sweeps: readonly Sweep[]): readonly Sweep[] {
    if (sweeps === this.#lastList) return sweeps;
    return (this.#lastList = this.#sharedList(sweeps));
  }

  #sharedList(sweeps: readonly Sweep[]): readonly Sweep[] {
    const name = sweeps.map((sweep) => sweep.seq).join(",");
    const known = this.#lists.get(name);
    if (known !== undefined) return known;
    this.#lists.set(name, sweeps);
    return sweeps;
  }
}

function nameOf(scope: string, id: CellId): string {
  return scope === "" ? id : `${scope}/${id}`;
}

function lifeOf(cell: StoredCell): CellLife {
  const { attempts, lost, failed, oom, widthLimit } = cell;
  const fresh = attempts + lost + failed + oom + widthLimit === 0 && cell.state === "pending";
  return fresh ? NEW_CELL : { state: stateOf(cell), attempts, lost, failed, oom, widthLimit };
}

function stateOf(cell: StoredCell): CellState {
  switch (cell.state) {
    case "pending":
      return { kind: "pending" };
    case "quarantined":
      return { kind: "quarantined", reason: cell.reason };
    case "cancelled":
      return { kind: "cancelled" };
    case "committed":
      throw new Error(`committed cell ${cell.id} does not change and is not brought back`);
  }
}

/** What the store keeps of a cell: leased and running are told by open leases. */
export function figuresOf({ state, lost, failed, oom, widthLimit }: CellLife): CellFigures {
  const stored = state.kind === "leased" || state.kind === "running" ? "pending" : state.kind;
  const reason = state.kind === "quarantined" ? state.reason : "";
  return { state: stored, reason, lost, failed, oom, widthLimit };
}
