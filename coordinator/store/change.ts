/**
 * What the coordinator writes. The domain decides in memory and says what to persist, as values; a store applies a list of
 * them as one transaction, in order.
 */
import type { CellId, FuseKey, LeaseToken, SessionId, SweepId, WorkerId } from "../../src/core/ids.ts";
import type { LeaseEnd } from "../lease/lease-state.ts";

/** States of a cell that outlive a process; leased and running are read from open leases. */
export type StoredCellState = "pending" | "committed" | "quarantined" | "cancelled";
export type SweepState = "running" | "finished" | "cancelled";

export interface SweepRecord {
  /** Order of submission. */
  readonly seq: number;
  readonly id: SweepId;
  readonly name: string;
  /** "": results are shared with all other sweeps of this scope; else a scope of its own. */
  readonly scope: string;
  readonly state: SweepState;
  readonly specText: string;
  readonly fileName: string;
  readonly createdMs: number;
  readonly finishedMs: number | null;
  /** Grid indices below this one have been turned into cells. */
  readonly expandedTo: number;
  readonly expanded: boolean;
  /** Why it gives out no cells; "": it does. */
  readonly paused: string;
  /** Higher ones first; 0 unless asked for. */
  readonly priority: number;
  /** Workers that may run it at once; 0: any number. */
  readonly maxWorkers: number;
  /** What its workers must be, as it was written. */
  readonly require: readonly string[];
  /** Name of the token that it came with. */
  readonly submitter: string;
}

/** What can be changed of a sweep by those who run it. */
export type Steering = Pick<SweepRecord, "paused" | "priority" | "maxWorkers">;

/** What cells that differ in their seed alone share. */
export interface CellArm {
  readonly fuseKey: FuseKey;
  /** Texts of the configuration on both sides of a cell's own; those that many cells have are stored once. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** There may be many of them until they are written: as few objects as can be. */
export interface NewCell {
  readonly id: CellId;
  readonly arm: CellArm;
  /** Its own text of its configuration, which all of them are when they are joined. */
  readonly own: string;
}

/** Places in the grid that follow one another, and cells whose keys do: each cell stands in the place beside it. */
export interface LinkRun {
  readonly gridIndex: number;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly cached: boolean;
}

/** What a cell's row says beside its identity. */
export interface CellFigures {
  readonly state: StoredCellState;
  readonly reason: string;
  readonly lost: number;
  readonly failed: number;
  readonly oom: number;
  readonly preempted: number;
  /** The most cells it may share a shard with, itself included; 0: no limit. */
  readonly widthLimit: number;
  /** Workers that it failed or was lost on. */
  readonly triedOn: readonly WorkerId[];
  /** A worker must have more bytes of memory; 0: any. */
  readonly memoryAbove: number;
}

/** How one attempt of a cell ended. */
export type AttemptEnd =
  "committed" | "failed" | "out-of-memory" | "lost" | "handed-back" | "released" | "cancelled" | "superseded";

export interface ResultRecord {
  readonly cellKey: number;
  readonly token: LeaseToken;
  readonly workerId: WorkerId;
  readonly digest: string;
  readonly json: string;
  readonly diverged: boolean;
  /** Of the estimate; "" when there is none. */
  readonly verdict: string;
  readonly lambdaHat: number | null;
  /** These two are copies, to select by; the exact figures are in `json` (see DESIGN.md on small doubles). */
  readonly testLoss: number | null;
  readonly committedMs: number;
}

export type StreamKind = "metrics" | "logs";

/**
 * An append-only stream of records: of one attempt (cellKey, token), or of one session (cellKey 0, token 0). Its id is given
 * by the coordinator with the first append.
 */
export interface StreamKey {
  readonly kind: StreamKind;
  /** 0: the log of a session. */
  readonly cellKey: number;
  readonly token: LeaseToken;
  /** "" for the stream of an attempt. */
  readonly sessionId: string;
}

export interface LogLine {
  /** Grows over all lines of the store: the resume token of a tail. */
  readonly seq: number;
  readonly workerId: string;
  /** 0: of no cell. */
  readonly cellKey: number;
  readonly token: LeaseToken;
  readonly timeMs: number;
  /** 1 debug, 2 info, 3 warn, 4 error. */
  readonly level: number;
  readonly message: string;
  readonly fieldsJson: string;
}

interface Append {
  readonly stream: StreamKey;
  readonly streamId: number;
  /** Records of the stream before this append; the store refuses any but its own count. */
  readonly firstOffset: number;
}

export type Change =
  | { readonly kind: "sweep-added"; readonly sweep: SweepRecord }
  | {
      readonly kind: "sweep-changed";
      readonly seq: number;
      readonly state: SweepState;
      readonly finishedMs: number | null;
      readonly expandedTo: number;
      readonly expanded: boolean;
    }
  | ({ readonly kind: "sweep-steered"; readonly seq: number } & Steering)
  /** A worker gets no cells; `reason` "": it does again. */
  | { readonly kind: "worker-broken"; readonly workerId: WorkerId; readonly reason: string; readonly times: number }
  | {
      readonly kind: "fuse-group-set";
      readonly fuseKey: FuseKey;
      readonly bytesPerMember: number;
      readonly flopsPerCell: number;
    }
  /** Their keys follow one another. */
  | {
      readonly kind: "cells-added";
      readonly scope: string;
      readonly firstKey: number;
      readonly cells: readonly NewCell[];
    }
  | { readonly kind: "cells-linked"; readonly sweepSeq: number; readonly links: readonly LinkRun[] }
  | { readonly kind: "cell-changed"; readonly cellKey: number; readonly figures: CellFigures }
  | { readonly kind: "cells-cancelled"; readonly cellKeys: readonly number[] }
  | {
      readonly kind: "session-added";
      readonly seq: number;
      readonly sessionId: SessionId;
      readonly workerId: WorkerId;
      readonly seenMs: number;
    }
  | {
      readonly kind: "lease-granted";
      readonly token: LeaseToken;
      readonly workerId: WorkerId;
      readonly sessionId: SessionId;
      readonly fuseKey: FuseKey;
      readonly cellKeys: readonly number[];
      readonly grantedMs: number;
    }
  | {
      readonly kind: "attempt-ended";
      readonly token: LeaseToken;
      readonly cellKey: number;
      readonly ended: AttemptEnd;
    }
  | { readonly kind: "lease-ended"; readonly token: LeaseToken; readonly ended: LeaseEnd; readonly endedMs: number }
  | { readonly kind: "result-committed"; readonly result: ResultRecord }
  | {
      readonly kind: "finding-noted";
      readonly cellKey: number;
      readonly token: LeaseToken;
      readonly workerId: WorkerId;
      readonly digest: string;
      readonly json: string;
      readonly notedMs: number;
    }
  | ({ readonly kind: "metrics-appended"; readonly count: number; readonly data: Uint8Array } & Append)
  | ({ readonly kind: "logs-appended"; readonly lines: readonly LogLine[] } & Append);
