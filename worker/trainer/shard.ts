/**
 * The contract between the trainer process and the learning code: a shard goes in, events come out. `runShard` (in
 * `run-shard.ts`) knows nothing of leases, gRPC or processes.
 */
import type { CellId } from "../../src/core/ids.ts";
import type { LogLevel } from "../../src/core/log.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import type { Cell } from "../../src/spec/cell.ts";

/** Cells of one fuse key, run as one fused program or as several. */
export interface Shard {
  readonly cells: readonly Cell[];
}

export type ShardPhase = "train" | "estimate";

export interface ShardProgress {
  readonly phase: ShardPhase;
  /** Of the phase, the mean over the shard's cells that have no outcome yet: programs run one after another. */
  readonly step: number;
  readonly steps: number;
  /** Cells that still run. */
  readonly live: number;
}

/** One point of one series of one cell. Series: "train.loss", "test.loss", "train.accuracy", "test.accuracy", "chain.0", ... */
export interface MetricPoint {
  readonly series: string;
  readonly step: number;
  /** May be NaN or infinite where a loss was. */
  readonly value: number;
}

export interface ShardEvents {
  progress(progress: ShardProgress): void;
  metrics(cellId: CellId, points: readonly MetricPoint[]): void;
  log(cellId: CellId, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Exactly once for each cell that ends; all its metrics and logs were given before. */
  result(cellId: CellId, result: CellResult): void;
  /** This cell cannot be run; the others go on. */
  failed(cellId: CellId, kind: "error" | "out-of-memory", reason: string): void;
}
