/**
 * Life of a lease: granted -> held -> ended, or adoptable -> held after a restart of the coordinator. Pure; times are
 * milliseconds of one monotonic clock.
 *
 * Invariants:
 * 1. A lease that its worker does not list by its deadline has ended, in every phase.
 * 2. Ended is terminal: a token lives once.
 * 3. A lease has begun once it was listed in any phase but "queued", and stays so.
 * 4. A lease that is listed and computes without a new step for max(stallMs, STALL_STEPS x its median step) has ended: its
 *    worker is there, and stuck. Before the first step of a phase it is firstStepMs: nothing is known of its pace, and loading data and
 *    compiling come first. Waiting for its turn or for its upload is no standing still.
 */
import type { Timings } from "../timings.ts";

export type LeasePhase = "queued" | "train" | "estimate" | "upload";

export type LeaseEnd = "finished" | "lost" | "unaccepted" | "unclaimed" | "wedged" | "fenced" | "revoked";

/** A step that takes so many times the median step is none. */
const STALL_STEPS = 20;
/** Steps whose time is remembered: enough for a median that one slow step does not move. */
const PACE_SAMPLES = 15;

export type LeaseState =
  /** Persisted and sent, to be sent again until its worker lists it. */
  | { readonly kind: "granted"; readonly deadlineMs: number }
  /** Of a run of the coordinator before this one; its worker may still run it. */
  | { readonly kind: "adoptable"; readonly deadlineMs: number }
  | HeldState
  | { readonly kind: "ended"; readonly end: LeaseEnd };

export interface HeldState {
  readonly kind: "held";
  readonly deadlineMs: number;
  readonly progress: LeaseProgress;
  readonly begun: boolean;
  /** When it was listed with a new step, or a new phase, for the last time. */
  readonly movedMs: number;
  /** Milliseconds of a step, as the latest syncs showed them. */
  readonly pace: readonly number[];
}

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

type Waits = Pick<Timings, "leaseTtlMs" | "acceptMs" | "readoptionMs" | "stallMs" | "firstStepMs">;

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
    case "listed":
      return listed(state, event.progress, event.nowMs, timings);
    case "time":
      if (event.nowMs >= state.deadlineMs) return { kind: "ended", end: endOnTime(state) };
      return isStuck(state, event.nowMs, timings) ? { kind: "ended", end: "wedged" } : undefined;
    case "emptied":
      return { kind: "ended", end: "finished" };
    case "revoked":
      return { kind: "ended", end: "revoked" };
    case "fenced":
      return { kind: "ended", end: "fenced" };
  }
}

function listed(state: LeaseState, progress: LeaseProgress, nowMs: number, timings: Waits): HeldState {
  const before = state.kind === "held" ? state : undefined;
  const begun = progress.phase !== "queued" || before?.begun === true;
  const deadlineMs = nowMs + timings.leaseTtlMs;
  if (before === undefined || before.progress.phase !== progress.phase) {
    return { kind: "held", deadlineMs, progress, begun, movedMs: nowMs, pace: [] };
  }
  const { movedMs, pace } = before;
  const steps = progress.step - before.progress.step;
  if (steps === 0) return { kind: "held", deadlineMs, progress, begun, movedMs, pace };
  // A late message of before steps back: it moved then, and says nothing of the pace.
  const seen = steps > 0 ? [...pace, (nowMs - movedMs) / steps].slice(-PACE_SAMPLES) : pace;
  return { kind: "held", deadlineMs, progress, begun, movedMs: nowMs, pace: seen };
}

function isStuck(state: LeaseState, nowMs: number, timings: Waits): boolean {
  return state.kind === "held" && nowMs - state.movedMs >= stallLimitMs(state, timings);
}

/** How long it may make no step. */
export function stallLimitMs({ progress, pace }: HeldState, timings: Waits): number {
  const { phase, step } = progress;
  if (phase !== "train" && phase !== "estimate") return Number.POSITIVE_INFINITY;
  if (step === 0 && pace.length === 0) return Math.max(timings.firstStepMs, timings.stallMs);
  return Math.max(timings.stallMs, STALL_STEPS * median(pace));
}

/** 0 of nothing. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
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
