/** The shell around `worker-health.ts`: notes what went wrong or well on a worker, and says who could take a cell instead. */
import type { WorkerId } from "../../src/core/ids.ts";
import type { HotCell } from "../hot/cell-book.ts";
import type { TroubleNote } from "../hot/health-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { WorkerSession } from "../hot/session-book.ts";
import type { Sweep } from "../hot/sweep.ts";
import { unmet } from "../schedule/requirement.ts";
import { COORDINATOR_ID, noteLine } from "../ingest/note-line.ts";
import { whyDeaf } from "./hearing.ts";
import type { HealthEvent } from "./worker-health.ts";

/** A worker's memory counts as more than another's when it is so many times as much: free memory differs from start to start. */
const MORE_MEMORY = 1.25;

/** Heard of within a ttl and hearing us, not draining, of our numbers, and not broken. */
export function isUsable(hot: Hot, session: WorkerSession): boolean {
  const { seenMs, draining, capabilities, workerId, hearing } = session;
  const { numericsVersion } = capabilities;
  if (seenMs === undefined || seenMs < hot.leaseClock.nowMs() - hot.timings.leaseTtlMs || draining) return false;
  if (numericsVersion !== 0 && numericsVersion !== hot.numericsVersion) return false;
  if (whyDeaf(hearing, hot.leaseClock.nowMs()) !== "") return false;
  return hot.health.get(workerId).kind !== "broken";
}

/** Is there a usable worker beside these? */
export function isThereAnother(
  hot: Hot,
  than: readonly WorkerId[],
  fits: (session: WorkerSession) => boolean = () => true,
) {
  for (const session of hot.sessions.all()) {
    if (!than.includes(session.workerId) && isUsable(hot, session) && fits(session)) return true;
  }
  return false;
}

/** It is what the sweep requires. */
export function mayServe(sweep: Sweep | undefined, { capabilities }: WorkerSession): boolean {
  return sweep === undefined || unmet(sweep.requirements, capabilities).length === 0;
}

export function isLargerThan(memoryBytes: number, { capabilities }: WorkerSession): boolean {
  return memoryBytes > 0 && capabilities.memoryBytes >= memoryBytes * MORE_MEMORY;
}

/** @param sweep that the cell is given out by: who cannot serve it is no alternative */
export function noteTrouble(hot: Hot, workerId: WorkerId, trouble: TroubleNote, sweep: Sweep | undefined): void {
  const others = isThereAnother(hot, [workerId], (other) => mayServe(sweep, other));
  change(hot, workerId, { kind: "trouble", ...trouble, nowMs: hot.leaseClock.nowMs(), others });
}

export function noteSuccess(hot: Hot, workerId: WorkerId): void {
  change(hot, workerId, { kind: "success" });
}

/** The cell is quarantined: where it failed on several workers, it was not theirs to answer for. */
export function clearTroubles(hot: Hot, cell: HotCell): void {
  const { triedOn } = cell.life;
  if (triedOn.length < 2) return;
  for (const workerId of triedOn) change(hot, workerId, { kind: "cleared", cellKey: cell.key });
}

/** Somebody has mended it. */
export function resetWorker(hot: Hot, workerId: WorkerId): void {
  change(hot, workerId, { kind: "reset" });
}

/** A broken worker whose time is over is on probation. */
export function updateTrust(hot: Hot, workerId: WorkerId): void {
  change(hot, workerId, { kind: "time", nowMs: hot.leaseClock.nowMs() });
}

function change(hot: Hot, workerId: WorkerId, event: HealthEvent): void {
  const before = hot.health.get(workerId).kind;
  const stored = hot.health.apply(workerId, event);
  if (stored !== undefined) hot.writer.write(stored);
  const after = hot.health.get(workerId);
  if (after.kind === before) return;
  hot.workerChanges.changed();
  hot.workerNews.changed();
  if (after.kind === "broken") {
    hot.logger.warn({ worker: workerId, reason: after.reason, times: after.times }, "worker broken: it gets no cells");
    const message = `worker ${workerId} gets no cells: ${after.reason}`;
    noteLine(hot, { owner: COORDINATOR_ID, level: 3, message });
  } else hot.logger.info({ worker: workerId, trust: after.kind }, "worker may take cells again");
}
