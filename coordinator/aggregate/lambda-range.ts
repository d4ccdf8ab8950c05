/** The cells with the lowest and the highest learning coefficient of a sweep, kept up to date commit by commit. */
import type { LambdaExtremes, LambdaRow } from "../store/store.ts";

export class LambdaRange {
  #extremes: LambdaExtremes;

  /** Starts from what the store says. */
  constructor(extremes: LambdaExtremes) {
    this.#extremes = extremes;
  }

  get extremes(): LambdaExtremes {
    return this.#extremes;
  }

  /** A cell was committed with the verdict "ok". Repeats change nothing. */
  add(row: LambdaRow): void {
    const { lowest, highest } = this.#extremes;
    this.#extremes = {
      lowest: lowest === undefined || row.lambdaHat < lowest.lambdaHat ? row : lowest,
      highest: highest === undefined || row.lambdaHat > highest.lambdaHat ? row : highest,
    };
  }
}
