/**
 * One batch of one stream: appended where the stream ends, known, out of place, or refused for good; answered with the stream's
 * durable end. A refusal is an answer, not an error: an error ends the call, and its sender would send the same again for ever.
 *
 * Who may append: an attempt whose cell can still take its result. An attempt that was committed, or whose cell has another
 * result or was cancelled, is fenced: its stream is closed, and the answer says how much of it is stored.
 *
 * Batches of one stream are placed in the order in which they came: what is read for one of them may be answered after what is
 * read for the next, on PostgreSQL's several connections, and a batch that overtakes another finds a gap.
 */
import { asLeaseToken, type CellId, type LeaseToken, type SessionId, type WorkerId } from "../../src/core/ids.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import { findAttempt } from "../lease/find-attempt.ts";
import type { LogLine, StreamKey, StreamKind } from "../store/change.ts";
import { LIMITS } from "../limits.ts";
import { boundLine, type SentLine } from "./bound-line.ts";
import { encodeChunk, whyNoPoints, type MetricColumns } from "./metric-chunk.ts";
import { placeBatch, type Placement } from "./place-batch.ts";
import { readStream } from "./read-stream.ts";
import type { HotStream } from "./stream-book.ts";

export interface PushCommand {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  /** undefined: the session's own log. */
  readonly attempt: { readonly cellId: CellId; readonly token: LeaseToken } | undefined;
  readonly firstOffset: number;
  readonly records: SentRecords | RefusedRecords;
}

export type SentRecords =
  | { readonly kind: "metrics"; readonly columns: MetricColumns }
  | { readonly kind: "logs"; readonly lines: readonly SentLine[] };

/** What no repetition makes right. */
export interface RefusedRecords {
  readonly kind: "refused";
  readonly of: StreamKind;
  readonly count: number;
  readonly why: string;
}

export interface PushReply {
  readonly nextOffset: number;
  readonly fenced: boolean;
  /** Why the batch will never be taken. */
  readonly refused?: string;
}

const UNKNOWN_ATTEMPT: PushReply = { nextOffset: 0, fenced: true };

export async function push(hot: Hot, command: PushCommand): Promise<PushReply> {
  const records = checked(command.records);
  const placed = await hot.pushTurns.take(nameOf(command), () => place(hot, command, records));
  if (placed === undefined) return UNKNOWN_ATTEMPT;
  const { key, placement, closed, appends, nextOffset } = placed;
  await hot.writer.settled();
  if (closed) hot.streams.forget(key);
  const reply = { nextOffset, fenced: closed && placement.kind !== "known" };
  if (!appends || records.kind !== "refused") return reply;
  hot.logger.warn({ worker: command.workerId, cell: command.attempt?.cellId, why: records.why }, "a batch is refused");
  return { ...reply, refused: records.why };
}

/** Of its stream, before anything was read. */
function nameOf({ sessionId, attempt, records }: PushCommand): string {
  return `${kindOf(records)}/${attempt === undefined ? sessionId : `${attempt.token}/${attempt.cellId}`}`;
}

interface Placed {
  readonly key: StreamKey;
  readonly placement: Placement;
  /** Nothing more may be added. */
  readonly closed: boolean;
  readonly appends: boolean;
  /** Where the stream ends with it. */
  readonly nextOffset: number;
}

/** Appends the batch where it belongs, not durable yet; undefined: its attempt is unknown. */
async function place(hot: Hot, command: PushCommand, records: PushCommand["records"]): Promise<Placed | undefined> {
  const count = countOf(records);
  const owner = await ownerOf(hot, command);
  if (owner === undefined) return undefined;
  const { key } = owner;
  const stored = await readStream(hot, key);
  // From here on nothing waits.
  const stream = hot.streams.open(key, stored);
  if (command.attempt === undefined) hot.streams.boundOwnLogs(key, LIMITS.ownLogs);
  const placement = placeBatch(stream.nextOffset, command.firstOffset, count);
  const closed = owner.isClosed();
  const appends = placement.kind === "append" && !closed;
  if (appends && records.kind !== "refused") append(hot, stream, command, records, placement.skip, count);
  return { key, placement, closed, appends, nextOffset: stream.nextOffset };
}

const kindOf = (records: PushCommand["records"]): StreamKind =>
  records.kind === "refused" ? records.of : records.kind;

function checked(records: PushCommand["records"]): PushCommand["records"] {
  if (records.kind !== "metrics") return records;
  const { columns } = records;
  const why = whyNoPoints(columns);
  return why === "" ? records : { kind: "refused", of: "metrics", count: columns.value.length, why };
}

function countOf(records: PushCommand["records"]): number {
  switch (records.kind) {
    case "metrics":
      return records.columns.value.length;
    case "logs":
      return records.lines.length;
    case "refused":
      return records.count;
  }
}

interface Owner {
  readonly key: StreamKey;
  /** Asked at the moment of the append: nothing more may be added. */
  isClosed(): boolean;
}

async function ownerOf(hot: Hot, { workerId, sessionId, attempt, records }: PushCommand): Promise<Owner | undefined> {
  const kind = kindOf(records);
  if (attempt === undefined) {
    return { key: { kind, cellKey: 0, token: asLeaseToken(0n), sessionId }, isClosed: () => false };
  }
  const { cellId, token } = attempt;
  const found = await findAttempt(hot, token, cellId);
  if (found?.workerId !== workerId) return undefined;
  return {
    key: { kind, cellKey: found.cellKey, token, sessionId: "" },
    isClosed: () => {
      const state = hot.cells.get(found.scope, cellId)?.life.state.kind ?? found.stored?.state;
      return state === "committed" || state === "cancelled";
    },
  };
}

function append(
  hot: Hot,
  stream: HotStream,
  { workerId, attempt }: PushCommand,
  records: SentRecords,
  skip: number,
  count: number,
): void {
  const firstOffset = hot.streams.extend(stream, count - skip);
  const where = { stream: stream.key, streamId: stream.streamId, firstOffset };
  if (records.kind === "metrics") {
    const data = encodeChunk(records.columns, skip);
    hot.writer.write({ kind: "metrics-appended", ...where, count: count - skip, data });
    hot.meter.appended("metrics", count - skip, data.byteLength);
    return afterDurable(hot, () => hot.streams.durable(stream));
  }
  const lines = records.lines.slice(skip).map((line): LogLine => {
    const seq = hot.streams.newLogSeq();
    const token = attempt?.token ?? asLeaseToken(0n);
    return { ...boundLine(line), seq, workerId, cellKey: stream.key.cellKey, token };
  });
  hot.writer.write({ kind: "logs-appended", ...where, lines });
  const sizeBytes = lines.reduce((sum, { message, fieldsJson }) => sum + message.length + fieldsJson.length, 0);
  hot.meter.appended("logs", lines.length, sizeBytes);
  afterDurable(hot, () => {
    hot.streams.durable(stream);
    hot.logChanges.changed();
  });
}
