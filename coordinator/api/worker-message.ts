/** A worker, as a message, with what it does now in words. */
import type { Worker } from "../../proto/gen/occam/v1/operator.ts";
import { workerState, type WorkerStateName } from "../../src/wire/enums.ts";
import type { Hot } from "../hot/hot.ts";
import type { HotLease } from "../hot/lease-book.ts";
import type { WorkerSession } from "../hot/session-book.ts";
import { whyDeaf } from "../lease/hearing.ts";

/** Workers heard of lately, by id. Those of earlier runs of the coordinator appear once they are heard of again. */
export function listWorkers(hot: Hot): readonly Worker[] {
  const nowMs = hot.leaseClock.nowMs();
  const workers: Worker[] = [];
  for (const session of hot.sessions.all()) {
    const message = workerMessage(hot, session, nowMs);
    if (message !== undefined) workers.push(message);
  }
  return workers.sort((left, right) => left.workerId.localeCompare(right.workerId, "en", { numeric: true }));
}

function workerMessage(hot: Hot, session: WorkerSession, nowMs: number): Worker | undefined {
  const { seenMs, capabilities } = session;
  if (seenMs === undefined || nowMs - seenMs > hot.timings.workerForgetMs) return undefined;
  const leases = [...session.leases];
  const gone = nowMs - seenMs > hot.timings.leaseTtlMs;
  const health = hot.health.get(session.workerId);
  const deaf = gone ? "" : whyDeaf(session.hearing, nowMs);
  // It said that it would go, and it is gone.
  if (gone && session.draining && leases.length === 0) return undefined;
  return {
    workerId: session.workerId,
    sessionId: session.sessionId,
    state: workerState.toWire(gone ? "lost" : health.kind === "sound" ? stateOf(session, leases) : "broken"),
    capabilities: { ...capabilities, memoryBytes: BigInt(capabilities.memoryBytes) },
    lastSeenMs: BigInt(session.seenAtMs),
    cellsHeld: leases.reduce((sum, lease) => sum + lease.open, 0),
    cellsCommitted: BigInt(session.committed),
    activity: [...leases.map(activityOf), deaf].filter((text) => text !== "").join("; "),
    brokenReason: health.kind === "sound" ? "" : health.reason,
  };
}

function stateOf(session: WorkerSession, leases: readonly HotLease[]): WorkerStateName {
  if (session.draining) return "draining";
  return leases.length > 0 ? "busy" : "idle";
}

/** "train 600/1500, 16 cells" */
function activityOf({ state, open }: HotLease): string {
  const cells = open === 1 ? "1 cell" : `${open} cells`;
  switch (state.kind) {
    case "granted":
      return `granted, ${cells}`;
    case "adoptable":
      return `not heard of since the restart, ${cells}`;
    case "held": {
      const { phase, step, steps } = state.progress;
      return steps > 0 ? `${phase} ${step}/${steps}, ${cells}` : `${phase}, ${cells}`;
    }
    case "ended":
      return `ended, ${cells}`;
  }
}
