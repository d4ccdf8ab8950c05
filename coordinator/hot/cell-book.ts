/**
 * The cells that can still change: every open cell, and an ended one until its end is durable. Ended cells are read from the
 * store.
 *
 * Invariants, kept by the one function that changes a cell, `apply`:
 * 1. A cell stands in the pending work exactly while its state is pending and one of its sweeps is running: in the queues of the
 *    one that gives it out first.
 * 2. The counts of every sweep that contains the cell follow its life.
 * 3. `waiting` are the cells whose state is retry-wait.
 */
import { invariant } from "../../src/core/errors.ts";
import type { CellId, FuseKey } from "../../src/core/ids.ts";
import {
  isOpen,
  NEW_CELL,
  NOBODY,
  shardLimit,
  transition,
  type CellEvent,
  type CellLife,
  type CellState,
  type CellStateKind,
} from "../lease/cell-state.ts";
import type { CellNeeds, PendingWork, Queued } from "../schedule/pending-work.ts";
import type { CellFigures, NewCell, StoredCellState } from "../store/change.ts";
import type { StoredCell } from "../store/store.ts";
import { CellIndex } from "./cell-index.ts";
import type { Sweep } from "./sweep.ts";

export interface HotCell extends Queued<HotCell> {
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
}

/** Of a cell that was cancelled before it ever ran: a million of them share it. */
const CANCELLED_NEW = transition(NEW_CELL, { kind: "cancelled" });

export class CellBook {
  readonly #cells = new CellIndex<Entry>();
  readonly #work: PendingWork<HotCell>;
  readonly #waiting = new Set<HotCell>();
  /** Lists of sweeps by their seqs, so that a million cells share one. */
  readonly #lists = new Map<string, readonly Sweep[]>();

  /** Cells of one list mostly follow one another. */
  #lastList: readonly Sweep[] | undefined;
  #nextKey: number;

  constructor(nextKey: number, work: PendingWork<HotCell>) {
    this.#nextKey = nextKey;
    this.#work = work;
  }

  get size(): number {
    return this.#cells.size;
  }

  /** No cell is in the store alone: of all keys that were ever given each is of a cell here. */
  get isWhole(): boolean {
    return this.#cells.size === this.#nextKey - 1;
  }

  get(scope: string, id: CellId): HotCell | undefined {
    return this.#cells.get(scope, id);
  }

  all(): Iterable<HotCell> {
    return this.#cells.values();
  }

  /** Cells that have failed and are not to be tried yet. */
  get waiting(): ReadonlySet<HotCell> {
    return this.#waiting;
  }

  /** Of the sweep's scope, under a new key. */
  addNew({ id, arm }: NewCell, sweep: Sweep): HotCell {
    const last = this.#lastList;
    const sweeps = last?.length === 1 && last[0] === sweep ? last : [sweep];
    const key = this.#nextKey;
    this.#nextKey += 1;
    return this.#add({ key, id, scope: sweep.record.scope, fuseKey: arm.fuseKey }, NEW_CELL, sweeps);
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
    sweep.countIn(entry.life);
    this.requeue(entry);
  }

  /** Applies the event; undefined when it does not concern the cell. */
  apply(cell: HotCell, event: CellEvent): CellState | undefined {
    const entry = this.#entry(cell);
    const next = event.kind === "cancelled" && entry.life === NEW_CELL ? CANCELLED_NEW : transition(entry.life, event);
    if (next === undefined) return undefined;
    for (const sweep of entry.sweeps) {
      sweep.countOut(entry.life);
      sweep.countIn(next);
      sweep.changes.changed();
    }
    this.#work.remove(entry);
    entry.life = next;
    this.#enqueue(entry);
    if (next.state.kind === "retry-wait") this.#waiting.add(entry);
    else this.#waiting.delete(entry);
    return next.state;
  }

  /** Its sweeps have changed: their states, who is paused, what comes first. */
  requeue(cell: HotCell): void {
    const entry = this.#entry(cell);
    this.#work.remove(entry);
    this.#enqueue(entry);
  }

  /** Drops the cell when it has ended; to be called once its end is durable. */
  evict(cell: HotCell): void {
    if (isOpen(cell.life.state)) return;
    this.#cells.delete(this.#entry(cell));
  }

  #add(
    cell: Pick<HotCell, "key" | "id" | "scope" | "fuseKey">,
    life: CellLife,
    sweeps: readonly Sweep[],
    counted = false,
  ): HotCell {
    const { key, id, scope, fuseKey } = cell;
    const entry: Entry = {
      key,
      id,
      scope,
      fuseKey,
      life,
      sweeps: this.#list(sweeps),
      queue: undefined,
      before: undefined,
      after: undefined,
    };
    this.#cells.add(entry);
    if (!counted) for (const sweep of sweeps) sweep.countIn(life);
    this.#enqueue(entry);
    return entry;
  }

  #entry(cell: HotCell): Entry {
    return cell;
  }

  #enqueue(entry: Entry): void {
    if (entry.life.state.kind !== "pending") return;
    const sweep = giverOf(entry.sweeps);
    if (sweep !== undefined) this.#work.add(sweep.seq, entry.fuseKey, needsOf(entry.life), entry);
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

/** The sweep that a pending cell is given out by: one that is not paused before one that is, then the first in the order of work. */
export function giverOf(sweeps: readonly Sweep[]): Sweep | undefined {
  let best: Sweep | undefined;
  for (const sweep of sweeps) {
    if (sweep.state === "running" && (best === undefined || isBefore(sweep, best))) best = sweep;
  }
  return best;
}

function isBefore(left: Sweep, right: Sweep): boolean {
  const [leftPaused, rightPaused] = [left.paused !== "", right.paused !== ""];
  return leftPaused === rightPaused ? left.priority > right.priority : rightPaused;
}

const NO_NEEDS: CellNeeds = Object.freeze({ widthLimit: 0, triedOn: NEW_CELL.triedOn, memoryAbove: 0 });

function needsOf(life: CellLife): CellNeeds {
  const { triedOn, memoryAbove } = life;
  const widthLimit = shardLimit(life);
  return widthLimit === 0 && memoryAbove === 0 && triedOn.length === 0
    ? NO_NEEDS
    : { widthLimit, triedOn, memoryAbove };
}

function lifeOf(cell: StoredCell): CellLife {
  const { attempts, lost, failed, oom, preempted, widthLimit, triedOn, memoryAbove } = cell;
  // Without a grant there was nothing that could go wrong.
  if (attempts === 0 && cell.state === "pending") return NEW_CELL;
  return {
    state: stateOf(cell),
    attempts,
    lost,
    failed,
    oom,
    preempted,
    widthLimit,
    triedOn,
    memoryAbove,
    vanished: NOBODY,
  };
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

/** What the store keeps of a cell: leased and running are told by open leases; after a restart nothing waits for its next try. */
export function figuresOf(life: CellLife): CellFigures {
  const { state, lost, failed, oom, preempted, widthLimit, triedOn, memoryAbove } = life;
  const reason = state.kind === "quarantined" ? state.reason : "";
  return { state: storedState(state.kind), reason, lost, failed, oom, preempted, widthLimit, triedOn, memoryAbove };
}

/** The state that the store has for a cell in this one. */
export function storedState(kind: CellStateKind): StoredCellState {
  switch (kind) {
    case "pending":
    case "leased":
    case "running":
    case "retry-wait":
      return "pending";
    case "committed":
    case "quarantined":
    case "cancelled":
      return kind;
  }
}
