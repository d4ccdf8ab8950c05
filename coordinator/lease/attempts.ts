/**
 * Ends of attempts and leases: the shell around the pure transitions of `cell-state.ts` and `lease-state.ts`. Each function
 * decides in memory and writes the changes in the same turn.
 */
import { backoffMs } from "../../src/core/backoff.ts";
import { invariant } from "../../src/core/errors.ts";
import type { CellId, LeaseToken, SessionId, WorkerId } from "../../src/core/ids.ts";
import { rootKey } from "../../src/core/random.ts";
import { figuresOf, giverOf, type HotCell } from "../hot/cell-book.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import type { HotLease } from "../hot/lease-book.ts";
import { noteLine } from "../ingest/note-line.ts";
import type { AttemptEnd } from "../store/change.ts";
import { finishIfDone } from "../sweep/finish.ts";
import { ALIKE_MAX } from "../sweep/first-faults.ts";
import { pauseSweep } from "../sweep/pause.ts";
import { FAILED_MAX, LOST_MAX, type CellEvent } from "./cell-state.ts";
import { afterUnheard, whyDeaf } from "./hearing.ts";
import type { LeaseEnd, LeaseEvent } from "./lease-state.ts";
import { clearTroubles, isLargerThan, isThereAnother, mayServe, noteTrouble } from "./worker-trust.ts";

/** How an attempt ended without a result, and where. */
export interface Fault {
  readonly kind: "lost" | "vanished" | "failed" | "out-of-memory" | "handed-back" | "released";
  readonly token: LeaseToken;
  readonly worker: WorkerId;
  /** Of a worker that vanished. */
  readonly session?: SessionId;
  /** Cells of the shard. */
  readonly width: number;
  readonly reason: string;
}

/** Ends one attempt of a cell that is under the fault's token. */
export function endAttempt(hot: Hot, cell: HotCell, fault: Fault): void {
  const event = eventOf(hot, cell, fault);
  const next = hot.cells.apply(cell, event);
  if (next === undefined) return;
  const end: AttemptEnd = fault.kind === "vanished" ? "released" : fault.kind;
  closeMember(hot, event.token, cell.id, end);
  hot.writer.write(
    { kind: "attempt-ended", token: event.token, cellKey: cell.key, ended: end },
    { kind: "cell-changed", cellKey: cell.key, figures: figuresOf(cell.life) },
  );
  afterDurable(hot, () => hot.streams.forgetAttempt(cell.key, event.token));
  if (next.kind === "pending") hot.workerNews.work();
  const { worker, token, reason } = fault;
  if (event.kind === "lost" || event.kind === "failed") {
    const trouble = { token, cellKey: cell.key, loss: event.kind === "lost", reason };
    noteTrouble(hot, worker, trouble, giverOf(cell.sweeps));
  }
  // One that ran out of memory is tried otherwise, and may well go then.
  if (event.kind === "failed" || (event.kind === "out-of-memory" && next.kind === "quarantined")) {
    suspectSweeps(hot, cell, reason);
  }
  if (next.kind === "quarantined") quarantined(hot, cell, token, next.reason);
}

type FaultEvent = Extract<CellEvent, { kind: "lost" | "vanished" | "released" | "failed" | "out-of-memory" }>;

function eventOf(hot: Hot, cell: HotCell, { kind, token, worker, session, width, reason }: Fault): FaultEvent {
  if (kind === "handed-back" || kind === "released")
    return { kind: "released", token, preempted: kind === "handed-back" };
  if (kind === "vanished") {
    invariant(session, "who vanished was a session");
    return { kind, token, worker, session, width };
  }
  const { lost, failed, triedOn } = cell.life;
  // Looked for only where it matters: a lost shard has a thousand cells.
  const isLate = kind === "lost" ? lost >= LOST_MAX - 1 : failed >= FAILED_MAX - 1;
  const sweep = giverOf(cell.sweeps);
  const untried = isLate && isThereAnother(hot, [...triedOn, worker], (other) => mayServe(sweep, other));
  const place = { token, worker, width, reason, untried };
  switch (kind) {
    case "lost":
      return { kind, ...place };
    case "failed":
      return { kind, ...place, retryAtMs: hot.leaseClock.nowMs() + retryAfterMs(hot, cell) };
    case "out-of-memory": {
      const memoryBytes = hot.sessions.get(worker)?.capabilities.memoryBytes ?? 0;
      const larger = isThereAnother(
        hot,
        [worker],
        (other) => isLargerThan(memoryBytes, other) && mayServe(sweep, other),
      );
      return { kind, ...place, memoryBytes, larger };
    }
  }
}

function retryAfterMs({ timings }: Hot, { id, life }: HotCell): number {
  return backoffMs(rootKey(`retry/${id}`), life.failed, { baseMs: timings.retryMs, capMs: timings.retryMaxMs });
}

/** Cells whose wait is over are pending again. */
export function retryDue(hot: Hot, nowMs: number): void {
  let any = false;
  for (const cell of hot.cells.waiting) any = hot.cells.apply(cell, { kind: "time", nowMs }) !== undefined || any;
  if (any) hot.workerNews.work();
}

function suspectSweeps(hot: Hot, cell: HotCell, reason: string): void {
  for (const sweep of cell.sweeps) {
    if (sweep.state !== "running" || !sweep.firstFaults.add(cell.key, reason)) continue;
    if (sweep.counts.committed > sweep.counts.cached) continue;
    pauseSweep(hot, sweep, `its first ${ALIKE_MAX} cells all failed alike, the last with: ${reason}`);
  }
}

function quarantined(hot: Hot, cell: HotCell, token: LeaseToken, reason: string): void {
  hot.logger.warn({ cell: cell.id, lease: String(token), reason }, "cell quarantined");
  clearTroubles(hot, cell);
  noteLine(hot, { level: 4, cellKey: cell.key, token, message: `quarantined: ${reason}` });
  for (const sweep of cell.sweeps) finishIfDone(hot, sweep);
  afterDurable(hot, () => hot.cells.evict(cell));
}

/**
 * Marks a cell's attempt as ended in its lease, when the lease is still known, and ends the lease with its last cell.
 * `revoked`: why its worker is to stop the cell, when the worker does not know yet.
 */
export function closeMember(hot: Hot, token: LeaseToken, cellId: CellId, end: AttemptEnd, revoked = ""): void {
  const lease = hot.leases.get(token);
  if (lease?.members.has(cellId) !== true) return;
  hot.leases.endMember(lease, cellId, end, revoked);
  if (revoked !== "") hot.workerNews.ofWorker(lease.workerId);
  if (lease.open === 0) endLease(hot, lease, { kind: revoked === "" ? "emptied" : "revoked" });
}

/** Ends a lease, and with it the attempts that still go on. Nothing when the event does not end it. */
export function endLease(hot: Hot, lease: HotLease, event: LeaseEvent): void {
  if (lease.state.kind === "ended") return;
  const begun = lease.state.kind === "held" && lease.state.begun;
  const unheard = lease.state.kind === "granted";
  const silent = lease.state.kind === "granted" && isSilentSince(hot, lease, lease.state.deadlineMs);
  const end = hot.leases.end(lease, event);
  if (end === undefined) return;
  hot.sessions.detach(lease);
  if (end === "unaccepted") noteUnheard(hot, lease);
  hot.meter.leaseEnded(end);
  // A worker that was started again before it could list a grant may have died of it: a cell that kills at once is no exception.
  const lost = (begun && (end === "lost" || end === "fenced" || end === "wedged")) || (unheard && end === "fenced");
  for (const member of lease.members.values()) {
    if (member.ended !== undefined) continue;
    if (end === "unaccepted" && silent) endVanished(hot, lease, member.cell);
    else endOpenMember(hot, lease, member.cell, lost ? WHY_LOST[end] : undefined);
  }
  hot.writer.write({ kind: "lease-ended", token: lease.token, ended: end, endedMs: hot.clock.nowMs() });
  hot.logger.debug({ lease: String(lease.token), worker: lease.workerId, end }, "lease ended");
  hot.workerChanges.changed();
  afterDurable(hot, () => hot.leases.drop(lease));
}

/** Its worker said nothing since it was granted. A tenth of the accept time is for the call that brought the grant. */
function isSilentSince(hot: Hot, { workerId, sessionId }: HotLease, deadlineMs: number): boolean {
  const session = hot.sessions.get(workerId);
  if (session?.sessionId !== sessionId) return true;
  return session.seenMs === undefined || session.seenMs < deadlineMs - 0.9 * hot.timings.acceptMs;
}

function endVanished(hot: Hot, { token, width, workerId: worker, sessionId: session }: HotLease, cell: HotCell): void {
  endAttempt(hot, cell, { kind: "vanished", token, worker, session, width, reason: "" });
}

/** It may be gone, or cut off for good or from hearing alone: whichever it is, the next grants would go the same way. */
function noteUnheard(hot: Hot, { workerId, sessionId }: HotLease): void {
  const session = hot.sessions.get(workerId);
  if (session?.sessionId !== sessionId) return;
  const nowMs = hot.leaseClock.nowMs();
  const hearing = afterUnheard(session.hearing, nowMs, hot.sessions.lastReply, hot.timings);
  hot.sessions.heard(session, hearing);
  const why = whyDeaf(hearing, nowMs);
  if (why !== "") hot.logger.warn({ worker: workerId, why }, "worker gets no cells");
}

const WHY_LOST: Readonly<Partial<Record<LeaseEnd, string>>> = {
  lost: "its worker was not heard of for a whole ttl",
  fenced: "its worker was started again",
  wedged: "its worker was there and made no step",
};

/** @param lost why, when the worker died with it */
function endOpenMember(hot: Hot, lease: HotLease, cell: HotCell, lost: string | undefined): void {
  const { token, width, workerId: worker } = lease;
  endAttempt(hot, cell, { kind: lost === undefined ? "released" : "lost", token, worker, width, reason: lost ?? "" });
}
