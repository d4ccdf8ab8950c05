/** Runs shards in this process and records everything that they say. */
import type { Cell } from "../../src/spec/cell.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import type { ShardCheckpoints } from "../../worker/trainer/shard-checkpoints.ts";
import { runShard } from "../../worker/trainer/run-shard.ts";
import type { MetricPoint, ShardEvents, ShardProgress } from "../../worker/trainer/shard.ts";

export interface RecordedShard {
  /** By cell id. */
  readonly results: ReadonlyMap<string, CellResult>;
  readonly metrics: ReadonlyMap<string, readonly MetricPoint[]>;
  readonly failed: ReadonlyMap<string, { readonly kind: string; readonly reason: string }>;
  readonly progress: readonly ShardProgress[];
}

/** @param onEvent called at every event, e.g. to abort in the middle */
export async function recordShard(
  engine: Engine,
  cells: readonly Cell[],
  signal: AbortSignal = new AbortController().signal,
  onEvent: (kind: "progress" | "metrics" | "result") => void = () => undefined,
  checkpoints?: ShardCheckpoints,
): Promise<RecordedShard> {
  const results = new Map<string, CellResult>();
  const metrics = new Map<string, MetricPoint[]>();
  const failed = new Map<string, { readonly kind: string; readonly reason: string }>();
  const progress: ShardProgress[] = [];
  const events: ShardEvents = {
    progress: (at) => {
      progress.push(at);
      onEvent("progress");
    },
    metrics: (id, points) => {
      metrics.set(id, [...(metrics.get(id) ?? []), ...points]);
      onEvent("metrics");
    },
    log: () => undefined,
    result: (id, result) => {
      if (results.has(id)) throw new Error(`two results of cell ${id}`);
      results.set(id, result);
      onEvent("result");
    },
    failed: (id, kind, reason) => failed.set(id, { kind, reason }),
  };
  await runShard(engine, { cells }, events, signal, undefined, checkpoints);
  return { results, metrics, failed, progress };
}
