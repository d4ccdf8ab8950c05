/** A paused sweep gives out no cells; what runs goes on. Idempotent. */
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { noteLine } from "../ingest/note-line.ts";
import type { Steering } from "../store/change.ts";

/** @param reason for those who look at it */
export function pauseSweep(hot: Hot, sweep: Sweep, reason: string): void {
  if (sweep.state !== "running" || sweep.paused !== "") return;
  steerSweep(hot, sweep, { paused: reason });
  hot.logger.warn({ sweep: sweep.record.id, reason }, "sweep paused");
  noteLine(hot, { level: 3, message: `sweep ${sweep.record.id} is paused: ${reason}` });
}

/** It gives out cells again; it is not suspected a second time. */
export function unpauseSweep(hot: Hot, sweep: Sweep): void {
  sweep.firstFaults.trust();
  if (sweep.paused === "") return;
  steerSweep(hot, sweep, { paused: "" });
  hot.logger.info({ sweep: sweep.record.id }, "sweep goes on");
}

/** Also its priority and how many workers it may have. Cells that other sweeps have too change hands. */
export function steerSweep(hot: Hot, sweep: Sweep, steering: Partial<Steering>): void {
  hot.writer.write(sweep.steer(steering));
  for (const cell of hot.cells.all()) {
    if (cell.sweeps.length > 1 && cell.sweeps.includes(sweep)) hot.cells.requeue(cell);
  }
  hot.workerNews.changed();
}
