/**
 * What the agent and its trainer process tell each other over IPC (structured clone: bigint, NaN and infinities pass).
 *
 * The agent opens the trainer once, then gives it one shard at a time. The trainer answers `open` by `ready` or `unusable`
 * and ends every `run` by exactly one `ended`, after all events of the shard. It ends itself when the channel closes.
 */
import type { CellId } from "../../src/core/ids.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import type { LogLevel } from "../../src/core/log.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { BackendName } from "../engine/loaded-backend.ts";
import type { CheckpointPlan } from "./shard-checkpoints.ts";
import type { MetricPoint, ShardProgress } from "./shard.ts";

export type BackendChoice = "auto" | BackendName;

export type ToTrainer =
  | { readonly type: "open"; readonly backend: BackendChoice; readonly logLevel: LogLevel }
  /** `shardId` is the agent's; the trainer only repeats it. */
  | {
      readonly type: "run";
      readonly shardId: string;
      readonly cells: readonly Cell[];
      /** Of the same cells; undefined: nobody keeps checkpoints. */
      readonly checkpoints: CheckpointPlan | undefined;
    }
  /** Ends the shard at the next step, after checkpoints of all its open cells. */
  | { readonly type: "cut"; readonly shardId: string }
  /** Ends the shard without results for the cells that have none yet. */
  | { readonly type: "abort"; readonly shardId: string };

export type TrainerEvent =
  | { readonly type: "progress"; readonly progress: ShardProgress }
  | { readonly type: "metrics"; readonly cellId: CellId; readonly points: readonly MetricPoint[] }
  | {
      readonly type: "log";
      readonly cellId: CellId;
      readonly timeMs: number;
      readonly level: LogLevel;
      readonly message: string;
      readonly fields?: Readonly<Record<string, unknown>> | undefined;
    }
  | { readonly type: "result"; readonly cellId: CellId; readonly result: CellResult }
  | {
      readonly type: "failed";
      readonly cellId: CellId;
      readonly kind: "error" | "out-of-memory";
      readonly reason: string;
    };

/** The backend that was opened. */
export interface TrainerReady {
  readonly backend: string;
  /** What computes, for people. */
  readonly device: string;
  /** Bytes that the tensors of one fused program may take together. */
  readonly memoryBytes: number;
}

export type FromTrainer =
  | ({ readonly type: "ready" } & TrainerReady)
  | {
      readonly type: "unusable";
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | undefined;
    }
  | { readonly type: "events"; readonly shardId: string; readonly events: readonly TrainerEvent[] }
  | { readonly type: "checkpoint"; readonly shardId: string; readonly cellId: CellId; readonly file: Uint8Array }
  /** With `error`: the whole shard failed. */
  | {
      readonly type: "ended";
      readonly shardId: string;
      readonly error?: { readonly kind: "error" | "out-of-memory"; readonly reason: string };
    };
