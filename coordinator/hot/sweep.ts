/**
 * A sweep in memory: its record, its counts by state, its rate. The counts change with every transition of a cell (see
 * `CellBook`) and add up to `total` at all times.
 */
import { CommitRate } from "../aggregate/commit-rate.ts";
import type { LambdaRange } from "../aggregate/lambda-range.ts";
import type { CellState } from "../lease/cell-state.ts";
import type { Change, SweepRecord, SweepState } from "../store/change.ts";
import { ChangeSignal } from "./change-signal.ts";

export interface SweepCounts {
  pending: number;
  leased: number;
  running: number;
  committed: number;
  quarantined: number;
  cancelled: number;
  /** Of the committed. */
  diverged: number;
  /** Of the committed: their result stood before the sweep was submitted. */
  cached: number;
}

export class Sweep {
  readonly record: SweepRecord;
  readonly counts: SweepCounts = {
    pending: 0,
    leased: 0,
    running: 0,
    committed: 0,
    quarantined: 0,
    cancelled: 0,
    diverged: 0,
    cached: 0,
  };
  readonly rate = new CommitRate();
  readonly changes = new ChangeSignal();
  /** Set once somebody watches. */
  lambda: LambdaRange | undefined;
  /** The span of its submission, in the process that took it; "" else. Grants of its cells are its children. */
  traceparent = "";
  #state: SweepState;
  #finishedMs: number | null;
  #expandedTo: number;
  #expanded: boolean;

  constructor(record: SweepRecord) {
    this.record = record;
    this.#state = record.state;
    this.#finishedMs = record.finishedMs;
    this.#expandedTo = record.expandedTo;
    this.#expanded = record.expanded;
  }

  get seq(): number {
    return this.record.seq;
  }

  get state(): SweepState {
    return this.#state;
  }

  get finishedMs(): number | null {
    return this.#finishedMs;
  }

  get expandedTo(): number {
    return this.#expandedTo;
  }

  get expanded(): boolean {
    return this.#expanded;
  }

  get open(): number {
    return this.counts.pending + this.counts.leased + this.counts.running;
  }

  get total(): number {
    return this.open + this.counts.committed + this.counts.quarantined + this.counts.cancelled;
  }

  /** Its cells up to this grid index are known; `expanded`: all of them. */
  expandedUpTo(index: number, expanded: boolean): Change {
    this.#expandedTo = index;
    this.#expanded = expanded;
    return this.#changed();
  }

  finish(nowMs: number): Change {
    this.#state = "finished";
    this.#finishedMs = nowMs;
    return this.#changed();
  }

  cancel(nowMs: number): Change {
    this.#state = "cancelled";
    this.#finishedMs = nowMs;
    return this.#changed();
  }

  /** Also of a finished sweep that has open cells again. */
  resume(): Change {
    this.#state = "running";
    this.#finishedMs = null;
    return this.#changed();
  }

  countIn(state: CellState, cells = 1): void {
    this.counts[state.kind] += cells;
    if (state.kind === "committed" && state.diverged) this.counts.diverged += cells;
  }

  countOut(state: CellState): void {
    this.countIn(state, -1);
  }

  #changed(): Change {
    this.changes.changed();
    return {
      kind: "sweep-changed",
      seq: this.seq,
      state: this.#state,
      finishedMs: this.#finishedMs,
      expandedTo: this.#expandedTo,
      expanded: this.#expanded,
    };
  }
}
