/** Cells as the coordinator lists them, as rows of the result table. */
import type { ListCellsResponse, Sweep } from "../../proto/gen/occam/v1/operator.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import { asCellId } from "../core/ids.ts";
import { cellResultSchema, type CellResult } from "../result/cell-result.ts";
import { rowOf, type ResultRow } from "../result/row.ts";
import type { CellConfig } from "../spec/cell.ts";

import { parseSweep, type SweepSpec } from "../spec/sweep.ts";
import type { Operator } from "./operator.ts";
import { cellStateName } from "./wire-names.ts";

/** The spec that a sweep's grid indices count in. */
export const specOf = (sweep: Sweep): SweepSpec => parseSweep(sweep.specText, sweep.fileName);

/** Of each quarantined cell; `occam explain` has more. */
const LOG_LINES = 3;

/** Every cell of a sweep, in the coordinator's order. */
export async function* listRows(operator: Operator, sweep: Sweep, spec: SweepSpec): AsyncGenerator<ResultRow> {
  for await (const cell of operator.cells(sweep.sweepId, [], LOG_LINES)) yield recordRow(cell, spec);
}

export function recordRow(cell: ListCellsResponse, spec: SweepSpec): ResultRow {
  const gridIndex = Number(cell.gridIndex);
  return rowOf({
    cellId: asCellId(cell.cellId),
    gridIndex,
    point: spec.at(gridIndex)?.point ?? {},
    config: JSON.parse(cell.configJson) as CellConfig,
    state: cellStateName(cell.state),
    reason: cell.reason,
    result: resultOf(cell),
    workerId: cell.workerId,
    attempts: cell.attempts,
    faults: { lost: cell.lost, failed: cell.failed, oom: cell.oom, preempted: cell.preempted },
    logTail: cell.logTail,
    cached: cell.cached,
  });
}

function resultOf({ cellId, resultJson }: ListCellsResponse): CellResult | undefined {
  if (resultJson === "") return undefined;
  try {
    return cellResultSchema.parse(JSON.parse(resultJson));
  } catch (cause) {
    throw new OccamError("protocol", `the stored result of a cell cannot be read: ${messageOf(cause)}`, {
      where: `cell ${cellId}`,
      hint: "It was written by another version of Occam; `occam version` and `occam status` say which ones run.",
      cause,
    });
  }
}
