/**
 * The clock that leases run on: monotonic time, less the time in which this process itself stood still (stopped, swapped out,
 * a sleeping laptop). While it stood still no heartbeat could be read, so none was missed.
 *
 * It never goes back, and it never runs ahead either: whoever asks before the first tick after a standstill is told what that
 * tick will say. A lease that were renewed by a clock an hour ahead would outlive its worker by that hour.
 */
import type { Clock } from "../../src/core/clock.ts";

/** More than so many periods between two ticks mean that the process stood still. */
const LATE_TICKS = 3;

export class LeaseClock {
  readonly #clock: Clock;
  /** The longest that may pass between two ticks. */
  readonly #lateMs: number;
  #tickedMs: number;
  #stoodStillMs = 0;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#lateMs = LATE_TICKS * tickMs;
    this.#tickedMs = clock.monotonicMs();
  }

  nowMs(): number {
    return Math.min(this.#clock.monotonicMs(), this.#tickedMs + this.#lateMs) - this.#stoodStillMs;
  }

  /** To be called once every period. Returns how long the process stood still since the last call. */
  tick(): number {
    const nowMs = this.#clock.monotonicMs();
    const stillMs = Math.max(0, nowMs - this.#tickedMs - this.#lateMs);
    this.#tickedMs = nowMs;
    this.#stoodStillMs += stillMs;
    return stillMs;
  }
}
