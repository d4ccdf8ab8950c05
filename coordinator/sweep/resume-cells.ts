/**
 * The cancelled cells of a sweep that runs again are pending again. No transaction is of more than two pages of them: a long one
 * holds up every other write, and on PostgreSQL the beat of the lead.
 */
import type { HotCell } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { LIMITS } from "../limits.ts";
import { resumeCell } from "./admit.ts";
import { pagesOf } from "./cells-of-sweep.ts";

/**
 * Ends early when the sweep is cancelled meanwhile.
 * @param inTurn between two chunks of an expansion
 * @param isOver the coordinator stops: what is left is left to the next start
 */
export async function resumeCells(
  hot: Hot,
  sweep: Sweep,
  inTurn: (run: () => Promise<void>) => Promise<void>,
  isOver: () => boolean,
): Promise<void> {
  const isEnded = (): boolean => sweep.state !== "running" || isOver();
  let before = hot.writer.settled();
  // Cells whose cancellation is not durable yet are in memory; the others are in the store, or will be when it is their turn.
  const inMemory = [...hot.cells.all()].filter((cell) => cell.sweeps.includes(sweep));
  for (let from = 0; from < inMemory.length; from += LIMITS.pageKeys) {
    for (const cell of inMemory.slice(from, from + LIMITS.pageKeys)) resumeHot(hot, cell);
    await before;
    if (isEnded()) return;
    before = hot.writer.settled();
  }
  await before;
  for await (const page of pagesOf(hot, sweep, "cancelled")) {
    if (isEnded()) return;
    await inTurn(async () => {
      for (const stored of page) {
        if (sweep.state !== "running") return;
        const known = hot.cells.get(stored.scope, stored.id);
        resumeCell(hot, known ?? hot.cells.restore(stored, hot.sweeps.bySeqs(stored.sweeps)));
      }
      hot.workerNews.work();
    });
    await before;
    before = hot.writer.settled();
  }
}

function resumeHot(hot: Hot, cell: HotCell): void {
  if (hot.cells.get(cell.scope, cell.id) !== cell) return;
  if (cell.life.state.kind === "cancelled") resumeCell(hot, cell);
  else hot.cells.requeue(cell);
}
