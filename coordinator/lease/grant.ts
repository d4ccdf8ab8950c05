/** Grants: cuts shards for a worker's free slots and leases them to it. */
import type { Hot } from "../hot/hot.ts";
import type { WorkerSession } from "../hot/session-book.ts";
import { LIMITS } from "../limits.ts";
import { grantedLease } from "./lease-state.ts";
import type { SyncCommand } from "./sync-messages.ts";

/** Grants that the worker has not listed yet take up slots: it will get them again, not others. */
export function fillSlots(hot: Hot, session: WorkerSession, command: SyncCommand): void {
  if (command.draining || hot.sessions.get(command.workerId) !== session) return;
  const listed = new Set(command.held.map((held) => held.token));
  let slots = Math.min(command.freeSlots, LIMITS.slotsPerSync);
  for (const lease of session.leases) {
    if (lease.state.kind === "granted" && !listed.has(lease.token)) slots -= 1;
  }
  while (slots > 0 && grantShard(hot, session)) slots -= 1;
}

function grantShard(hot: Hot, session: WorkerSession): boolean {
  const { maxFuseWidth, memoryBytes, numericsVersion } = session.capabilities;
  // Its numbers would be of cells with other ids.
  if (numericsVersion !== 0 && numericsVersion !== hot.numericsVersion) return false;
  const cut = hot.work.cut({
    maxFuseWidth,
    memoryBytes,
    leasedFlops: hot.leases.leasedFlops,
    workers: sharingWorkers(hot),
    shardCellsMax: LIMITS.shardCells,
  });
  if (cut === undefined) return false;
  const { fuseKey, cells } = cut;
  const { workerId, sessionId } = session;
  const token = hot.leases.newToken();
  for (const cell of cells) hot.cells.apply(cell, { kind: "granted", token });
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

/** Who shares the work: the workers that are there, and at first those that are on their way. */
function sharingWorkers(hot: Hot): number {
  const active = hot.sessions.countActive(hot.leaseClock.nowMs() - hot.timings.leaseTtlMs);
  const expects = hot.clock.nowMs() - hot.startedMs < hot.timings.expectMs;
  return expects ? Math.max(active, hot.expectedWorkers) : active;
}

function beginRates(
  hot: Hot,
  cells: readonly { readonly sweeps: readonly { rate: { begin(nowMs: number): void } }[] }[],
): void {
  const nowMs = hot.clock.monotonicMs();
  for (const sweep of new Set(cells.flatMap((cell) => cell.sweeps))) sweep.rate.begin(nowMs);
}
