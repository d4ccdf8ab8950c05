/** All rank arrays of given widths, by enumerating multiplicities of intervals: the slow way, for comparison. */
import type { RankArray } from "../../../src/oracle/deep-linear.ts";

/** Calls back with every rank array of these widths. */
export function eachRankArray(widths: readonly number[], visit: (array: RankArray) => void): void {
  const last = widths.length - 1;
  const ranks = widths.map(() => widths.map(() => 0));
  const left = [...widths];
  const intervals = widths.flatMap((_, i) => widths.slice(i).map((_, length) => [i, i + length] as const));
  // Node i's room must be used up by the intervals that start there, once those that start before it are chosen.
  const choose = (index: number): void => {
    if (index === intervals.length) {
      if (left.every((room) => room === 0)) visit(ranks.map((row) => [...row]));
      return;
    }
    const [start, end] = intervals[index]!;
    if (end === start && left.slice(0, start).some((room) => room > 0)) return;
    const most = Math.min(...left.slice(start, end + 1));
    for (let count = 0; count <= most; count += 1) {
      place(start, end, count);
      choose(index + 1);
      place(start, end, -count);
    }
  };
  const place = (start: number, end: number, count: number): void => {
    for (let i = start; i <= end; i += 1) {
      left[i]! -= count;
      for (let j = i; j <= end; j += 1) ranks[i]![j]! += count;
    }
  };
  if (last >= 0) choose(0);
}

/** sum_{i<j} (r_i,j-1 - r_ij)(r_i+1,j - r_ij), as estimator.md has it. */
export function codimension(array: RankArray): number {
  let sum = 0;
  for (let j = 1; j < array.length; j += 1) {
    for (let i = 0; i < j; i += 1) {
      const r = array[i]![j]!;
      sum += (array[i]![j - 1]! - r) * (array[i + 1]![j]! - r);
    }
  }
  return sum;
}

/** Is a >= b entrywise? */
export function isAbove(a: RankArray, b: RankArray): boolean {
  return a.every((row, i) => row.every((rank, j) => rank >= b[i]![j]!));
}
