/** Cancels a sweep: every cell that no other running sweep wants ends here; workers that run one are told. */
import type { HotCell } from "../hot/cell-book.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { closeMember } from "../lease/attempts.ts";
import { isOpen } from "../lease/cell-state.ts";

/** Cells of one change; several make one transaction. */
const PART = 10_000;

/** Nothing when the sweep does not run. */
export function cancelCells(hot: Hot, sweep: Sweep): void {
  if (sweep.state !== "running") return;
  hot.writer.write(sweep.cancel(hot.clock.nowMs()));
  const cancelled: HotCell[] = [];
  for (const cell of hot.cells.all()) {
    if (!cell.sweeps.includes(sweep) || !isOpen(cell.life.state)) continue;
    if (cell.sweeps.some((other) => other.state === "running")) hot.cells.requeue(cell);
    else cancelled.push(cell);
  }
  for (const cell of cancelled) cancelCell(hot, cell);
  for (let from = 0; from < cancelled.length; from += PART) {
    const cellKeys = cancelled.slice(from, from + PART).map((cell) => cell.key);
    hot.writer.write({ kind: "cells-cancelled", cellKeys });
  }
  hot.logger.info({ sweep: sweep.record.id, cells: cancelled.length }, "sweep cancelled");
  afterDurable(hot, () => {
    for (const cell of cancelled) hot.cells.evict(cell);
  });
}

/** Its row is written by the caller. */
export function cancelCell(hot: Hot, cell: HotCell): void {
  const { state } = cell.life;
  hot.cells.apply(cell, { kind: "cancelled" });
  if (state.kind !== "leased" && state.kind !== "running") return;
  hot.writer.write({ kind: "attempt-ended", token: state.token, cellKey: cell.key, ended: "cancelled" });
  closeMember(hot, state.token, cell.id, "cancelled", "its sweep was cancelled");
}
