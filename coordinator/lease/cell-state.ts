/**
 * Life of a cell: pending -> leased -> running -> committed | quarantined | cancelled. Pure.
 *
 * Invariants:
 * 1. Committed is terminal.
 * 2. A cell is leased or running under one token; events of any other token change nothing, but for a result: a late result
 *    of a cell that still has none is taken, whoever holds the cell now.
 * 3. Losses, failures and memory exhaustion are counted apart; hand-backs and grants that never began cost nothing.
 * 4. A quarantine always has a reason.
 */
import type { LeaseToken } from "../../src/core/ids.ts";

/** A cell whose worker died this often is quarantined: it may be what kills them. */
export const LOST_MAX = 3;
/** A cell that failed this often is quarantined. */
export const FAILED_MAX = 3;

export type CellState =
  | { readonly kind: "pending" }
  /** Granted; its worker has not said yet that it holds the lease. */
  | { readonly kind: "leased"; readonly token: LeaseToken }
  | { readonly kind: "running"; readonly token: LeaseToken }
  | { readonly kind: "committed"; readonly token: LeaseToken; readonly digest: string; readonly diverged: boolean }
  | { readonly kind: "quarantined"; readonly reason: string }
  | { readonly kind: "cancelled" };

export type CellStateKind = CellState["kind"];

export interface CellLife {
  readonly state: CellState;
  /** Grants. */
  readonly attempts: number;
  readonly lost: number;
  readonly failed: number;
  readonly oom: number;
  /** The most cells of a shard that it may be in, itself included; 0: no limit. */
  readonly widthLimit: number;
}

/** Of a new cell. One object for all of them: a million pending cells share it. */
export const NEW_CELL: CellLife = Object.freeze({
  state: Object.freeze({ kind: "pending" }),
  attempts: 0,
  lost: 0,
  failed: 0,
  oom: 0,
  widthLimit: 0,
});

export type CellEvent =
  | { readonly kind: "granted"; readonly token: LeaseToken }
  /** After a restart: a lease of before holds it. */
  | { readonly kind: "restored"; readonly token: LeaseToken }
  /** Its worker lists the lease. */
  | { readonly kind: "listed"; readonly token: LeaseToken }
  /** Its worker, or the process that ran it, died while it ran. `width`: cells of the shard. */
  | { readonly kind: "lost"; readonly token: LeaseToken; readonly width: number }
  /** Given back or taken back without fault. */
  | { readonly kind: "released"; readonly token: LeaseToken }
  | { readonly kind: "failed"; readonly token: LeaseToken; readonly width: number; readonly reason: string }
  | { readonly kind: "out-of-memory"; readonly token: LeaseToken; readonly width: number; readonly reason: string }
  | { readonly kind: "result"; readonly token: LeaseToken; readonly digest: string; readonly diverged: boolean }
  | { readonly kind: "cancelled" }
  | { readonly kind: "resumed" };

/** The cell after the event; undefined when the event does not concern a cell in this state. */
export function transition(life: CellLife, event: CellEvent): CellLife | undefined {
  const { state } = life;
  switch (event.kind) {
    case "granted":
      if (state.kind !== "pending") return undefined;
      return { ...life, state: { kind: "leased", token: event.token }, attempts: life.attempts + 1 };
    case "restored":
      return state.kind === "pending" ? { ...life, state: { kind: "leased", token: event.token } } : undefined;
    case "listed":
      if (state.kind !== "leased" || state.token !== event.token) return undefined;
      return { ...life, state: { kind: "running", token: event.token } };
    case "released":
      return isUnder(state, event.token) ? { ...life, state: { kind: "pending" } } : undefined;
    case "lost":
      return isUnder(state, event.token) ? afterLoss(life, event.width) : undefined;
    case "failed":
      return isUnder(state, event.token) ? afterFailure(life, event.width, event.reason) : undefined;
    case "out-of-memory":
      return isUnder(state, event.token) ? afterOutOfMemory(life, event.width, event.reason) : undefined;
    case "result": {
      if (state.kind === "committed" || state.kind === "cancelled") return undefined;
      const { token, digest, diverged } = event;
      return { ...life, state: { kind: "committed", token, digest, diverged } };
    }
    case "cancelled":
      return isOpen(state) ? { ...life, state: { kind: "cancelled" } } : undefined;
    case "resumed":
      return state.kind === "cancelled" ? { ...life, state: { kind: "pending" } } : undefined;
  }
}

/** Not ended: it will be leased, or is. */
export function isOpen(state: CellState): boolean {
  return state.kind === "pending" || state.kind === "leased" || state.kind === "running";
}

/** Leased or running under this token. */
export function isUnder(state: CellState, token: LeaseToken): boolean {
  return (state.kind === "leased" || state.kind === "running") && state.token === token;
}

function afterLoss(life: CellLife, width: number): CellLife {
  const lost = life.lost + 1;
  if (lost < LOST_MAX) return { ...retried(life, width), lost };
  const reason = `its worker died ${lost} times while it ran, the last time in a shard of ${width}`;
  return { ...life, lost, state: { kind: "quarantined", reason } };
}

function afterFailure(life: CellLife, width: number, reason: string): CellLife {
  const failed = life.failed + 1;
  if (failed < FAILED_MAX) return { ...retried(life, width), failed };
  return { ...life, failed, state: { kind: "quarantined", reason: `failed ${failed} times; the last: ${reason}` } };
}

/** Half as wide; alone and still too large, it is a failure like another. */
function afterOutOfMemory(life: CellLife, width: number, reason: string): CellLife {
  const counted = { ...life, oom: life.oom + 1 };
  if (width <= 1) return afterFailure(counted, width, `out of memory while it ran alone: ${reason}`);
  return { ...counted, state: { kind: "pending" }, widthLimit: tighter(life.widthLimit, Math.floor(width / 2)) };
}

/**
 * After a first fault the shard's cells run in shards of sqrt(width), after a second each runs alone: a cell that kills its
 * worker is found with LOST_MAX workers, and no other cell of its shards comes to LOST_MAX with it.
 */
function retried(life: CellLife, width: number): CellLife {
  const faults = life.lost + life.failed + 1;
  const limit = faults >= 2 ? 1 : Math.ceil(Math.sqrt(width));
  return { ...life, state: { kind: "pending" }, widthLimit: tighter(life.widthLimit, limit) };
}

function tighter(limit: number, other: number): number {
  return limit === 0 ? other : Math.min(limit, other);
}
