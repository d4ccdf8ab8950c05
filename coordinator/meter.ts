/** What the coordinator tells of its work as it does it, for metrics. Nobody listens by default, and nothing is kept then. */
import type { ErrorCode } from "../src/core/errors.ts";
import type { LeaseEnd } from "./lease/lease-state.ts";
import type { CommitOutcome } from "./lease/commit.ts";
import type { StreamKind } from "./store/change.ts";

/** Work that is put off or refused under load, in the order in which it is. */
export type Shed = "watch" | "sync" | "submit" | "worker";

export interface Meter {
  /** A sync was answered; `tookMs` undefined: it was held back for want of work. */
  synced(tookMs: number | undefined): void;
  committed(outcome: CommitOutcome, tookMs: number): void;
  leaseGranted(cells: number): void;
  leaseEnded(end: LeaseEnd): void;
  appended(kind: StreamKind, records: number, sizeBytes: number): void;
  /** One transaction of the store. */
  stored(changes: number, tookMs: number): void;
  shed(what: Shed): void;
  /** A call was refused at the door: no token, no role, too many. */
  refused(code: ErrorCode): void;
}

const nothing = (): void => undefined;

export const NO_METER: Meter = {
  synced: nothing,
  committed: nothing,
  leaseGranted: nothing,
  leaseEnded: nothing,
  appended: nothing,
  stored: nothing,
  shed: nothing,
  refused: nothing,
};
