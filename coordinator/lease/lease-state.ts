/**
 * Life of a lease: granted -> held -> ended, or adoptable -> held after a restart of the coordinator. Pure; times are
 * milliseconds of one monotonic clock.
 *
 * Invariants:
 * 1. A lease that its worker does not list by its deadline has ended, in every phase.
 * 2. Ended is terminal: a token lives once.
 * 3. A lease has begun once it was listed in any phase but "queued", and stays so.
 */
import type { Timings } from "../timings.ts";

export type LeasePhase = "queued" | "train" | "estimate" | "upload";

export type LeaseEnd = "finished" | "lost" | "unaccepted" | "unclaimed" | "fenced" | "revoked";

export type LeaseState =
  /** Persisted and sent, to be sent again until its worker lists it. */
  | { readonly kind: "granted"; readonly deadlineMs: number }
  /** Of a run of the coordinator before this one; its worker may still run it. */
  | { readonly kind: "adoptable"; readonly deadlineMs: number }
  | { readonly kind: "held"; readonly deadlineMs: number; readonly progress: LeaseProgress; readonly begun: boolean }
  | { readonly kind: "ended"; readonly end: LeaseEnd };

export interface LeaseProgress {
  readonly phase: LeasePhase;
  readonly step: number;
  readonly steps: number;
}

export type LeaseEvent =
  | { readonly kind: "listed"; readonly nowMs: number; readonly progress: LeaseProgress }
  | { readonly kind: "time"; readonly nowMs: number }
  /** Every cell has ended. */
  | { readonly kind: "emptied" }
  /** The sweeps of all its cells were cancelled, or others committed them. */
  | { readonly kind: "revoked" }
  /** A newer session of its worker has arrived. */
  | { readonly kind: "fenced" };

type Waits = Pick<Timings, "leaseTtlMs" | "acceptMs" | "readoptionMs">;

export function grantedLease(nowMs: number, timings: Waits): LeaseState {
  return { kind: "granted", deadlineMs: nowMs + timings.acceptMs };
}

export function adoptableLease(nowMs: number, timings: Waits): LeaseState {
  return { kind: "adoptable", deadlineMs: nowMs + timings.readoptionMs };
}

/** The lease after the event; undefined when nothing changes. */
export function transition(state: LeaseState, event: LeaseEvent, timings: Waits): LeaseState | undefined {
  if (state.kind === "ended") return undefined;
  switch (event.kind) {
    case "listed": {
      const begun = event.progress.phase !== "queued" || (state.kind === "held" && state.begun);
      const deadlineMs = event.nowMs + timings.leaseTtlMs;
      return { kind: "held", deadlineMs, progress: event.progress, begun };
    }
    case "time":
      return event.nowMs < state.deadlineMs ? undefined : { kind: "ended", end: endOnTime(state) };
    case "emptied":
      return { kind: "ended", end: "finished" };
    case "revoked":
      return { kind: "ended", end: "revoked" };
    case "fenced":
      return { kind: "ended", end: "fenced" };
  }
}

function endOnTime(state: Exclude<LeaseState, { kind: "ended" }>): LeaseEnd {
  switch (state.kind) {
    case "granted":
      return "unaccepted";
    case "adoptable":
      return "unclaimed";
    case "held":
      return "lost";
  }
}

/**
 * How much of the lease's work is still to do, 1 to 0. Training and estimate count as a half each, for want of better: it
 * only steers how evenly the last shards are cut.
 */
export function remainingShare(state: LeaseState): number {
  if (state.kind === "ended") return 0;
  if (state.kind !== "held") return 1;
  const { phase, step, steps } = state.progress;
  const share = steps > 0 ? Math.min(1, Math.max(0, step / steps)) : 0;
  switch (phase) {
    case "queued":
      return 1;
    case "train":
      return 1 - share / 2;
    case "estimate":
      return (1 - share) / 2;
    case "upload":
      return 0;
  }
}
