/**
 * A sweep in memory: its record, its counts by state, its rate. The counts change with every transition of a cell (see
 * `CellBook`) and add up to `total` at all times.
 */
import { CommitRate } from "../aggregate/commit-rate.ts";
import type { LambdaRange } from "../aggregate/lambda-range.ts";
import type { CellLife } from "../lease/cell-state.ts";
import type { Requirement } from "../schedule/requirement.ts";
import { parseRequirement } from "../schedule/requirement.ts";
import type { Change, Steering, SweepRecord, SweepState } from "../store/change.ts";
import { FirstFaults } from "../sweep/first-faults.ts";
import type { FaultCounts } from "../store/store.ts";
import { ChangeSignal } from "./change-signal.ts";

export interface SweepCounts {
  pending: number;
  leased: number;
  running: number;
  /** Failed, and not to be tried yet. */
  retryWait: number;
  committed: number;
  quarantined: number;
  cancelled: number;
  /** Of the committed. */
  diverged: number;
  /** Of the committed: their result stood before the sweep was submitted. */
  cached: number;
  /** Sums over its cells. */
  lost: number;
  preempted: number;
  failed: number;
  oom: number;
}

const NO_CELLS: SweepCounts = {
  pending: 0,
  leased: 0,
  running: 0,
  retryWait: 0,
  committed: 0,
  quarantined: 0,
  cancelled: 0,
  diverged: 0,
  cached: 0,
  lost: 0,
  preempted: 0,
  failed: 0,
  oom: 0,
};

export class Sweep {
  readonly record: SweepRecord;
  readonly counts: SweepCounts = { ...NO_CELLS };
  readonly requirements: readonly Requirement[];
  readonly firstFaults = new FirstFaults();
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
  #steering: Steering;

  constructor(record: SweepRecord) {
    this.record = record;
    this.#state = record.state;
    this.#finishedMs = record.finishedMs;
    this.#expandedTo = record.expandedTo;
    this.#expanded = record.expanded;
    this.requirements = record.require.map(parseRequirement);
    const { paused, priority, maxWorkers } = record;
    this.#steering = { paused, priority, maxWorkers };
  }

  /** Why it gives out no cells; "": it does. */
  get paused(): string {
    return this.#steering.paused;
  }

  /** Higher ones first. */
  get priority(): number {
    return this.#steering.priority;
  }

  /** Workers that may run it at once; 0: any number. */
  get maxWorkers(): number {
    return this.#steering.maxWorkers;
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
    return this.counts.pending + this.counts.leased + this.counts.running + this.counts.retryWait;
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

  /** To be made true in the pending work by the caller. */
  steer(steering: Partial<Steering>): Change {
    this.#steering = { ...this.#steering, ...steering };
    this.changes.changed();
    return { kind: "sweep-steered", seq: this.seq, ...this.#steering };
  }

  countIn(life: CellLife, cells = 1): void {
    const { state } = life;
    this.counts[state.kind === "retry-wait" ? "retryWait" : state.kind] += cells;
    if (state.kind === "committed" && state.diverged) this.counts.diverged += cells;
    this.countFaults(life, cells);
  }

  countOut(life: CellLife): void {
    this.countIn(life, -1);
  }

  countFaults({ lost, preempted, failed, oom }: FaultCounts, cells = 1): void {
    this.counts.lost += cells * lost;
    this.counts.preempted += cells * preempted;
    this.counts.failed += cells * failed;
    this.counts.oom += cells * oom;
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
