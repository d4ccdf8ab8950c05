/** How long a cell was trained and estimated, what earlier attempts have left in a checkpoint included. */

export interface Spent {
  readonly trainMs: number;
  readonly estimateMs: number;
}

const NOTHING: Spent = { trainMs: 0, estimateMs: 0 };

export class CellTimes {
  #before: Spent;
  #now: { readonly what: keyof Spent; readonly elapsedMs: () => number } | undefined;

  constructor(before: Spent = NOTHING) {
    this.#before = before;
  }

  /** At any moment, also while something runs. */
  get spent(): Spent {
    if (this.#now === undefined) return this.#before;
    const { what, elapsedMs } = this.#now;
    return { ...this.#before, [what]: this.#before[what] + elapsedMs() };
  }

  /** From now on this runs. What ran and was not stopped is not counted: it ran out of memory, and is done again. */
  run(what: keyof Spent, elapsedMs: () => number): void {
    this.#now = { what, elapsedMs };
  }

  /** What runs has come to its end. */
  stop(): void {
    this.#before = this.spent;
    this.#now = undefined;
  }
}
