/** What happened in a run, for people; silent unless somebody reads it. */
import type { FakeClock } from "../support/fake-clock.ts";

export class Journal {
  readonly #clock: FakeClock;
  readonly #startMs: number;
  readonly #print: ((line: string) => void) | undefined;

  constructor(clock: FakeClock, print: ((line: string) => void) | undefined) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#print = print;
  }

  /** @param what is not called when nobody reads */
  note(what: () => string): void {
    this.#print?.(`${((this.#clock.nowMs() - this.#startMs) / 1000).toFixed(3).padStart(9)} s  ${what()}`);
  }
}
