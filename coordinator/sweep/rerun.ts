/** Quarantined cells of a sweep are pending again, without their faults. */
import { figuresOf } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import type { StoredCell } from "../store/store.ts";
import { pagesOf } from "./cells-of-sweep.ts";

/** @param inTurn between two chunks of an expansion. Returns how many cells there were. */
export async function rerunQuarantined(
  hot: Hot,
  sweep: Sweep,
  inTurn: (run: () => Promise<void>) => Promise<void>,
): Promise<number> {
  let cells = 0;
  await hot.writer.settled();
  const pages = pagesOf(hot, sweep, "quarantined");
  /** Of the page before: no transaction is of more than two. */
  let before = hot.writer.settled();
  /** False: there was none left. */
  const rerunPage = async (): Promise<boolean> => {
    let isOver = false;
    await inTurn(async () => {
      const { value: page = [], done } = await pages.next();
      isOver = done === true;
      for (const stored of page) cells += Number(rerunCell(hot, stored));
    });
    hot.workerNews.changed();
    await before;
    before = hot.writer.settled();
    return !isOver;
  };
  while (await rerunPage());
  return cells;
}

function rerunCell(hot: Hot, stored: StoredCell): boolean {
  const { scope, id } = stored;
  const sweeps = hot.sweeps.bySeqs(stored.sweeps);
  const cell = hot.cells.get(scope, id) ?? hot.cells.restore(stored, sweeps);
  if (cell.life.state.kind !== "quarantined") return false;
  // Sweeps that were through with it are not any more.
  for (const sweep of sweeps) if (sweep.state === "finished") hot.writer.write(sweep.resume());
  hot.cells.apply(cell, { kind: "rerun" });
  hot.writer.write({ kind: "cell-changed", cellKey: cell.key, figures: figuresOf(cell.life) });
  return true;
}
