/**
 * Time as one process of the run has it. Everything that wakes a process passes through here: its timers, and the messages that
 * reach it (`deliver`). So a process can be stopped, killed, and wrong about the time, whatever code it runs.
 */
import { sleepBy, type Clock } from "../../src/core/clock.ts";
import type { FakeClock } from "../support/fake-clock.ts";

export class ProcessClock implements Clock {
  readonly #base: FakeClock;
  /** Of its date, and of its monotonic time, which only ever jumps ahead. */
  #dateOffMs: number;
  #aheadMs = 0;
  /** How often it jumped. */
  jumps = 0;
  #stillUntilMs = 0;
  #alive = true;
  readonly #waiting: (() => void)[] = [];

  constructor(base: FakeClock, skewMs = 0) {
    this.#base = base;
    this.#dateOffMs = skewMs;
  }

  get alive(): boolean {
    return this.#alive;
  }

  nowMs(): number {
    return this.#base.nowMs() + this.#dateOffMs;
  }

  monotonicMs(): number {
    return this.#base.monotonicMs() + this.#aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepBy(this, ms, signal);
  }

  after(ms: number, callback: () => void): () => void {
    let cancelled = false;
    const cancel = this.#base.after(ms, () => this.deliver(() => cancelled || callback()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** At once; when it stands still, as soon as it goes on, in the order of the calls; never when it is dead. */
  deliver(callback: () => void): void {
    if (!this.#alive) return;
    if (this.#waiting.length === 0 && this.#stillForMs <= 0) return callback();
    this.#waiting.push(callback);
    if (this.#waiting.length === 1) this.#base.after(this.#stillForMs, () => this.#goOn());
  }

  /** It may have been stopped again meanwhile. */
  #goOn(): void {
    while (this.#alive && this.#stillForMs <= 0 && this.#waiting.length > 0) {
      // Taken out only afterwards: what it delivers itself comes behind those that wait.
      this.#waiting[0]!();
      this.#waiting.shift();
    }
    if (this.#alive && this.#waiting.length > 0) this.#base.after(this.#stillForMs, () => this.#goOn());
  }

  get #stillForMs(): number {
    return this.#stillUntilMs - this.#base.monotonicMs();
  }

  /** SIGKILL: nothing of it runs any more. */
  kill(): void {
    this.#alive = false;
  }

  /** SIGSTOP, and SIGCONT after a while. */
  standStill(forMs: number): void {
    this.#stillUntilMs = Math.max(this.#stillUntilMs, this.#base.monotonicMs() + forMs);
  }

  /** Somebody sets the date. */
  setDate(byMs: number): void {
    this.#dateOffMs += byMs;
  }

  /** The machine slept, and its timers did not notice. */
  jumpAhead(ms: number): void {
    this.jumps += 1;
    this.#aheadMs += ms;
    this.#dateOffMs += ms;
  }
}
