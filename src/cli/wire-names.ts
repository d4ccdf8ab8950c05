/** Words for the enumerations of the operator service. */
import { LogLevel } from "../../proto/gen/occam/v1/common.ts";
import { CellState, SweepState, WorkerState } from "../../proto/gen/occam/v1/operator.ts";
import type { LogLevel as LevelName } from "../core/log.ts";
import type { RecordState } from "../result/row.ts";

const SWEEP_STATES = {
  running: SweepState.SWEEP_STATE_RUNNING,
  finished: SweepState.SWEEP_STATE_FINISHED,
  cancelled: SweepState.SWEEP_STATE_CANCELLED,
} as const;
const WORKER_STATES = {
  idle: WorkerState.WORKER_STATE_IDLE,
  busy: WorkerState.WORKER_STATE_BUSY,
  draining: WorkerState.WORKER_STATE_DRAINING,
  lost: WorkerState.WORKER_STATE_LOST,
  broken: WorkerState.WORKER_STATE_BROKEN,
} as const;
const CELL_STATES: Readonly<Record<RecordState, CellState>> = {
  pending: CellState.CELL_STATE_PENDING,
  leased: CellState.CELL_STATE_LEASED,
  running: CellState.CELL_STATE_RUNNING,
  committed: CellState.CELL_STATE_COMMITTED,
  quarantined: CellState.CELL_STATE_QUARANTINED,
  cancelled: CellState.CELL_STATE_CANCELLED,
  "retry-wait": CellState.CELL_STATE_RETRY_WAIT,
};
const LEVELS: Readonly<Record<LevelName, LogLevel>> = {
  debug: LogLevel.LOG_LEVEL_DEBUG,
  info: LogLevel.LOG_LEVEL_INFO,
  warn: LogLevel.LOG_LEVEL_WARN,
  error: LogLevel.LOG_LEVEL_ERROR,
};

function nameIn<Name extends string>(table: Readonly<Record<Name, number>>, value: number): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === value);
}

export const sweepStateName = (state: SweepState): string => nameIn(SWEEP_STATES, state) ?? "unknown";
export const workerStateName = (state: WorkerState): string => nameIn(WORKER_STATES, state) ?? "unknown";
export const cellStateName = (state: CellState): RecordState => nameIn(CELL_STATES, state) ?? "pending";
export const levelName = (level: LogLevel): LevelName => nameIn(LEVELS, level) ?? "info";
export const levelOf = (name: LevelName): LogLevel => LEVELS[name];
