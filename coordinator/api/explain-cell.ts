/** A cell, with why it is as it is and its last log lines. */
import type { ExplainCellRequest, ExplainCellResponse } from "../../proto/gen/occam/v1/operator.ts";
import { OccamError } from "../../src/core/errors.ts";
import { cellState } from "../../src/wire/enums.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { explainCell } from "../lease/explain.ts";
import { LIMITS } from "../limits.ts";
import type { CellRow } from "../store/store.ts";
import { liveState } from "./list-cells.ts";
import { onlyCell } from "./only-cell.ts";
import { tailLine } from "./tail-logs.ts";

export async function explain(hot: Hot, request: ExplainCellRequest): Promise<ExplainCellResponse> {
  await hot.writer.settled();
  const { sweep, row } = await findCell(hot, request);
  const live = hot.cells.get(row.scope, row.id);
  const { because, remedies } = explainCell(hot, sweep, row);
  const { attempts, lost, preempted, failed, oom } = live?.life ?? row;
  const lines = await hot.store.lastLines(row.key, LIMITS.explainedLines);
  return {
    cellId: row.id,
    sweepId: sweep.record.id,
    state: cellState.toWire(liveState(hot, row)),
    attempts,
    lost,
    preempted,
    failed,
    oom,
    because,
    remedies,
    logTail: lines.map((line) => tailLine({ ...line, cellId: row.id })),
  };
}

/** In the sweep that is named, else in the newest that has it. */
async function findCell(
  hot: Hot,
  { sweep: name, cellId }: ExplainCellRequest,
): Promise<{ sweep: Sweep; row: CellRow }> {
  const sweeps = name === "" ? hot.sweeps.all().toReversed() : [hot.sweeps.find(name)];
  let missing: unknown;
  for (const sweep of sweeps) {
    try {
      const idPrefix = await onlyCell(hot, sweep, cellId);
      const [row] = await hot.store.listCells({ sweepSeq: sweep.seq, states: [], idPrefix }, -1, 1);
      if (row !== undefined) return { sweep, row };
    } catch (error) {
      if (!(error instanceof OccamError) || error.code !== "not-found") throw error;
      missing ??= error;
    }
  }
  throw missing ?? new OccamError("not-found", "there are no sweeps yet", { hint: "submit one with `occam submit`" });
}
