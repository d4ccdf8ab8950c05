/** Keys of one sweep mostly follow one another: a run of them is one range, and one statement. */
import type { LinkRun } from "./change.ts";

/** Shorter runs are cheaper one by one. */
const RUN_MIN = 8;

/** @param runMin keys of a run, at the least */
export function runsOf(
  keys: readonly number[],
  runMin = RUN_MIN,
): {
  readonly runs: readonly (readonly [first: number, last: number])[];
  readonly singles: readonly number[];
} {
  const sorted = Float64Array.from(keys).sort();
  const runs: [number, number][] = [];
  const singles: number[] = [];
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (sorted[to + 1] === sorted[to]! + 1) to += 1;
    if (to - from + 1 >= runMin) runs.push([sorted[from]!, sorted[to]!]);
    else singles.push(...sorted.subarray(from, to + 1));
    from = to + 1;
  }
  return { runs, singles };
}

/** Gathers links, in the order in which they are found, as runs of them. */
export class LinkRuns {
  readonly #runs: { -readonly [K in keyof LinkRun]: LinkRun[K] }[] = [];

  get runs(): readonly LinkRun[] {
    return this.#runs;
  }

  add(gridIndex: number, cellKey: number, cached: boolean): void {
    const last = this.#runs.at(-1);
    const cells = last === undefined ? 0 : last.lastKey - last.firstKey + 1;
    const follows = last?.lastKey === cellKey - 1 && last.gridIndex + cells === gridIndex && last.cached === cached;
    if (follows) last.lastKey = cellKey;
    else this.#runs.push({ gridIndex, firstKey: cellKey, lastKey: cellKey, cached });
  }
}

/** Is it cheaper as one statement? */
export const isLong = ({ firstKey, lastKey }: LinkRun): boolean => lastKey - firstKey + 1 >= RUN_MIN;
