/**
 * Log lines of all workers in the order in which they became durable, with filters; `follow` goes on as lines come. Each line
 * carries its place as a resume token: a tail that broke off goes on after the last token it saw, without a gap or a repeat.
 *
 * Invariants:
 * 1. Lines are read from the store by their place when the caller has taken those before: a reader of any speed holds one look
 *    (`LIMITS.logPageRows`) and one page of text.
 * 2. One look passes over a bounded number of lines, and the event loop turns between two: a filter that matches nothing in
 *    millions of lines delays nobody.
 * 3. Lines are given out only below `end`, and everything below it is durable.
 */
import type { TailLogsRequest, TailLogsResponse } from "../../proto/gen/occam/v1/operator.ts";
import type { LogLevel } from "../../proto/gen/occam/v1/common.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { Send } from "../../src/rpc/adapters.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Hot } from "../hot/hot.ts";
import { stretchOf } from "../hot/loop-load.ts";
import { LIMITS } from "../limits.ts";
import type { LogQuery, LogRow } from "../store/store.ts";
import { onlyCell } from "./only-cell.ts";

interface Tail {
  readonly hot: Hot;
  readonly query: LogQuery;
  readonly matches: (row: LogRow) => boolean;
  readonly until: AbortSignal;
}

export async function tailLogs(
  coordinator: Coordinator,
  request: TailLogsRequest,
  send: Send<TailLogsResponse>,
  signal: AbortSignal,
): Promise<void> {
  const { hot } = coordinator;
  const until = AbortSignal.any([signal, coordinator.stopped]);
  const tail = { hot, query: await queryOf(hot, request), matches: textFilter(request.text), until };
  const give = request.pages ? pages(send) : singly(send);
  let after = placeOf(request.resumeToken, hot.streams.nextLogSeq);
  if (request.last > 0) after = Math.max(after, await beforeLast(tail, request.last));
  for (;;) {
    const { version } = hot.logChanges;
    const end = hot.streams.nextLogSeq;
    const startMs = hot.clock.monotonicMs();
    await hot.writer.settled();
    after = await readTo(tail, after, end, give);
    if (!request.follow) return;
    if (until.aborted) break;
    await hot.logChanges.wait(version, until);
    // Lines that come one by one are gathered; many tails are not to wake for each of them.
    const nextMs = startMs + hot.timings.tailMinIntervalMs * stretchOf(hot.load());
    await hot.clock.sleep(Math.max(0, nextMs - hot.clock.monotonicMs()), until);
  }
  // Not the end of what it follows: its reader goes on with the next coordinator.
  throw new OccamError("unavailable", "the coordinator is stopping");
}

/** Takes the lines of one page, and the place up to which was read. */
type Give = (rows: readonly LogRow[], after: number) => Promise<void>;

/** Gives all matching lines after `after` and before `end`; the place up to which was read. */
async function readTo({ hot, query, matches, until }: Tail, after: number, end: number, give: Give): Promise<number> {
  const turn = new Turn(hot, until);
  let at = after;
  let rows: LogRow[] = [];
  let chars = 0;
  while (at < end - 1 && !until.aborted) {
    const before = Math.min(end, at + 1 + LIMITS.logScanRows);
    const look = await hot.store.listLogs(query, at, LIMITS.logPageRows, before);
    at = look.length === LIMITS.logPageRows ? look.at(-1)!.seq : before - 1;
    for (const row of look) {
      if (!matches(row)) continue;
      rows.push(row);
      chars += row.message.length + row.fieldsJson.length;
      if (chars < LIMITS.logPageChars && rows.length < LIMITS.logPageLines) continue;
      await give(rows, row.seq);
      [rows, chars] = [[], 0];
    }
    await turn.giveWay();
  }
  if (!until.aborted && at > after) await give(rows, at);
  return at;
}

/** A tail's turn of the event loop. */
class Turn {
  readonly #hot: Hot;
  readonly #until: AbortSignal;
  #sinceMs: number;

  constructor(hot: Hot, until: AbortSignal) {
    this.#hot = hot;
    this.#until = until;
    this.#sinceMs = hot.clock.monotonicMs();
  }

  /** Lets others run when the turn has been long enough; for longer when the coordinator is busy. */
  async giveWay(): Promise<void> {
    const { clock, load } = this.#hot;
    if (clock.monotonicMs() - this.#sinceMs < TURN_MS) return;
    await clock.sleep(TURN_MS * (stretchOf(load()) - 1), this.#until);
    this.#sinceMs = clock.monotonicMs();
  }
}

/** A look takes less than a millisecond. */
const TURN_MS = 2;

/** The place before the last `count` lines that match: found from the end backwards, without holding them. */
async function beforeLast({ hot, query, matches, until }: Tail, count: number): Promise<number> {
  const turn = new Turn(hot, until);
  let before = hot.streams.nextLogSeq;
  await hot.writer.settled();
  let found = 0;
  while (before > 1 && !until.aborted) {
    const after = Math.max(0, before - 1 - LIMITS.logScanRows);
    const look = await hot.store.listLogsBackwards(query, before, LIMITS.logPageRows, after);
    for (const row of look) {
      if (matches(row)) found += 1;
      if (found === count) return row.seq - 1;
    }
    before = look.length === LIMITS.logPageRows ? look.at(-1)!.seq : after + 1;
    await turn.giveWay();
  }
  return 0;
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

/** @param end the place that the next line will have */
function placeOf(resumeToken: string, end: number): number {
  if (resumeToken === "") return 0;
  if (!/^\d{1,15}$/u.test(resumeToken)) {
    throw new OccamError("bad-usage", `"${resumeToken}" is no resume token`, {
      hint: "give one from an earlier answer, or leave it out",
    });
  }
  const place = Number(resumeToken);
  if (place >= end) {
    // To wait for that place would hide the lines before it.
    throw new OccamError("bad-usage", `the resume token ${resumeToken} lies beyond the last line, ${end - 1}`, {
      hint: "it is of another store, or of one that was put back from a backup; leave it out",
    });
  }
  return place;
}

const singly =
  (send: Send<TailLogsResponse>): Give =>
  async (rows) => {
    for (const row of rows) await send(tailLine(row));
  };

const pages =
  (send: Send<TailLogsResponse>): Give =>
  (rows, after) =>
    send({
      resumeToken: String(after),
      workerId: "",
      cellId: "",
      attemptToken: 0n,
      record: undefined,
      lines: rows.map(tailLine),
    });

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
    lines: [],
  };
}
