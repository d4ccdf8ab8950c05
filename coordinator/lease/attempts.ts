/**
 * Ends of attempts and leases: the shell around the pure transitions of `cell-state.ts` and `lease-state.ts`. Each function
 * decides in memory and writes the changes in the same turn.
 */
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import { figuresOf, type HotCell } from "../hot/cell-book.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import type { HotLease } from "../hot/lease-book.ts";
import { forgetStreams } from "../ingest/forget-streams.ts";
import { noteLine } from "../ingest/note-line.ts";
import type { AttemptEnd } from "../store/change.ts";
import { finishIfDone } from "../sweep/finish.ts";
import type { CellEvent } from "./cell-state.ts";
import type { LeaseEvent } from "./lease-state.ts";

/** Events that end an attempt without a result. */
type FaultEvent = Extract<CellEvent, { kind: "lost" | "released" | "failed" | "out-of-memory" }>;

/** Ends one attempt of a cell that is under the event's token. `end`: how, for the record. */
export function endAttempt(hot: Hot, cell: HotCell, event: FaultEvent, end: AttemptEnd): void {
  const next = hot.cells.apply(cell, event);
  if (next === undefined) return;
  closeMember(hot, event.token, cell.id, end);
  hot.writer.write(
    { kind: "attempt-ended", token: event.token, cellKey: cell.key, ended: end },
    { kind: "cell-changed", cellKey: cell.key, figures: figuresOf(cell.life) },
  );
  afterDurable(hot, () => forgetStreams(hot, cell.key, event.token));
  if (next.kind === "pending") hot.workerNews.work();
  if (next.kind === "quarantined") quarantined(hot, cell, event.token, next.reason);
}

function quarantined(hot: Hot, cell: HotCell, token: LeaseToken, reason: string): void {
  hot.logger.warn({ cell: cell.id, lease: String(token), reason }, "cell quarantined");
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
  const end = hot.leases.end(lease, event);
  if (end === undefined) return;
  hot.sessions.detach(lease);
  hot.meter.leaseEnded(end);
  const lost = begun && (end === "lost" || end === "fenced");
  for (const member of lease.members.values()) {
    if (member.ended === undefined) endOpenMember(hot, lease, member.cell, lost);
  }
  hot.writer.write({ kind: "lease-ended", token: lease.token, ended: end, endedMs: hot.clock.nowMs() });
  hot.logger.debug({ lease: String(lease.token), worker: lease.workerId, end }, "lease ended");
  hot.workerChanges.changed();
  afterDurable(hot, () => hot.leases.drop(lease));
}

function endOpenMember(hot: Hot, lease: HotLease, cell: HotCell, lost: boolean): void {
  const { token, width } = lease;
  if (lost) endAttempt(hot, cell, { kind: "lost", token, width }, "lost");
  else endAttempt(hot, cell, { kind: "released", token }, "released");
}
