/**
 * Log lines of all workers in the order in which they became durable, with filters; `follow` goes on as lines come. Each line
 * carries its place as a resume token: a tail that broke off goes on after the last token it saw, without a gap or a repeat.
 */
import type { TailLogsRequest, TailLogsResponse } from "../../proto/gen/occam/v1/operator.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { Send } from "../../src/rpc/adapters.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Hot } from "../hot/hot.ts";
import { LIMITS } from "../limits.ts";
import type { LogQuery, LogRow } from "../store/store.ts";
import { onlyCell } from "./only-cell.ts";
import type { LogLevel } from "../../proto/gen/occam/v1/common.ts";

export async function tailLogs(
  coordinator: Coordinator,
  request: TailLogsRequest,
  send: Send<TailLogsResponse>,
  signal: AbortSignal,
): Promise<void> {
  const { hot } = coordinator;
  const until = AbortSignal.any([signal, coordinator.stopped]);
  const query = await queryOf(hot, request);
  const matches = textFilter(request.text);
  await hot.writer.settled();
  let after = placeOf(request.resumeToken);
  if (request.last > 0) {
    const endSeq = hot.streams.nextLogSeq;
    const rows = await lastLines(hot, query, matches, request.last, { from: after, to: endSeq });
    for (const row of rows) await send(tailLine(row));
    after = endSeq - 1;
    if (!request.follow) return;
  }
  while (!until.aborted) {
    const { version } = hot.logChanges;
    const page = await hot.store.listLogs(query, after, LIMITS.logPageRows);
    for (const row of page) if (matches(row)) await send(tailLine(row));
    after = page.at(-1)?.seq ?? after;
    if (page.length === LIMITS.logPageRows) continue;
    if (!request.follow) return;
    await hot.logChanges.wait(version, until);
  }
}

async function queryOf(hot: Hot, request: TailLogsRequest): Promise<LogQuery> {
  const sweep = request.sweep === "" ? undefined : hot.sweeps.find(request.sweep);
  const cellId = request.cellId.toLowerCase();
  return {
    sweepSeq: sweep?.seq,
    cellIdPrefix: sweep === undefined || cellId === "" ? cellId : await onlyCell(hot, sweep, cellId),
    workerId: request.workerId,
    minLevel: request.minLevel,
    sinceMs: Number(request.sinceMs),
  };
}

/** A case-insensitive substring, by the rules of Unicode, which SQL does not know. */
function textFilter(text: string): (row: LogRow) => boolean {
  const wanted = text.toLowerCase();
  return (row) => wanted === "" || row.message.toLowerCase().includes(wanted);
}

/** The last `count` that match, oldest first: found from the end backwards. */
async function lastLines(
  hot: Hot,
  query: LogQuery,
  matches: (row: LogRow) => boolean,
  count: number,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly LogRow[]> {
  const bounded = Math.min(count, LIMITS.lastLines);
  const found: LogRow[] = [];
  for (let before = to; found.length < bounded;) {
    const page = await hot.store.listLogsBackwards(query, before, LIMITS.logPageRows);
    for (const row of page) if (row.seq > from && found.length < bounded && matches(row)) found.push(row);
    const oldest = page.at(-1);
    if (page.length < LIMITS.logPageRows || oldest === undefined || oldest.seq <= from) break;
    before = oldest.seq;
  }
  return found.toReversed();
}

function placeOf(resumeToken: string): number {
  if (resumeToken === "") return 0;
  if (!/^\d{1,15}$/u.test(resumeToken)) {
    throw new OccamError("bad-usage", `"${resumeToken}" is no resume token`, {
      hint: "give one from an earlier answer, or leave it out",
    });
  }
  return Number(resumeToken);
}

/** A line, as a message. */
export function tailLine(row: LogRow): TailLogsResponse {
  return {
    resumeToken: String(row.seq),
    workerId: row.workerId,
    cellId: row.cellId,
    attemptToken: row.token,
    record: {
      timeMs: BigInt(row.timeMs),
      level: row.level as LogLevel,
      message: row.message,
      fieldsJson: row.fieldsJson,
    },
  };
}
