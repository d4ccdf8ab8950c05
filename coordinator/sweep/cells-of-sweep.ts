/** The cells of a sweep that are in the store in one state, a page at a time. */
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { LIMITS } from "../limits.ts";
import type { StoredCell } from "../store/store.ts";

/** A page may be empty. Cells that come to be in this state on a page that was read are not found. */
export async function* pagesOf(
  hot: Hot,
  sweep: Sweep,
  state: StoredCell["state"],
): AsyncGenerator<readonly StoredCell[], undefined> {
  const keys = await hot.store.keysOf(sweep.seq);
  if (keys === undefined) return;
  for (let first = keys.first; first <= keys.last; first += LIMITS.pageKeys) {
    const last = Math.min(keys.last, first + LIMITS.pageKeys - 1);
    yield hot.store.findCellsIn(sweep.seq, state, { first, last });
  }
}
