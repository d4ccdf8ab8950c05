/**
 * Workers and their sessions. A session is one run of a worker process; the newest session of a worker id is the worker, every
 * other is fenced. Newness is the order of first arrival, which is stored, so that a late message of an old session is known
 * for one after a restart as well.
 */
import type { SessionId, WorkerId } from "../../src/core/ids.ts";
import { HEARS, type Hearing } from "../lease/hearing.ts";
import type { Change } from "../store/change.ts";
import type { StoredSession } from "../store/store.ts";
import type { HotLease } from "./lease-book.ts";

export interface WorkerCapabilities {
  readonly backend: string;
  readonly maxFuseWidth: number;
  readonly memoryBytes: number;
  readonly host: string;
  readonly pid: number;
  readonly packageVersion: string;
  readonly numericsVersion: number;
  /** What it was started with, to be required by sweeps. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A worker's current session. */
export interface WorkerSession {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly leases: ReadonlySet<HotLease>;
  /** Monotonic; undefined: not since this coordinator started. */
  readonly seenMs: number | undefined;
  /** Epoch. */
  readonly seenAtMs: number;
  readonly draining: boolean;
  readonly capabilities: WorkerCapabilities;
  readonly committed: number;
  readonly hearing: Hearing;
  /** Its arrival is durable. */
  readonly isStored: boolean;
}

interface Entry extends WorkerSession {
  readonly leases: Set<HotLease>;
  seenMs: number | undefined;
  seenAtMs: number;
  draining: boolean;
  capabilities: WorkerCapabilities;
  committed: number;
  hearing: Hearing;
  isStored: boolean;
}

/** So that the numbers of replies grow over restarts without being stored: 2 million epochs of 4 thousand million replies. */
const REPLIES_OF_EPOCH = 2 ** 32;

const UNKNOWN_CAPABILITIES: WorkerCapabilities = {
  backend: "",
  maxFuseWidth: 1,
  memoryBytes: 0,
  host: "",
  pid: 0,
  packageVersion: "",
  numericsVersion: 0,
  labels: {},
};

export interface Arrival {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly capabilities: WorkerCapabilities | undefined;
  readonly draining: boolean;
}

export type Arrived =
  | { readonly kind: "current"; readonly session: WorkerSession }
  /** The first word of a session. `replaced`: the one that it fences. */
  | {
      readonly kind: "new";
      readonly session: WorkerSession;
      readonly replaced: WorkerSession | undefined;
      readonly change: Change;
    }
  | { readonly kind: "fenced" }
  /** There are too many workers, and none of them is long gone. */
  | { readonly kind: "full" };

export interface WorkerBounds {
  readonly workers: number;
  /** A worker without leases that was not heard of for this long may make room. */
  readonly forgetMs: number;
}

export class SessionBook {
  readonly #workers = new Map<WorkerId, Entry>();
  /** Every session that is remembered, with its worker. */
  readonly #known = new Map<SessionId, WorkerId>();
  #nextSeq: number;
  #lastReply: number;
  readonly #knownMax: number;
  readonly #bounds: WorkerBounds;

  constructor(nextSeq: number, knownMax: number, bounds: WorkerBounds, epoch = 0n) {
    this.#lastReply = Number(epoch) * REPLIES_OF_EPOCH;
    this.#nextSeq = nextSeq;
    this.#knownMax = knownMax;
    this.#bounds = bounds;
  }

  /** Sessions of earlier runs, oldest first. */
  restore(sessions: readonly StoredSession[], committed: ReadonlyMap<string, number>): void {
    for (const { sessionId, workerId } of sessions) {
      this.#remember(sessionId, workerId);
      const entry = newEntry(workerId, sessionId, committed.get(workerId) ?? 0);
      this.#workers.set(workerId, entry);
      this.stored(entry);
    }
  }

  /** The number of the last answer to a sync. */
  get lastReply(): number {
    return this.#lastReply;
  }

  nextReply(): number {
    this.#lastReply += 1;
    return this.#lastReply;
  }

  get(workerId: WorkerId): WorkerSession | undefined {
    return this.#workers.get(workerId);
  }

  all(): Iterable<WorkerSession> {
    return this.#workers.values();
  }

  arrive(arrival: Arrival, monotonicMs: number, nowMs: number): Arrived {
    const { workerId, sessionId } = arrival;
    const current = this.#workers.get(workerId);
    if (current?.sessionId === sessionId) {
      this.#saw(current, arrival, monotonicMs, nowMs);
      return { kind: "current", session: current };
    }
    if (this.#known.has(sessionId)) return { kind: "fenced" };
    if (current === undefined && !this.#hasRoom(monotonicMs)) return { kind: "full" };
    const session = newEntry(workerId, sessionId, current?.committed ?? 0);
    this.#saw(session, arrival, monotonicMs, nowMs);
    this.#workers.set(workerId, session);
    this.#remember(sessionId, workerId);
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    const change: Change = { kind: "session-added", seq, sessionId, workerId, seenMs: nowMs };
    return { kind: "new", session, replaced: current, change };
  }

  /** A call of the session is still open: its worker is there. */
  stillThere(session: WorkerSession, monotonicMs: number, nowMs: number): void {
    const entry = session as Entry;
    entry.seenMs = monotonicMs;
    entry.seenAtMs = nowMs;
  }

  attach(session: WorkerSession, lease: HotLease): void {
    (session as Entry).leases.add(lease);
  }

  detach(lease: HotLease): void {
    this.#workers.get(lease.workerId)?.leases.delete(lease);
  }

  /** What is known of how well its worker hears. */
  heard(session: WorkerSession, hearing: Hearing): void {
    (session as Entry).hearing = hearing;
  }

  stored(session: WorkerSession): void {
    (session as Entry).isStored = true;
  }

  committed(workerId: WorkerId): void {
    const entry = this.#workers.get(workerId);
    if (entry !== undefined) entry.committed += 1;
  }

  /** Workers that work can be shared between: heard of since `sinceMs` and not draining. */
  countActive(sinceMs: number): number {
    let count = 0;
    for (const { seenMs, draining } of this.#workers.values()) {
      if (seenMs !== undefined && seenMs >= sinceMs && !draining) count += 1;
    }
    return count;
  }

  /** Makes room when there is none, by the worker that came first of those that are gone. */
  #hasRoom(monotonicMs: number): boolean {
    const { workers, forgetMs } = this.#bounds;
    if (this.#workers.size < workers) return true;
    for (const [workerId, { leases, seenMs }] of this.#workers) {
      if (leases.size > 0 || (seenMs !== undefined && monotonicMs - seenMs < forgetMs)) continue;
      this.#workers.delete(workerId);
      return true;
    }
    return false;
  }

  #saw(entry: Entry, arrival: Arrival, monotonicMs: number, nowMs: number): void {
    entry.seenMs = monotonicMs;
    entry.seenAtMs = nowMs;
    entry.draining = arrival.draining;
    if (arrival.capabilities !== undefined) entry.capabilities = arrival.capabilities;
  }

  #remember(sessionId: SessionId, workerId: WorkerId): void {
    this.#known.set(sessionId, workerId);
    if (this.#known.size <= this.#knownMax) return;
    for (const [oldest, worker] of this.#known) {
      if (this.#workers.get(worker)?.sessionId === oldest) continue;
      this.#known.delete(oldest);
      return;
    }
  }
}

function newEntry(workerId: WorkerId, sessionId: SessionId, committed: number): Entry {
  return {
    workerId,
    sessionId,
    leases: new Set(),
    seenMs: undefined,
    seenAtMs: 0,
    draining: false,
    capabilities: UNKNOWN_CAPABILITIES,
    committed,
    hearing: HEARS,
    isStored: false,
  };
}
