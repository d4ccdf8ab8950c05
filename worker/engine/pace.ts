/** Lets the event loop run between steps, so that abort signals and messages are served while a program computes. */
import { scheduler } from "node:timers/promises";
import { OccamError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/clock.ts";

/** Time between two turns of the event loop: well below a heartbeat, well above the cost of a turn. */
const TURN_EVERY_MS = 25;
/** Time between two progress events. */
const PROGRESS_EVERY_MS = 500;

/** What is done between two steps now and then. */
export interface Interlude {
  turn(): Promise<void>;
}

export class Pace {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #interlude: Interlude | undefined;
  #lastTurnMs: number;
  #lastProgressMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, signal: AbortSignal, interlude?: Interlude) {
    this.#clock = clock;
    this.#signal = signal;
    this.#interlude = interlude;
    this.#lastTurnMs = clock.monotonicMs();
  }

  /** Call it after every step: gives way when it is time. Throws OccamError "cancelled" once the signal has aborted. */
  async turn(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#lastTurnMs >= TURN_EVERY_MS) {
      await scheduler.yield();
      if (!this.#signal.aborted) await this.#interlude?.turn();
      this.#lastTurnMs = this.#clock.monotonicMs();
    }
    if (this.#signal.aborted) throw new OccamError("cancelled", "the shard was cancelled");
  }

  /** True when it is time for the next progress event. */
  progressDue(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastProgressMs < PROGRESS_EVERY_MS) return false;
    this.#lastProgressMs = nowMs;
    return true;
  }
}
