/** Keys of one sweep mostly follow one another: a run of them is one range, and one statement. */
import type { CellLink } from "./change.ts";

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

/** Links of cells whose keys and whose places in the grid follow one another. */
export interface LinkRun {
  readonly gridIndex: number;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly cached: boolean;
}

export function linkRunsOf(links: readonly CellLink[]): {
  readonly runs: readonly LinkRun[];
  readonly singles: readonly CellLink[];
} {
  const runs: LinkRun[] = [];
  const singles: CellLink[] = [];
  for (let from = 0; from < links.length;) {
    const { gridIndex, cellKey, cached } = links[from]!;
    let to = from + 1;
    while (to < links.length && follows(links[to]!, links[from]!, to - from)) to += 1;
    if (to - from < RUN_MIN) singles.push(...links.slice(from, to));
    else runs.push({ gridIndex, firstKey: cellKey, lastKey: cellKey + to - from - 1, cached });
    from = to;
  }
  return { runs, singles };
}

function follows(link: CellLink, first: CellLink, by: number): boolean {
  const { gridIndex, cellKey, cached } = link;
  return gridIndex === first.gridIndex + by && cellKey === first.cellKey + by && cached === first.cached;
}
