/** The cells of a sweep, by grid index, page by page: a reader of any speed holds one page in memory. */
import type { ListCellsRequest, ListCellsResponse } from "../../proto/gen/occam/v1/operator.ts";
import type { RecordState } from "../../src/result/row.ts";
import type { Send } from "../../src/rpc/adapters.ts";
import { cellState } from "../../src/wire/enums.ts";
import { storedState } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { LIMITS } from "../limits.ts";
import type { StoredCellState } from "../store/change.ts";
import type { CellQuery, CellRow } from "../store/store.ts";
import { onlyCell } from "./only-cell.ts";
import { atMost } from "./within.ts";

export async function listCells(
  hot: Hot,
  sweep: Sweep,
  request: ListCellsRequest,
  send: Send<ListCellsResponse>,
  signal: AbortSignal,
): Promise<void> {
  atMost(request.states.length, LIMITS.stateFilters, "states");
  const wanted = new Set(request.states.map((state) => cellState.fromWire(state)));
  const logLines = Math.min(request.logLines, LIMITS.explainedLines);
  const states = [...new Set([...wanted].flatMap(storedStates))];
  const idPrefix = request.cellId === "" ? "" : await onlyCell(hot, sweep, request.cellId);
  const query: CellQuery = { sweepSeq: sweep.seq, states, idPrefix };
  await hot.writer.settled();
  for (let after = -1; !signal.aborted;) {
    const page = await hot.store.listCells(query, after, LIMITS.pageRows);
    for (const row of page) {
      const state = liveState(hot, row);
      if (wanted.size > 0 && !wanted.has(state)) continue;
      const lines = state === "quarantined" && logLines > 0 ? await hot.store.lastLines(row.key, logLines) : [];
      await send(
        cellMessage(
          row,
          state,
          lines.map(({ message }) => message),
        ),
      );
    }
    if (page.length < LIMITS.pageRows) return;
    after = page.at(-1)!.gridIndex;
  }
}

/** The states that a cell in this state may have in the store. */
function storedStates(state: RecordState): readonly StoredCellState[] {
  if (state === "cancelled") return ["cancelled", "pending"];
  return [storedState(state)];
}

function cellMessage(row: CellRow, state: RecordState, logTail: readonly string[]): ListCellsResponse {
  return {
    cellId: row.id,
    gridIndex: BigInt(row.gridIndex),
    state: cellState.toWire(state),
    configJson: row.configJson,
    resultJson: row.result?.json ?? "",
    reason: row.reason,
    attempts: row.attempts,
    lost: row.lost,
    failed: row.failed,
    workerId: row.result?.workerId ?? "",
    cached: row.cached,
    committedMs: BigInt(row.result?.committedMs ?? 0),
    oom: row.oom,
    preempted: row.preempted,
    logTail,
  };
}

/**
 * A pending cell may be leased or running: memory knows. What has ended in memory and not in the store is still running; but for
 * a cancelled cell, whose sweep says so in the store already.
 */
export function liveState(hot: Hot, row: CellRow): RecordState {
  if (row.state !== "pending") return row.state;
  const live = hot.cells.get(row.scope, row.id)?.life.state.kind ?? "pending";
  const isShown = live === "pending" || live === "leased" || live === "retry-wait" || live === "cancelled";
  return isShown ? live : "running";
}
