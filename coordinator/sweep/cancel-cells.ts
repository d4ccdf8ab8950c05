/**
 * Cancels a sweep: every cell that no other running sweep wants ends here; workers that run one are told.
 *
 * What makes it durable is the sweep's row, and the ends of the attempts that ran. Rows of very many pending cells follow in
 * parts, for a million of them would hold up everybody for seconds: an open cell without a running sweep is a cancelled one, which
 * the next start takes up when this process ends before they are written.
 */
import type { HotCell } from "../hot/cell-book.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { closeMember } from "../lease/attempts.ts";
import { isOpen } from "../lease/cell-state.ts";

/** Cells whose rows are written together: some ten milliseconds. */
const PART = 10_000;

/** Nothing when the sweep does not run. Resolves once every row is written; nobody needs to wait for that. */
export async function cancelCells(hot: Hot, sweep: Sweep, isOver: () => boolean): Promise<void> {
  if (sweep.state !== "running") return;
  hot.writer.write(sweep.cancel(hot.clock.nowMs()));
  const cancelled: HotCell[] = [];
  for (const cell of hot.cells.all()) {
    if (!cell.sweeps.includes(sweep) || !isOpen(cell.life.state)) continue;
    if (cell.sweeps.some((other) => other.state === "running")) hot.cells.requeue(cell);
    else cancelled.push(cell);
  }
  hot.logger.info({ sweep: sweep.record.id, cells: cancelled.length }, "sweep cancelled");
  await endCells(hot, cancelled, isOver);
}

/**
 * Ends cells that no running sweep wants: in memory all of them at once, their rows in parts, the first one at once.
 * @param isOver the coordinator stops: what is not written is left to the next start
 */
export async function endCells(hot: Hot, cells: readonly HotCell[], isOver: () => boolean): Promise<void> {
  for (const cell of cells) endCell(hot, cell);
  for (let from = 0; from < cells.length && !isOver(); from += PART) {
    // Submitted again meanwhile, a cell is pending; its row says so already.
    const part = cells.slice(from, from + PART).filter((cell) => cell.life.state.kind === "cancelled");
    hot.writer.write({ kind: "cells-cancelled", cellKeys: part.map((cell) => cell.key) });
    afterDurable(hot, () => {
      for (const cell of part) hot.cells.evict(cell);
    });
    if (from + PART < cells.length) await hot.writer.settled();
  }
}

function endCell(hot: Hot, cell: HotCell): void {
  const { state } = cell.life;
  hot.cells.apply(cell, { kind: "cancelled" });
  if (state.kind !== "leased" && state.kind !== "running") return;
  hot.writer.write({ kind: "attempt-ended", token: state.token, cellKey: cell.key, ended: "cancelled" });
  closeMember(hot, state.token, cell.id, "cancelled", "its sweep was cancelled");
}
