/** The ledger against the store, through the public API: everything that was acknowledged is there, once, and nothing else is. */
import {
  CellState,
  ListCellsRequest,
  OperatorServiceService,
  SweepState,
  TailLogsRequest,
  type ListCellsResponse,
  type Sweep,
} from "../../../proto/gen/occam/v1/operator.ts";
import { callUnary, readStream } from "../../../src/rpc/client-calls.ts";
import type { Connection } from "../../../src/rpc/client.ts";
import type { Ledger, SweepPromise } from "./ledger.ts";
import { lineOf, scriptOf, valueOf } from "./made-up-cells.ts";

export interface Found {
  sweeps: number;
  committed: number;
  points: number;
  lines: number;
}

/** What it finds broken goes into the ledger. All sweeps have ended. */
export async function compare(connection: Connection, ledger: Ledger, workerIds: readonly string[]): Promise<Found> {
  const found: Found = { sweeps: 0, committed: 0, points: 0, lines: 0 };
  const { sweeps } = await callUnary(connection.operator, OperatorServiceService.listSweeps, {});
  found.sweeps = sweeps.length;
  const byName = grouped(sweeps, ({ name }) => name);
  for (const promise of ledger.sweeps.values()) {
    const [sweep, ...others] = byName.get(`sweep-${promise.number}`) ?? [];
    if (others.length > 0) ledger.broken(`sweep ${promise.number} is there ${others.length + 1} times`);
    if (sweep !== undefined) await compareSweep(connection, ledger, promise, sweep, found);
    else if (promise.id !== "") ledger.broken(`sweep ${promise.id} was acknowledged and is not there`);
  }
  for (const workerId of workerIds) await compareOwnLog(connection, ledger, workerId, found);
  await compareAudit(connection, ledger);
  return found;
}

async function compareSweep(
  connection: Connection,
  ledger: Ledger,
  promise: SweepPromise,
  sweep: Sweep,
  found: Found,
): Promise<void> {
  const name = `sweep ${promise.number}`;
  const cells = await all(
    readStream(
      connection.operator,
      OperatorServiceService.listCells,
      ListCellsRequest.fromPartial({ sweep: sweep.sweepId }),
    ),
  );
  const ended = promise.cancelSent ? ["cancelled", "finished"] : ["finished"];
  if (!ended.includes(stateOf(sweep))) ledger.broken(`${name} is ${stateOf(sweep)}`);
  if (promise.cancelled && stateOf(sweep) !== "cancelled")
    ledger.broken(`${name} was cancelled and is ${stateOf(sweep)}`);
  compareCounts(ledger, name, sweep, cells, promise);
  for (const cell of cells) compareCell(ledger, cell, promise, found);
  await compareSeries(connection, ledger, sweep.sweepId, cells, found);
  await compareLines(connection, ledger, sweep.sweepId, cells, found);
}

const stateOf = ({ state }: Sweep): string =>
  state === SweepState.SWEEP_STATE_CANCELLED
    ? "cancelled"
    : state === SweepState.SWEEP_STATE_FINISHED
      ? "finished"
      : "running";

function compareCounts(
  ledger: Ledger,
  name: string,
  { counts }: Sweep,
  cells: readonly ListCellsResponse[],
  promise: SweepPromise,
): void {
  const { total, pending, leased, running, committed, quarantined, cancelled } = counts!;
  const listed = (state: CellState): number => cells.filter((cell) => cell.state === state).length;
  const said = { pending, leased, running, committed, quarantined, cancelled };
  const have = {
    pending: listed(CellState.CELL_STATE_PENDING),
    leased: listed(CellState.CELL_STATE_LEASED),
    running: listed(CellState.CELL_STATE_RUNNING),
    committed: listed(CellState.CELL_STATE_COMMITTED),
    quarantined: listed(CellState.CELL_STATE_QUARANTINED),
    cancelled: listed(CellState.CELL_STATE_CANCELLED),
  };
  if (JSON.stringify(said) !== JSON.stringify(have))
    ledger.broken(`${name} counts ${JSON.stringify(said)} and has ${JSON.stringify(have)}`);
  if (total !== cells.length || new Set(cells.map(({ cellId }) => cellId)).size !== total)
    ledger.broken(`${name} says ${total} cells and lists ${cells.length}`);
  if (pending + leased + running + quarantined > 0) ledger.broken(`${name} has ended with ${JSON.stringify(said)}`);
  // A cancel may cut an expansion short.
  if (!promise.cancelSent && (total !== promise.cells || cancelled > 0))
    ledger.broken(`${name} of ${promise.cells} cells has ${total}, ${cancelled} of them cancelled`);
}

function compareCell(ledger: Ledger, cell: ListCellsResponse, promise: SweepPromise, found: Found): void {
  const { cellId, state, resultJson, workerId, attempts, lost, failed } = cell;
  const promised = ledger.committed.get(cellId);
  const isCommitted = state === CellState.CELL_STATE_COMMITTED;
  if (isCommitted) found.committed += 1;
  if (promised !== undefined && !isCommitted) ledger.broken(`the result of ${cellId} was acknowledged and is gone`);
  if (isCommitted && promised === undefined && !promise.cancelSent) ledger.broken(`${cellId} has a result of nobody`);
  if (promised !== undefined && (resultJson !== promised.json || workerId !== promised.workerId))
    ledger.broken(`the result of ${cellId} is another than ${promised.workerId} was acknowledged`);
  if (lost !== 0) ledger.broken(`${cellId} counts ${lost} losses, and no worker died`);
  const failures = ledger.failures.get(cellId) ?? 0;
  if (failed !== failures) ledger.broken(`${cellId} counts ${failed} failures of ${failures}`);
  if (isCommitted && attempts < scriptOf(cellId).faults.length + 1)
    ledger.broken(`${cellId} counts ${attempts} attempts`);
}

/** Of every committed cell, every point, once and in order, of the attempt whose result was taken. */
async function compareSeries(
  connection: Connection,
  ledger: Ledger,
  sweep: string,
  cells: readonly ListCellsResponse[],
  found: Found,
): Promise<void> {
  const points = new Map<string, number>();
  const series = readStream(connection.operator, OperatorServiceService.listSeries, {
    sweep,
    cellId: "",
    namePrefix: "",
  });
  for await (const { cellId, metrics } of series) {
    const token = ledger.committed.get(cellId)?.token;
    for (const [at, step] of metrics!.step.entries()) {
      const index = points.get(cellId) ?? 0;
      points.set(cellId, index + 1);
      if (step !== BigInt(index)) ledger.broken(`point ${index} of ${cellId} is that of step ${step}`);
      if (token !== undefined && metrics!.value[at] !== valueOf(token, index))
        ledger.broken(`point ${index} of ${cellId} is ${metrics!.value[at]}`);
    }
  }
  for (const { cellId, state } of cells) {
    if (state !== CellState.CELL_STATE_COMMITTED) continue;
    const count = points.get(cellId) ?? 0;
    found.points += count;
    if (count !== scriptOf(cellId).points) ledger.broken(`${cellId} has ${count} points of ${scriptOf(cellId).points}`);
  }
}

/** Of every attempt, the lines that were acknowledged, once and in order; of a committed one all. */
async function compareLines(
  connection: Connection,
  ledger: Ledger,
  sweep: string,
  cells: readonly ListCellsResponse[],
  found: Found,
): Promise<void> {
  const lines = await linesOf(connection, { sweep });
  found.lines += lines.length;
  const attempts = grouped(lines, ({ attemptToken, cellId }) => `${attemptToken}/${cellId}`);
  for (const [name, said] of attempts)
    checkOrder(
      ledger,
      `log of ${name}`,
      said.map(({ record }) => record!.message),
      name.split("/")[0]!,
    );
  const known = new Set(cells.map(({ cellId }) => cellId));
  for (const { kind, cellId, token, acked } of ledger.records.values()) {
    if (kind !== "logs" || !known.has(cellId)) continue;
    const stored = attempts.get(`${token}/${cellId}`)?.length ?? 0;
    if (stored < acked) ledger.broken(`${acked} lines of ${token}/${cellId} were acknowledged, ${stored} are there`);
  }
}

async function compareOwnLog(connection: Connection, ledger: Ledger, workerId: string, found: Found): Promise<void> {
  const lines = (await linesOf(connection, { workerId })).filter(({ attemptToken }) => attemptToken === 0n);
  found.lines += lines.length;
  checkOrder(
    ledger,
    `log of ${workerId}`,
    lines.map(({ record }) => record!.message),
    workerId,
  );
  const { acked } = ledger.stream({ cellId: "", token: 0n }, "logs", workerId);
  if (lines.length < acked) ledger.broken(`${acked} lines of ${workerId} were acknowledged, ${lines.length} are there`);
}

function checkOrder(ledger: Ledger, what: string, messages: readonly string[], owner: string): void {
  const wrong = messages.findIndex((message, index) => message !== lineOf(owner, index));
  if (wrong >= 0) ledger.broken(`${what}: line ${wrong} is "${messages[wrong]}"`);
}

/** Every acknowledged action of the operator is in the audit log. */
async function compareAudit(connection: Connection, ledger: Ledger): Promise<void> {
  const messages = (await linesOf(connection, { workerId: "audit" })).map(({ record }) => record!.message);
  for (const { number, id, cancelled } of ledger.sweeps.values()) {
    if (id === "") continue;
    if (!messages.some((text) => text.includes("SubmitSweep") && text.endsWith(` ${id}`)))
      ledger.broken(`the submission of sweep ${number} was acknowledged and is not in the audit log`);
    if (cancelled && !messages.some((text) => text.includes("CancelSweep") && text.endsWith(`cancelled ${id}`)))
      ledger.broken(`the cancel of sweep ${number} was acknowledged and is not in the audit log`);
  }
}

function linesOf({ operator }: Connection, { sweep = "", workerId = "" }: { sweep?: string; workerId?: string }) {
  const request = TailLogsRequest.fromPartial({ sweep, workerId });
  return all(readStream(operator, OperatorServiceService.tailLogs, request));
}

async function all<R>(messages: AsyncIterable<R>): Promise<R[]> {
  const list: R[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

function grouped<T>(items: readonly T[], nameOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(nameOf(item)) ?? [];
    group.push(item);
    groups.set(nameOf(item), group);
  }
  return groups;
}
