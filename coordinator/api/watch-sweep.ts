/**
 * Watching a sweep: a snapshot at once, then one whenever something changed, never more often than asked for. Changes in
 * between are merged into the next snapshot, so a slow watcher gets fewer messages, not older ones. A busy coordinator sends
 * fewer: a watch is the first to make way.
 */
import type { CellSummary, WatchSweepResponse } from "../../proto/gen/occam/v1/operator.ts";
import type { Send } from "../../src/rpc/adapters.ts";
import { LambdaRange } from "../aggregate/lambda-range.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Hot } from "../hot/hot.ts";
import { stretchOf } from "../hot/loop-load.ts";
import type { Sweep } from "../hot/sweep.ts";
import type { LambdaRow } from "../store/store.ts";
import type { ReadSpec } from "../sweep/spec-reader.ts";
import { sweepMessage } from "./sweep-message.ts";
import { listWorkers } from "./worker-message.ts";

export async function watchSweep(
  coordinator: Coordinator,
  sweep: Sweep,
  minIntervalMs: number,
  send: Send<WatchSweepResponse>,
  signal: AbortSignal,
): Promise<void> {
  const { hot } = coordinator;
  const until = AbortSignal.any([signal, coordinator.stopped]);
  const intervalMs = Math.max(minIntervalMs, hot.timings.watchMinIntervalMs);
  const summaries = new Summaries(hot, sweep);
  while (!until.aborted) {
    const seen = { sweep: sweep.changes.version, workers: hot.workerChanges.version };
    const over = sweep.state !== "running";
    // What is shown is durable.
    await hot.writer.settled();
    await send(await snapshot(hot, sweep, summaries));
    if (over) return;
    await hot.clock.sleep(intervalMs * stretchOf(hot.load()), until);
    await eitherChanged(hot, sweep, seen, until);
  }
}

async function eitherChanged(
  hot: Hot,
  sweep: Sweep,
  seen: { readonly sweep: number; readonly workers: number },
  until: AbortSignal,
): Promise<void> {
  const first = new AbortController();
  const either = AbortSignal.any([until, first.signal]);
  await Promise.race([sweep.changes.wait(seen.sweep, either), hot.workerChanges.wait(seen.workers, either)]);
  // The waiter that lost the race leaves.
  first.abort();
}

async function snapshot(hot: Hot, sweep: Sweep, summaries: Summaries): Promise<WatchSweepResponse> {
  const nowMs = hot.clock.monotonicMs();
  sweep.lambda ??= new LambdaRange(await hot.store.lambdaExtremes(sweep.seq));
  const { lowest, highest } = sweep.lambda.extremes;
  const lowestSummary = await summaries.of(lowest);
  const highestSummary = await summaries.of(highest);
  return {
    sweep: sweepMessage(sweep),
    workers: listWorkers(hot),
    cellsPerMinute: sweep.rate.perMinute(nowMs),
    etaMs: BigInt(sweep.rate.etaMs(sweep.open, nowMs)),
    lowest: lowestSummary,
    highest: highestSummary,
  };
}

/** Labels of cells, which are few and asked for again and again. */
class Summaries {
  readonly #hot: Hot;
  readonly #sweep: Sweep;
  readonly #labels = new Map<string, string>();
  #spec: ReadSpec | undefined;

  constructor(hot: Hot, sweep: Sweep) {
    this.#hot = hot;
    this.#sweep = sweep;
  }

  async of(row: LambdaRow | undefined): Promise<CellSummary | undefined> {
    if (row === undefined) return undefined;
    const { cellId, lambdaHat, testLoss } = row;
    const label = this.#labels.get(cellId) ?? (await this.#label(cellId));
    this.#labels.set(cellId, label);
    return { cellId, label, lambdaHat, testLoss: testLoss ?? Number.NaN };
  }

  async #label(cellId: string): Promise<string> {
    const query = { sweepSeq: this.#sweep.seq, states: [], idPrefix: cellId };
    const [cell] = await this.#hot.store.listCells(query, -1, 1);
    if (cell === undefined) return "";
    const { specText, fileName } = this.#sweep.record;
    this.#spec ??= await this.#hot.specs.read(specText, fileName);
    return this.#spec.label(cell.gridIndex);
  }
}
