/** The cells of a sweep that are in the store in one state, a page at a time. */
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { LIMITS } from "../limits.ts";
import type { KeyRange, StoredCell } from "../store/store.ts";

/** Reads the next page; undefined: there is none. A page may be empty. */
export type NextPage = () => Promise<readonly StoredCell[] | undefined>;

/** Cells that come to be in this state on a page that was read are not found. */
export function pagesOf(hot: Hot, sweep: Sweep, state: StoredCell["state"]): NextPage {
  let left: KeyRange | undefined;
  let isOpen = false;
  return async () => {
    if (!isOpen) left = await hot.store.keysOf(sweep.seq);
    isOpen = true;
    if (left === undefined || left.first > left.last) return undefined;
    const { first } = left;
    const last = Math.min(left.last, first + LIMITS.pageKeys - 1);
    left = { first: last + 1, last: left.last };
    return hot.store.findCellsIn(sweep.seq, state, { first, last });
  };
}
