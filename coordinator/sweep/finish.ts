/** The end of a sweep: every cell of its grid has a result or an explained quarantine. */
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";

/** While cancelled cells of a running sweep are brought back, they count as open. */
export function finishIfDone(hot: Hot, sweep: Sweep): void {
  if (sweep.state !== "running" || !sweep.expanded) return;
  if (sweep.open > 0 || sweep.counts.cancelled > 0) return;
  hot.writer.write(sweep.finish(hot.clock.nowMs()));
  hot.logger.info({ sweep: sweep.record.id, cells: sweep.total }, "sweep finished");
}
