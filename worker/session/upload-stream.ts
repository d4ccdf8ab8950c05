/**
 * One stream of one attempt in the uploader: its records, when they are due, who waits for them to be durable, and what of them
 * could not be kept. A record that was not kept leaves a mark in its place: a line that counts the lost lines, a point of the
 * series `stream.dropped` that counts the lost points.
 */
import { PushRequest } from "../../proto/gen/occam/v1/bulk.ts";
import type { LogRecord } from "../../proto/gen/occam/v1/common.ts";
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import { streamKind, type StreamName } from "../../src/wire/enums.ts";
import { logToWire, type LogEntry } from "../../src/wire/log-record.ts";
import {
  columnsToPoints,
  DROPPED_SERIES,
  pointsToColumns,
  whyUnsendable,
  type SeriesPoint,
} from "../../src/wire/metric-columns.ts";
import { LineQuota } from "./line-quota.ts";
import { RecordStream, type Batch } from "./record-stream.ts";
import type { SpoolBlock } from "./spool.ts";
import { BATCH_BYTES, BATCH_MAX_BYTES } from "./timings.ts";

/** The attempt that records belong to; the worker's own log has cell "" and token 0. */
export interface AttemptKey {
  readonly cellId: CellId | "";
  readonly token: LeaseToken;
}

/** "fenced": the token is dead there. "lost": the coordinator wants records that are no longer here. */
export type FlushEnd = "acked" | "fenced" | "lost";

/** A point in its columns: an index, a step of up to three bytes, a double. */
const POINT_BYTES = 12;
/** A log record beside its texts: time, level, the lengths of the texts. */
const LOG_BYTES = 40;

type StreamRecord = SeriesPoint | LogRecord;
export type UploadBatch = Batch<StreamRecord>;
type Payload = Pick<PushRequest, "metrics" | "logs">;

/** A gap is marked after this long, or before the next record that is kept: one mark, not one for each lost record. */
const GAP_MS = 1_000;

/** Records that were not kept, and are not marked yet. */
interface Gap {
  count: number;
  /** Of the last of them: its step, or its time. */
  at: number;
  reason: string;
  /** Until then it may grow. */
  readonly markAtMs: number;
}

export class UploadStream {
  readonly attempt: AttemptKey;
  readonly kind: StreamName;
  readonly records = new RecordStream<StreamRecord, SpoolBlock>();
  /** Records that are not in the stream, and are told by its marks. */
  dropped = 0;
  /** Why nothing more is sent. */
  over: "fenced" | "lost" | undefined;
  readonly #quota = new LineQuota();
  #gap: Gap | undefined;
  /** Given after the stream was over. */
  #unwanted = 0;
  /** Of the last point whose step can be sent. */
  #lastStep = 0;
  /** Series that lost a point to a fault of their own, and refusals: each is told once. */
  readonly #told = new Set<string>();
  #oldestUnsentMs = 0;
  #flushing = false;
  #waiters: (() => void)[] = [];

  constructor(attempt: AttemptKey, kind: StreamName) {
    this.attempt = attempt;
    this.kind = kind;
  }

  /** Records that the coordinator should have in the end. */
  get count(): number {
    return this.records.end + this.#unwanted;
  }

  /**
   * A point that can never be sent is dropped, and its series told by `onUnsendable` once.
   * @param noRoom why nothing can be kept now
   */
  appendPoints(
    points: readonly SeriesPoint[],
    nowMs: number,
    noRoom: string | undefined,
    onUnsendable: (point: SeriesPoint, why: string) => void,
  ): void {
    for (const point of points) {
      const why = whyUnsendable(point);
      if (why === "") this.#lastStep = point.step;
      else if (this.noteOnce(point.series)) onUnsendable(point, why);
      const lost = why === "" ? noRoom : why;
      if (this.over === undefined && lost !== undefined) this.#drop(1, this.#lastStep, lost, nowMs);
      else this.#append(point, nowMs);
    }
  }

  /** @param noRoom why nothing can be kept now */
  appendLog(entry: LogEntry, nowMs: number, noRoom: string | undefined): void {
    const record = logToWire(entry);
    if (this.over !== undefined) return this.#append(record, nowMs);
    if (noRoom !== undefined) return this.#drop(1, entry.timeMs, noRoom, nowMs);
    if (!this.#quota.take(entry.level, sizeOf(record), nowMs)) {
      return this.#drop(1, entry.timeMs, TOO_MANY_LINES, nowMs, this.#quota.windowEndMs);
    }
    this.#append(record, nowMs);
  }

  /** When its next batch should go; undefined when there is nothing to send. */
  dueMs(batchDelayMs: number): number | undefined {
    if (this.over !== undefined) return undefined;
    if (this.records.allSent) return this.#gap?.markAtMs;
    // On its way to the disk: it will have to be read back first.
    if (!this.records.sendable) return undefined;
    if (this.#flushing || this.records.unsentBytes >= BATCH_BYTES) return Number.NEGATIVE_INFINITY;
    return this.#oldestUnsentMs + batchDelayMs;
  }

  nextBatch(nowMs: number): UploadBatch | undefined {
    if (this.#gap !== undefined && nowMs >= this.#gap.markAtMs) this.#mark(nowMs);
    return this.records.nextBatch(BATCH_MAX_BYTES);
  }

  payload(batch: UploadBatch): Payload & Pick<PushRequest, "cellId" | "token" | "kind" | "firstOffset"> {
    const { cellId, token } = this.attempt;
    const kind = streamKind.toWire(this.kind);
    return { cellId, token, kind, firstOffset: BigInt(batch.firstOffset), ...this.#contentOf(batch.records) };
  }

  /** For a place on disk. */
  encode(records: readonly StreamRecord[]): Uint8Array {
    return PushRequest.encode(PushRequest.fromPartial(this.#contentOf(records))).finish();
  }

  /** The wanted block has been read from its place; undefined: it is damaged, and its `count` records are lost. */
  loaded(data: Uint8Array | undefined, count: number, timeMs: number): void {
    if (data !== undefined) {
      const { metrics, logs } = PushRequest.decode(data);
      const records: readonly StreamRecord[] = metrics === undefined ? logs : columnsToPoints(metrics);
      return this.records.loaded(records.map((record) => ({ record, sizeBytes: sizeOf(record) })));
    }
    this.dropped += count;
    const at = this.kind === "metrics" ? 0 : timeMs;
    const record = this.#markOf({ count, at, reason: "their place on the worker's disk was damaged" });
    this.records.loaded([{ record, sizeBytes: sizeOf(record) }]);
  }

  /**
   * The coordinator has `nextOffset` records and will never take this batch: the others of it become marks. How many; where
   * marks were all that it had, nothing more can be done, and the stream is lost.
   */
  refused(batch: UploadBatch, nextOffset: number, reason: string): number {
    if (batch.records.every((record) => this.#isMark(record))) {
      this.end("lost");
      return 0;
    }
    return this.records.refuse(batch, nextOffset, (record) => {
      if (this.#isMark(record)) return { record, sizeBytes: sizeOf(record) };
      this.dropped += 1;
      const at = "series" in record ? record.step : Number(record.timeMs);
      const mark = this.#markOf({ count: 1, at, reason: `the coordinator refused them: ${reason}` });
      return { record: mark, sizeBytes: sizeOf(mark) };
    });
  }

  /** True the first time, for the first TOLD_MAX faults. */
  noteOnce(fault: string): boolean {
    if (this.#told.has(fault)) return false;
    // A run that makes up names must not fill memory with them.
    if (this.#told.size < TOLD_MAX) this.#told.add(fault);
    return this.#told.has(fault);
  }

  #isMark(record: StreamRecord): boolean {
    return "series" in record ? record.series === DROPPED_SERIES : record.fieldsJson.startsWith(`{"droppedLines":`);
  }

  /** Resolves when all that was appended is durable, or never will be. */
  async flush(nowMs: number): Promise<FlushEnd> {
    this.#flushing = true;
    if (this.over === undefined) this.#mark(nowMs);
    while (this.over === undefined && !this.records.allAcked) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    this.#flushing = false;
    return this.over ?? "acked";
  }

  /** Stops for good. */
  end(over: "fenced" | "lost"): void {
    this.over = over;
    this.notify();
  }

  /** To be called when what is acknowledged has changed. */
  notify(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #append(record: StreamRecord, nowMs: number): void {
    if (this.over !== undefined) {
      this.#unwanted += 1;
      return;
    }
    this.#mark(nowMs);
    this.#keep(record, nowMs);
  }

  #keep(record: StreamRecord, nowMs: number): void {
    if (this.records.allSent) this.#oldestUnsentMs = nowMs;
    this.records.append(record, sizeOf(record));
  }

  #drop(count: number, at: number, reason: string, nowMs: number, markAtMs = nowMs + GAP_MS): void {
    this.dropped += count;
    this.#gap ??= { count: 0, at, reason, markAtMs };
    this.#gap.count += count;
    this.#gap.at = at;
    this.#gap.reason = reason;
  }

  /** Says what was dropped, where it was dropped. */
  #mark(nowMs: number): void {
    const gap = this.#gap;
    if (gap === undefined) return;
    this.#gap = undefined;
    this.#keep(this.#markOf(gap), nowMs);
  }

  #markOf({ count, at, reason }: Pick<Gap, "count" | "at" | "reason">): StreamRecord {
    if (this.kind === "metrics") return { series: DROPPED_SERIES, step: at, value: count };
    const message = `${count} ${count === 1 ? "line" : "lines"} of this log were dropped here: ${reason}`;
    return logToWire({ timeMs: at, level: "warn", message, fields: { droppedLines: count } });
  }

  #contentOf(records: readonly StreamRecord[]): Payload {
    return this.kind === "metrics"
      ? { metrics: pointsToColumns(records as readonly SeriesPoint[]), logs: [] }
      : { metrics: undefined, logs: records as readonly LogRecord[] };
  }
}

/** Faults of a stream that are told. */
const TOLD_MAX = 20;
const TOO_MANY_LINES = "it has more lines than are kept in so short a time";

const sizeOf = (record: StreamRecord): number =>
  "message" in record ? LOG_BYTES + record.message.length + record.fieldsJson.length : POINT_BYTES;
