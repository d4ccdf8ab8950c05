/** A sweep as JSON for scripts and in a line for people. */
import type { CellSummary, Sweep, WatchSweepResponse, Worker } from "../../proto/gen/occam/v1/operator.ts";
import { printable } from "./output/format.ts";
import type { Snapshot } from "./output/progress.ts";
import { required } from "./operator.ts";
import { sweepStateName, workerStateName } from "./wire-names.ts";

export function sweepJson(sweep: Sweep) {
  return {
    sweepId: sweep.sweepId,
    name: sweep.name,
    state: sweepStateName(sweep.state),
    createdMs: Number(sweep.createdMs),
    finishedMs: sweep.finishedMs === 0n ? null : Number(sweep.finishedMs),
    cells: required(sweep.counts),
    fileName: sweep.fileName,
    noCache: sweep.noCache,
    paused: sweep.paused,
    priority: sweep.priority,
    maxWorkers: sweep.maxWorkers,
    require: sweep.require,
    submitter: sweep.submitter,
  };
}

export function workerJson(worker: Worker) {
  const { capabilities } = worker;
  return {
    workerId: worker.workerId,
    state: workerStateName(worker.state),
    activity: worker.activity,
    backend: capabilities?.backend ?? "",
    host: capabilities?.host ?? "",
    pid: capabilities?.pid ?? 0,
    maxFuseWidth: capabilities?.maxFuseWidth ?? 0,
    cellsHeld: worker.cellsHeld,
    cellsCommitted: Number(worker.cellsCommitted),
    lastSeenMs: Number(worker.lastSeenMs),
    labels: capabilities?.labels ?? {},
    brokenReason: worker.brokenReason,
  };
}

const summaryJson = (cell: CellSummary | undefined) =>
  cell === undefined
    ? null
    : { cellId: cell.cellId, label: cell.label, lambdaHat: cell.lambdaHat, testLoss: cell.testLoss };

export function watchJson(response: WatchSweepResponse) {
  return {
    ...sweepJson(required(response.sweep)),
    cellsPerMinute: response.cellsPerMinute,
    etaMs: response.etaMs === 0n ? null : Number(response.etaMs),
    lowest: summaryJson(response.lowest),
    highest: summaryJson(response.highest),
    workers: response.workers.map(workerJson),
  };
}

export function snapshotOf(response: WatchSweepResponse): Snapshot {
  const sweep = required(response.sweep);
  return {
    sweepId: sweep.sweepId,
    counts: required(sweep.counts),
    workers: response.workers,
    cellsPerMinute: response.cellsPerMinute,
    etaMs: Number(response.etaMs),
    lowest: response.lowest,
    highest: response.highest,
  };
}

/** "name-0123456789  running, 12/48 cells done, ..." */
export function sweepLine(sweep: Sweep): string {
  const counts = required(sweep.counts);
  const cached = counts.cached > 0 ? ` (${counts.cached} from before)` : "";
  const state = sweep.paused === "" ? sweepStateName(sweep.state) : `paused (${printable(sweep.paused)})`;
  const priority = sweep.priority === 0 ? "" : `, priority ${sweep.priority}`;
  return `${sweep.sweepId}  ${state}${priority}, ${countsLine(sweep)}${cached}`;
}

function countsLine(sweep: Sweep): string {
  const counts = required(sweep.counts);
  const parts = [
    `${counts.committed}/${counts.total} cells done`,
    `${counts.running + counts.leased} running`,
    `${counts.quarantined} failed`,
  ];
  const more = [
    [counts.cancelled, "cancelled"],
    [counts.retryWait, "waiting for their next try"],
    [counts.diverged, "diverged"],
  ] as const;
  return [...parts, ...more.flatMap(([count, what]) => (count > 0 ? `${count} ${what}` : []))].join(", ");
}

/** How often its cells ended without a result; "": never. */
export function faultsLine(sweep: Sweep): string {
  const { lost, preempted, failed, oom } = required(sweep.counts);
  const kinds = [
    [failed, "failed"],
    [lost, "lost with their worker"],
    [oom, "out of memory"],
    [preempted, "handed back"],
  ] as const;
  return kinds.flatMap(([count, what]) => (count > 0 ? `${count} ${what}` : [])).join(", ");
}
