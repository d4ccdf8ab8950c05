/** The enumerations of the wire, in words. */
import { StreamKind } from "../../proto/gen/occam/v1/bulk.ts";
import { LogLevel as WireLevel } from "../../proto/gen/occam/v1/common.ts";
import { CommitOutcome, FailureKind, LeasePhase } from "../../proto/gen/occam/v1/control.ts";
import { CellState, RerunWhat, SweepState, WorkerState } from "../../proto/gen/occam/v1/operator.ts";
import type { LogLevel } from "../core/log.ts";
import type { RecordState } from "../result/row.ts";
import { enumTable } from "./enum-table.ts";

export const logLevel = enumTable<LogLevel, WireLevel>("log level", {
  debug: WireLevel.LOG_LEVEL_DEBUG,
  info: WireLevel.LOG_LEVEL_INFO,
  warn: WireLevel.LOG_LEVEL_WARN,
  error: WireLevel.LOG_LEVEL_ERROR,
});

export type StreamName = "metrics" | "logs";
export const streamKind = enumTable<StreamName, StreamKind>("kind of stream", {
  metrics: StreamKind.STREAM_KIND_METRICS,
  logs: StreamKind.STREAM_KIND_LOGS,
});

export type LeasePhaseName = "queued" | "train" | "estimate" | "upload";
export const leasePhase = enumTable<LeasePhaseName, LeasePhase>("phase of a lease", {
  queued: LeasePhase.LEASE_PHASE_QUEUED,
  train: LeasePhase.LEASE_PHASE_TRAIN,
  estimate: LeasePhase.LEASE_PHASE_ESTIMATE,
  upload: LeasePhase.LEASE_PHASE_UPLOAD,
});

export type FailureName = "error" | "out-of-memory" | "lost";
export const failureKind = enumTable<FailureName, FailureKind>("kind of failure", {
  error: FailureKind.FAILURE_KIND_ERROR,
  "out-of-memory": FailureKind.FAILURE_KIND_OUT_OF_MEMORY,
  lost: FailureKind.FAILURE_KIND_LOST,
});

export type CommitOutcomeName =
  "committed" | "duplicate-same" | "duplicate-different" | "fenced" | "incomplete" | "noted";
export const commitOutcome = enumTable<CommitOutcomeName, CommitOutcome>("outcome of a commit", {
  committed: CommitOutcome.COMMIT_OUTCOME_COMMITTED,
  "duplicate-same": CommitOutcome.COMMIT_OUTCOME_DUPLICATE_SAME,
  "duplicate-different": CommitOutcome.COMMIT_OUTCOME_DUPLICATE_DIFFERENT,
  fenced: CommitOutcome.COMMIT_OUTCOME_FENCED,
  incomplete: CommitOutcome.COMMIT_OUTCOME_INCOMPLETE,
  noted: CommitOutcome.COMMIT_OUTCOME_NOTED,
});

export const cellState = enumTable<RecordState, CellState>("state of a cell", {
  pending: CellState.CELL_STATE_PENDING,
  leased: CellState.CELL_STATE_LEASED,
  running: CellState.CELL_STATE_RUNNING,
  committed: CellState.CELL_STATE_COMMITTED,
  quarantined: CellState.CELL_STATE_QUARANTINED,
  cancelled: CellState.CELL_STATE_CANCELLED,
  "retry-wait": CellState.CELL_STATE_RETRY_WAIT,
});

export type SweepStateName = "running" | "finished" | "cancelled";
export const sweepState = enumTable<SweepStateName, SweepState>("state of a sweep", {
  running: SweepState.SWEEP_STATE_RUNNING,
  finished: SweepState.SWEEP_STATE_FINISHED,
  cancelled: SweepState.SWEEP_STATE_CANCELLED,
});

export type WorkerStateName = "idle" | "busy" | "draining" | "lost" | "broken";
export const workerState = enumTable<WorkerStateName, WorkerState>("state of a worker", {
  idle: WorkerState.WORKER_STATE_IDLE,
  busy: WorkerState.WORKER_STATE_BUSY,
  draining: WorkerState.WORKER_STATE_DRAINING,
  lost: WorkerState.WORKER_STATE_LOST,
  broken: WorkerState.WORKER_STATE_BROKEN,
});

export type RerunWhatName = "failed" | "missing" | "stale";
export const rerunWhat = enumTable<RerunWhatName, RerunWhat>("kind of rerun", {
  failed: RerunWhat.RERUN_WHAT_FAILED,
  missing: RerunWhat.RERUN_WHAT_MISSING,
  stale: RerunWhat.RERUN_WHAT_STALE,
});
