/** Grants: cuts shards for a worker's free slots and leases them to it. */
import type { HotCell } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { CellNeeds } from "../schedule/pending-work.ts";
import { sweepOrder, type Standing } from "../schedule/sweep-order.ts";
import type { Sweep } from "../hot/sweep.ts";
import type { WorkerSession } from "../hot/session-book.ts";
import { LIMITS } from "../limits.ts";
import type { CellEvent } from "./cell-state.ts";
import { whyDeaf } from "./hearing.ts";
import { grantedLease } from "./lease-state.ts";
import type { SyncCommand } from "./sync-messages.ts";
import { isLargerThan, isThereAnother, mayServe, updateTrust } from "./worker-trust.ts";

/** Grants that the worker has not listed yet take up slots: it will get them again, not others. */
export function fillSlots(hot: Hot, session: WorkerSession, command: SyncCommand): void {
  if (command.draining || hot.sessions.get(command.workerId) !== session) return;
  if (whyDeaf(session.hearing, hot.leaseClock.nowMs()) !== "") return;
  const listed = new Set(command.held.map((held) => held.token));
  let slots = Math.min(command.freeSlots, LIMITS.slotsPerSync);
  for (const lease of session.leases) {
    if (lease.state.kind === "granted" && !listed.has(lease.token)) slots -= 1;
  }
  while (slots > 0 && grantShard(hot, session)) slots -= 1;
}

function grantShard(hot: Hot, session: WorkerSession): boolean {
  const { memoryBytes, numericsVersion } = session.capabilities;
  // Its numbers would be of cells with other ids.
  if (numericsVersion !== 0 && numericsVersion !== hot.numericsVersion) return false;
  const maxFuseWidth = trustedWidth(hot, session);
  if (maxFuseWidth === 0) return false;
  const cut = hot.work.cut({
    order: (seqs) => sweepOrder(hot.sweeps.bySeqs(seqs).map((sweep) => standingOf(hot, sweep, session))),
    mayTake: (needs, sweepSeq) => mayTake(hot, session, needs, sweepSeq),
    maxFuseWidth,
    memoryBytes,
    leasedFlops: hot.leases.leasedFlops,
    workers: sharingWorkers(hot),
    shardCellsMax: LIMITS.shardCells,
  });
  if (cut === undefined) return false;
  const { sweepSeq, fuseKey, cells } = cut;
  const { workerId, sessionId } = session;
  const token = hot.leases.newToken();
  const granted: CellEvent = { kind: "granted", token };
  for (const cell of cells) hot.cells.apply(cell, granted);
  const state = grantedLease(hot.leaseClock.nowMs(), hot.timings);
  const { flopsPerCell } = hot.work.group(fuseKey);
  const span = hot.tracer.span("grant", cells[0]?.sweeps.find((sweep) => sweep.traceparent !== "")?.traceparent, {
    "occam.lease": String(token),
    "occam.worker": workerId,
    "occam.cells": cells.length,
  });
  const lease = hot.leases.add({
    token,
    workerId,
    sessionId,
    fuseKey,
    sweepSeq,
    width: cells.length,
    cells,
    state,
    flopsPerCell,
    traceparent: span.traceparent,
  });
  hot.sessions.attach(session, lease);
  const cellKeys = cells.map((cell) => cell.key);
  const grantedMs = hot.clock.nowMs();
  hot.writer.write({ kind: "lease-granted", token, workerId, sessionId, fuseKey, cellKeys, grantedMs });
  beginRates(hot, cells);
  hot.meter.leaseGranted(cells.length);
  span.end();
  hot.logger.debug({ lease: String(token), worker: workerId, fuseKey, cells: cells.length }, "lease granted");
  return true;
}

/** As how it stands for this worker. */
export function standingOf(hot: Hot, sweep: Sweep, session: WorkerSession): Standing {
  const { seq, priority, maxWorkers, paused } = sweep;
  const workers = hot.leases.workersOf(seq);
  return {
    seq,
    priority,
    runningFlops: hot.leases.flopsOf(seq),
    workers: workers.size,
    maxWorkers,
    isServed: workers.has(session.workerId),
    isOffered: paused === "" && mayServe(sweep, session),
  };
}

/** Cells that the worker may have at a time: none while it is broken, one on probation. */
function trustedWidth(hot: Hot, session: WorkerSession): number {
  const { workerId, leases, capabilities } = session;
  updateTrust(hot, workerId);
  switch (hot.health.get(workerId).kind) {
    case "sound":
      return capabilities.maxFuseWidth;
    case "broken":
      // With nobody else there, its cells could not succeed elsewhere.
      return isThereAnother(hot, [workerId]) ? 0 : 1;
    case "probation":
      return leases.size === 0 ? 1 : 0;
  }
}

/** A cell goes to those first that have not had it in vain. */
function mayTake(hot: Hot, session: WorkerSession, { triedOn, memoryAbove }: CellNeeds, sweepSeq: number): boolean {
  const isLargeEnough = (one: WorkerSession): boolean => memoryAbove === 0 || isLargerThan(memoryAbove, one);
  if (!isLargeEnough(session)) return false;
  if (!triedOn.includes(session.workerId)) return true;
  const [sweep] = hot.sweeps.bySeqs([sweepSeq]);
  return !isThereAnother(hot, triedOn, (other) => mayServe(sweep, other) && isLargeEnough(other));
}

/** Who shares the work: the workers that are there, and at first those that are on their way. */
function sharingWorkers(hot: Hot): number {
  const active = hot.sessions.countActive(hot.leaseClock.nowMs() - hot.timings.leaseTtlMs);
  const expects = hot.clock.nowMs() - hot.startedMs < hot.timings.expectMs;
  return expects ? Math.max(active, hot.expectedWorkers) : active;
}

function beginRates(hot: Hot, cells: readonly HotCell[]): void {
  const nowMs = hot.clock.monotonicMs();
  let begun: readonly Sweep[] | undefined;
  for (const { sweeps } of cells) {
    // Cells of the same sweeps share the list.
    if (sweeps !== begun) for (const sweep of sweeps) sweep.rate.begin(nowMs);
    begun = sweeps;
  }
}
