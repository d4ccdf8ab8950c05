/**
 * The clock that leases run on: monotonic time, less the time in which this process itself stood still (stopped, swapped out,
 * a sleeping laptop). While it stood still no heartbeat could be read, so none was missed.
 */
import type { Clock } from "../../src/core/clock.ts";

/** A tick that comes later than this many periods means that the process stood still. */
const LATE_TICKS = 3;

export class LeaseClock {
  readonly #clock: Clock;
  readonly #tickMs: number;
  #tickedMs: number;
  #stoodStillMs = 0;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#tickedMs = clock.monotonicMs();
  }

  nowMs(): number {
    return this.#clock.monotonicMs() - this.#stoodStillMs;
  }

  /** To be called every `tickMs`. Returns how long the process stood still since the last call. */
  tick(): number {
    const nowMs = this.#clock.monotonicMs();
    const gapMs = nowMs - this.#tickedMs;
    this.#tickedMs = nowMs;
    const stillMs = gapMs > LATE_TICKS * this.#tickMs ? gapMs - this.#tickMs : 0;
    this.#stoodStillMs += stillMs;
    return stillMs;
  }
}
