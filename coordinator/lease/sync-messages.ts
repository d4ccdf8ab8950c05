/** What a sync brings and what it answers, in the domain's terms. */
import type { FuseKey, LeaseToken, SessionId, WorkerId } from "../../src/core/ids.ts";
import type { WorkerCapabilities } from "../hot/session-book.ts";
import type { LeaseProgress } from "./lease-state.ts";

export interface Held {
  readonly token: LeaseToken;
  readonly progress: LeaseProgress;
}

export interface SyncCommand {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly capabilities: WorkerCapabilities | undefined;
  readonly freeSlots: number;
  readonly held: readonly Held[];
  readonly draining: boolean;
  readonly waitMs: number;
  /** The number of the last reply that it has; 0: none, or it does not say. */
  readonly heardReply: number;
}

export interface GrantedCell {
  readonly cellId: string;
  readonly configJson: string;
  readonly attempt: number;
}

export interface SyncReply {
  /** Grows with every reply. */
  readonly number: number;
  readonly fenced: boolean;
  /** Take nothing more and end. */
  readonly drain: boolean;
  readonly grants: readonly {
    readonly token: LeaseToken;
    readonly ttlMs: number;
    readonly fuseKey: FuseKey;
    readonly cells: readonly GrantedCell[];
    readonly traceparent: string;
  }[];
  readonly renewals: readonly { readonly token: LeaseToken; readonly ttlMs: number }[];
  readonly revocations: readonly {
    readonly token: LeaseToken;
    /** Empty: the whole lease. */
    readonly cellIds: readonly string[];
    readonly reason: string;
  }[];
}
