/** One stream of one attempt in the uploader: its records, when they are due, and who waits for them to be durable. */
import type { PushRequest } from "../../proto/gen/occam/v1/bulk.ts";
import type { LogRecord } from "../../proto/gen/occam/v1/common.ts";
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import { streamKind, type StreamName } from "../../src/wire/enums.ts";
import { logToWire, type LogEntry } from "../../src/wire/log-record.ts";
import { pointsToColumns, type SeriesPoint } from "../../src/wire/metric-columns.ts";
import { RecordStream, type Batch } from "./record-stream.ts";
import { BATCH_BYTES, BATCH_MAX_BYTES } from "./timings.ts";

/** The attempt that records belong to; the worker's own log has cell "" and token 0. */
export interface AttemptKey {
  readonly cellId: CellId | "";
  readonly token: LeaseToken;
}

/** "fenced": the token is dead there. "lost": the coordinator wants records that are no longer here. */
export type FlushEnd = "acked" | "fenced" | "lost";

/** A point in memory: an object of three fields and its place in two arrays. */
const POINT_BYTES = 64;
/** A log record beside its texts. */
const LOG_BYTES = 64;

type StreamRecord = SeriesPoint | LogRecord;
export type UploadBatch = Batch<StreamRecord>;
type Payload = Pick<PushRequest, "metrics" | "logs">;

export class UploadStream {
  readonly attempt: AttemptKey;
  readonly kind: StreamName;
  readonly records = new RecordStream<StreamRecord>();
  /** Of all records that the attempt ever gave, those that were not kept included. */
  count = 0;
  /** Why nothing more is sent. */
  over: "fenced" | "lost" | undefined;
  #oldestUnsentMs = 0;
  #flushing = false;
  #waiters: (() => void)[] = [];

  constructor(attempt: AttemptKey, kind: StreamName) {
    this.attempt = attempt;
    this.kind = kind;
  }

  appendPoints(points: readonly SeriesPoint[], nowMs: number): void {
    for (const point of points) this.#append(point, POINT_BYTES, nowMs);
  }

  appendLog(entry: LogEntry, nowMs: number): void {
    const record = logToWire(entry);
    this.#append(record, LOG_BYTES + record.message.length + record.fieldsJson.length, nowMs);
  }

  /** When its next batch should go; undefined when there is nothing to send. */
  dueMs(batchDelayMs: number): number | undefined {
    if (this.over !== undefined || this.records.allSent) return undefined;
    if (this.#flushing || this.records.unsentBytes >= BATCH_BYTES) return Number.NEGATIVE_INFINITY;
    return this.#oldestUnsentMs + batchDelayMs;
  }

  nextBatch(): UploadBatch | undefined {
    return this.records.nextBatch(BATCH_MAX_BYTES);
  }

  payload(batch: UploadBatch): Payload & Pick<PushRequest, "cellId" | "token" | "kind" | "firstOffset"> {
    const { cellId, token } = this.attempt;
    const content: Payload =
      this.kind === "metrics"
        ? { metrics: pointsToColumns(batch.records as readonly SeriesPoint[]), logs: [] }
        : { metrics: undefined, logs: batch.records as readonly LogRecord[] };
    const kind = streamKind.toWire(this.kind);
    return { cellId, token, kind, firstOffset: BigInt(batch.firstOffset), ...content };
  }

  /** Resolves when all that was appended is durable, or never will be. */
  async flush(): Promise<FlushEnd> {
    this.#flushing = true;
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

  #append(record: StreamRecord, sizeBytes: number, nowMs: number): void {
    this.count += 1;
    if (this.over !== undefined) return;
    if (this.records.allSent) this.#oldestUnsentMs = nowMs;
    this.records.append(record, sizeBytes);
  }
}
