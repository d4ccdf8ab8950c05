/** Gathers a shard's events into messages: one per event would cost more than many a step. */
import type { Clock } from "../../src/core/clock.ts";
import type { CellId } from "../../src/core/ids.ts";
import type { LogLevel } from "../../src/core/log.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import type { TrainerEvent } from "./protocol.ts";
import type { MetricPoint, ShardEvents, ShardProgress } from "./shard.ts";

/** Events wait for others at most this long: results and progress look immediate to people. */
const DELAY_MS = 50;
/** A message of more points than this would stall the agent. */
const MAX_POINTS = 4096;

/** Keeps the order of all events; `flush` sends what is gathered. */
export class EventBatch implements ShardEvents {
  readonly #send: (events: readonly TrainerEvent[]) => void;
  readonly #clock: Clock;
  #events: TrainerEvent[] = [];
  #points = 0;
  #firstMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, send: (events: readonly TrainerEvent[]) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  progress(progress: ShardProgress): void {
    this.#add({ type: "progress", progress });
  }

  metrics(cellId: CellId, points: readonly MetricPoint[]): void {
    for (let at = 0; at < points.length; at += MAX_POINTS) {
      const part = points.slice(at, at + MAX_POINTS);
      this.#points += part.length;
      this.#add({ type: "metrics", cellId, points: part });
    }
  }

  log(cellId: CellId, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#add({ type: "log", cellId, timeMs: this.#clock.nowMs(), level, message, fields: cloneable(fields) });
  }

  result(cellId: CellId, result: CellResult): void {
    this.#add({ type: "result", cellId, result });
  }

  failed(cellId: CellId, kind: "error" | "out-of-memory", reason: string): void {
    this.#add({ type: "failed", cellId, kind, reason });
  }

  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#points = 0;
    this.#send(events);
  }

  #add(event: TrainerEvent): void {
    if (this.#events.length === 0) {
      this.#firstMs = this.#clock.monotonicMs();
      this.#cancelTimer = this.#clock.after(DELAY_MS, () => this.flush());
    }
    this.#events.push(event);
    // The timer does not run while a program computes, so the time is looked at here too.
    if (this.#points >= MAX_POINTS || this.#clock.monotonicMs() - this.#firstMs >= DELAY_MS) this.flush();
  }
}

/** Fields come from anywhere; what structured clone cannot copy (functions, for one) must not end the process. */
function cloneable(
  fields: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (fields === undefined) return undefined;
  try {
    return structuredClone(fields);
  } catch {
    return { unreadable: Object.keys(fields).join(", ") };
  }
}
