/**
 * Life of a cell: pending -> leased -> running -> committed | retry-wait | quarantined | cancelled; retry-wait -> pending. Pure.
 *
 * Invariants:
 * 1. Committed is terminal.
 * 2. A cell is leased or running under one token; events of any other token change nothing, but for a result: a late result
 *    of a cell that still has none is taken, whoever holds the cell now.
 * 3. Losses, failures and memory exhaustion are counted apart; hand-backs are counted and cost nothing. Grants that never began
 *    are not counted, but for those whose worker vanished before it took them up, until one takes the cell up (`vanished`).
 * 4. A quarantine always has a reason.
 * 5. No fault is followed by the same try: a failed cell waits, one that ran out of memory gets fewer neighbours or more memory,
 *    and either goes to a worker that has not had it while there is one (`triedOn`).
 */
import type { LeaseToken, SessionId, WorkerId } from "../../src/core/ids.ts";

/** A cell that was lost this often, on as many workers, is quarantined: it may be what kills them. */
export const LOST_MAX = 3;
/** A cell that failed this often is quarantined. */
export const FAILED_MAX = 3;
/** However few workers it was tried on. A bound for clusters whose workers come and go. */
export const TRIES_MAX = 10;

/**
 * From so many sessions on that vanished between a grant and their next word a cell is granted alone: of a shard it could not be told
 * which cell it was ...
 */
export const VANISHED_SHARED = 3;
/** ... and after so many in all it is quarantined. Twice LOST_MAX: a worker that vanishes may as well be cut off or preempted. */
export const VANISHED_MAX = 6;

export type CellState =
  | { readonly kind: "pending" }
  /** Granted; its worker has not said yet that it holds the lease. */
  | { readonly kind: "leased"; readonly token: LeaseToken }
  | { readonly kind: "running"; readonly token: LeaseToken }
  /** It has failed, and is pending again at this time of the lease clock. */
  | { readonly kind: "retry-wait"; readonly untilMs: number }
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
  /** Hand-backs: its worker drained or was preempted. */
  readonly preempted: number;
  /** The most cells of a shard that it may be in, itself included; 0: no limit. */
  readonly widthLimit: number;
  /** Workers that it failed or was lost on. */
  readonly triedOn: readonly WorkerId[];
  /** It ran out of memory alone with so many bytes: a worker must have more; 0: any. */
  readonly memoryAbove: number;
  /** Sessions that were not heard of again after its grant, since one took it up. Not stored: a restart forgets them. */
  readonly vanished: readonly SessionId[];
}

const NOWHERE: readonly WorkerId[] = Object.freeze([]);
export const NOBODY: readonly SessionId[] = Object.freeze([]);

/** Of a new cell. One object for all of them: a million pending cells share it. */
export const NEW_CELL: CellLife = Object.freeze({
  state: Object.freeze({ kind: "pending" }),
  attempts: 0,
  lost: 0,
  failed: 0,
  oom: 0,
  preempted: 0,
  widthLimit: 0,
  triedOn: NOWHERE,
  memoryAbove: 0,
  vanished: NOBODY,
});

/** Whose fault it was not, as far as is known: where an attempt ended. */
export interface Place {
  readonly worker: WorkerId;
  /** Cells of the shard. */
  readonly width: number;
  /** Another worker is there that the cell was not tried on. */
  readonly untried: boolean;
}

export type CellEvent =
  | { readonly kind: "granted"; readonly token: LeaseToken }
  /** After a restart: a lease of before holds it. */
  | { readonly kind: "restored"; readonly token: LeaseToken }
  /** Its worker lists the lease. */
  | { readonly kind: "listed"; readonly token: LeaseToken }
  /** Its worker, or the process that ran it, died or stood still while it ran. */
  | ({ readonly kind: "lost"; readonly token: LeaseToken; readonly reason: string } & Place)
  /** Taken back without fault; `preempted`: its worker gave it back. */
  | { readonly kind: "released"; readonly token: LeaseToken; readonly preempted: boolean }
  /** Its worker was granted it, and not heard of again: it may have died of it at once. */
  | {
      readonly kind: "vanished";
      readonly token: LeaseToken;
      readonly worker: WorkerId;
      readonly session: SessionId;
      readonly width: number;
    }
  /** `retryAtMs`: when it may be tried again. */
  | ({
      readonly kind: "failed";
      readonly token: LeaseToken;
      readonly reason: string;
      readonly retryAtMs: number;
    } & Place)
  | ({
      readonly kind: "out-of-memory";
      readonly token: LeaseToken;
      readonly reason: string;
      /** What a program may use on the worker that ran out; 0: unknown. */
      readonly memoryBytes: number;
      /** A worker with more is there. */
      readonly larger: boolean;
    } & Place)
  /** Time of the lease clock. */
  | { readonly kind: "time"; readonly nowMs: number }
  | { readonly kind: "result"; readonly token: LeaseToken; readonly digest: string; readonly diverged: boolean }
  | { readonly kind: "cancelled" }
  | { readonly kind: "resumed" }
  /** Somebody asks for a cell without a result to be tried anew: it begins without its faults. */
  | { readonly kind: "rerun" };

type FaultOf<K extends CellEvent["kind"]> = Extract<CellEvent, { readonly kind: K }>;

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
      return { ...life, state: { kind: "running", token: event.token }, vanished: NOBODY };
    case "released": {
      if (!isUnder(state, event.token)) return undefined;
      return { ...life, state: { kind: "pending" }, preempted: life.preempted + Number(event.preempted) };
    }
    case "vanished":
      return isUnder(state, event.token) ? afterVanishing(life, event) : undefined;
    case "lost":
      return isUnder(state, event.token) ? afterLoss(life, event) : undefined;
    case "failed":
      return isUnder(state, event.token) ? afterFailure(life, event) : undefined;
    case "out-of-memory":
      return isUnder(state, event.token) ? afterOutOfMemory(life, event) : undefined;
    case "time":
      return state.kind === "retry-wait" && event.nowMs >= state.untilMs
        ? { ...life, state: { kind: "pending" } }
        : undefined;
    case "result": {
      if (state.kind === "committed" || state.kind === "cancelled") return undefined;
      const { token, digest, diverged } = event;
      return { ...life, state: { kind: "committed", token, digest, diverged } };
    }
    case "cancelled":
      return isOpen(state) ? { ...life, state: { kind: "cancelled" } } : undefined;
    case "resumed":
      return state.kind === "cancelled" ? { ...life, state: { kind: "pending" } } : undefined;
    case "rerun":
      if (state.kind !== "quarantined" && state.kind !== "cancelled") return undefined;
      return { ...NEW_CELL, attempts: life.attempts };
  }
}

/** Not ended: it will be leased, or is. */
export function isOpen(state: CellState): boolean {
  return isOpenKind(state.kind);
}

export function isOpenKind(kind: CellStateKind): boolean {
  return kind === "pending" || kind === "leased" || kind === "running" || kind === "retry-wait";
}

/** Leased or running under this token. */
export function isUnder(state: CellState, token: LeaseToken): boolean {
  return (state.kind === "leased" || state.kind === "running") && state.token === token;
}

function afterVanishing(life: CellLife, { worker, session, width }: FaultOf<"vanished">): CellLife {
  const vanished = life.vanished.includes(session) ? life.vanished : [...life.vanished, session];
  if (vanished.length < VANISHED_MAX || width > 1) return { ...life, vanished, state: { kind: "pending" } };
  const alone = VANISHED_MAX - VANISHED_SHARED;
  const reason =
    `${vanished.length} workers in a row, the last ${alone} with this cell alone, were not heard of again once it was granted to ` +
    `them, the last of them ${worker}: it may be what kills them`;
  return { ...life, vanished, state: { kind: "quarantined", reason } };
}

/** The most cells of a shard that it may be in now; 0: no limit. */
export function shardLimit({ widthLimit, vanished }: CellLife): number {
  return vanished.length >= VANISHED_SHARED ? 1 : widthLimit;
}

function afterLoss(life: CellLife, event: FaultOf<"lost">): CellLife {
  const tried = { ...life, lost: life.lost + 1, triedOn: withWorker(life.triedOn, event.worker) };
  if (!isOver(tried.lost, LOST_MAX, tried, event))
    return { ...narrowed(tried, event.width), state: { kind: "pending" } };
  const { lost, triedOn } = tried;
  const last = event.reason === "" ? "" : `: ${event.reason}`;
  const reason = `its worker died ${lost} times while it ran (on ${list(triedOn)}), the last time in a shard of ${event.width}${last}`;
  return { ...tried, state: { kind: "quarantined", reason } };
}

function afterFailure(life: CellLife, event: FaultOf<"failed">): CellLife {
  const tried = { ...life, failed: life.failed + 1, triedOn: withWorker(life.triedOn, event.worker) };
  if (!isOver(tried.failed, FAILED_MAX, tried, event)) {
    return { ...narrowed(tried, event.width), state: { kind: "retry-wait", untilMs: event.retryAtMs } };
  }
  const { failed, triedOn } = tried;
  const reason = `failed ${failed} times (on ${list(triedOn)}); the last: ${event.reason}`;
  return { ...tried, state: { kind: "quarantined", reason } };
}

/**
 * Enough tries, on enough workers: one bad worker must not quarantine a cell. Where nobody else is there, it is enough that it
 * failed here.
 */
function isOver(count: number, max: number, { triedOn }: CellLife, { untried }: Place): boolean {
  return count >= TRIES_MAX || (count >= max && (triedOn.length >= max || !untried));
}

/** Half as wide; alone, on a worker with more memory; without one, it cannot run here. */
function afterOutOfMemory(life: CellLife, event: FaultOf<"out-of-memory">): CellLife {
  const { width, memoryBytes, larger, reason, worker } = event;
  const counted = { ...life, oom: life.oom + 1 };
  if (width > 1) {
    return { ...counted, state: { kind: "pending" }, widthLimit: tighter(life.widthLimit, Math.floor(width / 2)) };
  }
  const memoryAbove = Math.max(life.memoryAbove, memoryBytes);
  if (larger) return { ...counted, state: { kind: "pending" }, widthLimit: 1, memoryAbove };
  const had = memoryBytes > 0 ? ` with ${gibibytes(memoryBytes)}` : "";
  const why = `out of memory while it ran alone on ${worker}${had}, and no worker with more is connected: ${reason}`;
  return { ...counted, memoryAbove, state: { kind: "quarantined", reason: why } };
}

/**
 * After a first fault the shard's cells run in shards of sqrt(width), after a second each runs alone: a cell that kills its
 * worker is found with LOST_MAX workers, and no other cell of its shards comes to LOST_MAX with it.
 */
function narrowed(life: CellLife, width: number): CellLife {
  const limit = life.lost + life.failed >= 2 ? 1 : Math.ceil(Math.sqrt(width));
  return { ...life, widthLimit: tighter(life.widthLimit, limit) };
}

function tighter(limit: number, other: number): number {
  return limit === 0 ? other : Math.min(limit, other);
}

function withWorker(workers: readonly WorkerId[], worker: WorkerId): readonly WorkerId[] {
  return workers.includes(worker) ? workers : [...workers, worker];
}

const list = (workers: readonly WorkerId[]): string => workers.join(", ");

export const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;
