/**
 * Metrics and logs on their way to the coordinator, over one bulk call that is opened again whenever it breaks.
 *
 * Invariants:
 * 1. Nothing that was kept is dropped before the coordinator has acknowledged it, unless its token is fenced or its attempt is
 *    dropped by its owner. What cannot be kept is counted, and marked in its stream: lines beyond a log's quota, and any record
 *    while both memory and disk are full. So are records that cannot be sent (a step that is no whole number) and batches that
 *    the coordinator refuses for good: nothing is sent a second time that was refused.
 * 2. Memory is bounded: above PARK_BYTES of unacknowledged records they go to the spool; when that is slower than the trainer,
 *    `onPressure(true)` asks for silence above PAUSE_BYTES; when it takes nothing, records are dropped above DROP_BYTES.
 * 3. Answers come in the order of the batches; the oldest batch under way is the one that an answer is for.
 */
import type { PushRequest, PushResponse } from "../../proto/gen/occam/v1/bulk.ts";
import { backoffMs, RECONNECT } from "../../src/core/backoff.ts";
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import { asLeaseToken, type SessionId, type WorkerId } from "../../src/core/ids.ts";
import type { RandomKey } from "../../src/core/random.ts";
import type { Duplex } from "../../src/rpc/client-calls.ts";
import { streamKind, type StreamName } from "../../src/wire/enums.ts";
import type { LogEntry } from "../../src/wire/log-record.ts";
import { SERIES_NAME_CHARS, type SeriesPoint } from "../../src/wire/metric-columns.ts";
import type { Spool } from "./spool.ts";
import {
  BATCH_MAX_BYTES,
  BATCHES_IN_FLIGHT,
  DROP_BYTES,
  IN_FLIGHT_BYTES,
  KEEP_BYTES,
  PARK_BYTES,
  PAUSE_BYTES,
  RESUME_BYTES,
} from "./timings.ts";
import { UploadStream, type AttemptKey, type FlushEnd, type UploadBatch } from "./upload-stream.ts";
import { Wakeup } from "./wakeup.ts";

/** The worker's own log. */
export const OWN_LOG: AttemptKey = { cellId: "", token: asLeaseToken(0n) };

export interface UploaderOptions {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly open: () => Duplex<PushRequest, PushResponse>;
  readonly clock: Clock;
  readonly key: RandomKey;
  readonly batchDelayMs: number;
  /** Where records wait that memory shall not hold. */
  readonly spool: Spool;
  readonly onPressure: (paused: boolean) => void;
  /** The connection broke, or an answer made no sense; it is opened again. */
  readonly onTrouble: (message: string) => void;
}

export interface RecordCounts {
  /** Records in the stream, marks of gaps included. */
  readonly metrics: number;
  readonly logs: number;
  readonly droppedPoints: number;
  readonly droppedLines: number;
}

interface InFlight {
  readonly stream: UploadStream;
  readonly batch: UploadBatch;
}

export class Uploader {
  readonly #options: UploaderOptions;
  readonly #streams = new Map<string, UploadStream>();
  readonly #wakeup = new Wakeup();
  #inFlight: InFlight[] = [];
  #attempt = 0;
  #inFlightBytes = 0;
  /** As the coordinator said last. */
  #windowBytes = IN_FLIGHT_BYTES;
  #paused = false;
  #parking = false;

  constructor(options: UploaderOptions) {
    this.#options = options;
  }

  metrics(attempt: AttemptKey, points: readonly SeriesPoint[]): void {
    const stream = this.#stream(attempt, "metrics");
    stream.appendPoints(points, this.#nowMs(), this.#noRoom(), ({ series }, why) =>
      this.#warn(attempt, `points of the series ${series.slice(0, SERIES_NAME_CHARS)} are dropped: ${why}`),
    );
    this.#appended();
  }

  log(attempt: AttemptKey, entry: LogEntry): void {
    this.#stream(attempt, "logs").appendLog(entry, this.#nowMs(), this.#noRoom());
    this.#appended();
  }

  /** What an attempt has given on each of its streams, and how much of it could not be kept. */
  counts(attempt: AttemptKey): RecordCounts {
    const [metrics, logs] = [this.#find(attempt, "metrics"), this.#find(attempt, "logs")];
    return {
      metrics: metrics?.count ?? 0,
      logs: logs?.count ?? 0,
      droppedPoints: metrics?.dropped ?? 0,
      droppedLines: logs?.dropped ?? 0,
    };
  }

  /** Sends at once what an attempt has given, and resolves when all of it is durable or never will be. */
  async flush(attempt: AttemptKey): Promise<FlushEnd> {
    const ends = this.#both(attempt).map((stream) => stream.flush(this.#nowMs()));
    this.#wakeup.wake();
    const all = await Promise.all(ends);
    return all.includes("lost") ? "lost" : all.includes("fenced") ? "fenced" : "acked";
  }

  /** Sends again what is still here of an attempt. */
  replay(attempt: AttemptKey): void {
    for (const stream of this.#both(attempt)) stream.records.replay();
    this.#wakeup.wake();
  }

  /** Forgets an attempt: it is committed, or nobody wants it. */
  drop(attempt: AttemptKey): void {
    for (const stream of this.#both(attempt)) {
      stream.end("fenced");
      for (const block of stream.records.blocks) this.#options.spool.free(block);
      this.#streams.delete(keyOf(attempt, stream.kind));
    }
    this.#relieve();
  }

  /** Sends until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#untilDue(signal);
      if (signal.aborted) return;
      await this.#connection(signal);
      for (const stream of this.#streams.values()) stream.records.disconnected();
      this.#inFlight = [];
      this.#inFlightBytes = 0;
      if (signal.aborted) return;
      await this.#options.clock.sleep(backoffMs(this.#options.key, this.#attempt, RECONNECT), signal);
      this.#attempt += 1;
    }
  }

  /** One bulk call, from its opening to its end. */
  async #connection(signal: AbortSignal): Promise<void> {
    const duplex = this.#options.open();
    const over = new AbortController();
    const close = (): void => over.abort();
    signal.addEventListener("abort", close, { once: true });
    over.signal.addEventListener("abort", () => duplex.cancel(), { once: true });
    try {
      await Promise.all([
        this.#receive(duplex).finally(close),
        this.#send(duplex, over.signal).catch((error: unknown) => {
          close();
          throw error;
        }),
      ]);
    } catch (error) {
      if (!signal.aborted) this.#options.onTrouble(messageOf(error));
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  async #send(duplex: Duplex<PushRequest, PushResponse>, signal: AbortSignal): Promise<void> {
    const { workerId, sessionId } = this.#options;
    while (!signal.aborted) {
      await this.#untilDue(signal);
      const stream = this.#nextDue();
      if (stream === undefined) continue;
      await this.#load(stream);
      if (signal.aborted) return;
      const batch = stream.over === undefined ? stream.nextBatch(this.#nowMs()) : undefined;
      if (batch === undefined) continue;
      this.#inFlight.push({ stream, batch });
      this.#inFlightBytes += batch.sizeBytes;
      await duplex.send({ workerId, sessionId, ...stream.payload(batch) });
    }
  }

  async #receive(duplex: Duplex<PushRequest, PushResponse>): Promise<void> {
    for await (const answer of duplex.responses) {
      this.#attempt = 0;
      this.#windowBytes = answer.windowBytes === 0 ? IN_FLIGHT_BYTES : Math.min(answer.windowBytes, IN_FLIGHT_BYTES);
      this.#acknowledge(answer);
      this.#relieve();
      this.#wakeup.wake();
    }
    throw new OccamError("unavailable", "the coordinator ended the bulk call");
  }

  #acknowledge(answer: PushResponse): void {
    const entry = this.#inFlight.shift();
    if (entry === undefined || !isFor(answer, entry.stream)) {
      throw new OccamError("protocol", `an answer for a batch that is not under way: ${keyText(answer)}`);
    }
    const { stream, batch } = entry;
    this.#inFlightBytes -= batch.sizeBytes;
    if (stream.over !== undefined) return;
    if (answer.fenced) return stream.end("fenced");
    if (answer.refused !== "") this.#refused(stream, batch, answer);
    if (stream.over !== undefined) return;
    if (stream.records.acknowledge(batch, Number(answer.nextOffset)) === "lost") stream.end("lost");
    else stream.notify();
  }

  #refused(stream: UploadStream, batch: UploadBatch, { refused, nextOffset }: PushResponse): void {
    const count = stream.refused(batch, Number(nextOffset), refused);
    if (count === 0 || !stream.noteOnce(refused)) return;
    this.#warn(stream.attempt, `${count} ${stream.kind} are dropped, the coordinator will not take them: ${refused}`);
  }

  /** Told where the attempt is looked at: in its log. */
  #warn(attempt: AttemptKey, message: string): void {
    this.log(attempt, { timeMs: this.#options.clock.nowMs(), level: "warn", message });
  }

  /** Waits for a due batch that may be sent now. */
  async #untilDue(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#mayNotSend ? Number.POSITIVE_INFINITY : this.#dueInMs();
      if (waitMs <= 0) return;
      await this.#wakeup.wait(this.#options.clock, waitMs, signal);
    }
  }

  /** Something is under way, and with one more batch it would be too much. */
  get #mayNotSend(): boolean {
    const { length } = this.#inFlight;
    return length >= BATCHES_IN_FLIGHT || (length > 0 && this.#inFlightBytes + BATCH_MAX_BYTES > this.#windowBytes);
  }

  #dueInMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const stream of this.#streams.values()) {
      dueMs = Math.min(dueMs, stream.dueMs(this.#options.batchDelayMs) ?? Number.POSITIVE_INFINITY);
    }
    return dueMs - this.#nowMs();
  }

  /** Round robin: the stream that is served goes to the end of the line. */
  #nextDue(): UploadStream | undefined {
    const nowMs = this.#nowMs();
    for (const [key, stream] of this.#streams) {
      const dueMs = stream.dueMs(this.#options.batchDelayMs);
      if (dueMs === undefined || dueMs > nowMs) continue;
      this.#streams.delete(key);
      this.#streams.set(key, stream);
      return stream;
    }
    return undefined;
  }

  /** Brings what is next in a stream back from the disk. */
  async #load(stream: UploadStream): Promise<void> {
    const { spool, clock, onTrouble } = this.#options;
    const { wanted } = stream.records;
    if (wanted === undefined) return;
    const data = await spool.read(wanted.block);
    // Its attempt may have been dropped meanwhile, and the block with it; or a newer connection has brought it back.
    if (stream.over !== undefined || stream.records.wanted !== wanted) return;
    spool.free(wanted.block);
    if (data === undefined) onTrouble(`${wanted.count} records could not be read back from the disk`);
    stream.loaded(data, wanted.count, clock.nowMs());
  }

  /** Writes to the disk what memory shall not hold, the largest stream first. */
  async #park(): Promise<void> {
    const { spool } = this.#options;
    this.#parking = true;
    while (spool.usable && this.unackedMemory > PARK_BYTES) {
      const stream = this.#largest();
      if (stream === undefined) break;
      const block = await spool.write(stream.encode(stream.records.park(BATCH_MAX_BYTES)));
      // Its attempt may have been dropped meanwhile: nobody will ask for the block.
      if (block !== undefined && stream.over !== undefined) spool.free(block);
      if (block === undefined || stream.over !== undefined) stream.records.stayed();
      else stream.records.parked(block);
      this.#wakeup.wake();
    }
    this.#parking = false;
    this.#relieve();
  }

  #largest(): UploadStream | undefined {
    let largest: UploadStream | undefined;
    for (const stream of this.#streams.values()) {
      const { parkableBytes } = stream.records;
      if (stream.over === undefined && parkableBytes > (largest?.records.parkableBytes ?? 0)) largest = stream;
    }
    return largest;
  }

  /** Why nothing can be kept now; undefined: it can. */
  #noRoom(): string | undefined {
    if (this.unackedMemory <= DROP_BYTES) return undefined;
    return `neither memory nor disk could keep them (${this.#options.spool.trouble ?? "the disk is too slow"})`;
  }

  #appended(): void {
    const memory = this.unackedMemory;
    const { spool, onPressure } = this.#options;
    if (memory > PARK_BYTES && !this.#parking && spool.usable) void this.#park();
    if (!this.#paused && memory > PAUSE_BYTES && spool.trouble === undefined) {
      this.#paused = true;
      onPressure(true);
    }
    this.#wakeup.wake();
  }

  /** After records left memory. */
  #relieve(): void {
    if (this.#paused && (this.unackedMemory < RESUME_BYTES || this.#options.spool.trouble !== undefined)) {
      this.#paused = false;
      this.#options.onPressure(false);
    }
    let held = this.#sum((stream) => stream.records.heldMemory);
    for (const stream of this.#streams.values()) {
      if (held <= KEEP_BYTES && stream.attempt.token !== OWN_LOG.token) continue;
      held -= stream.records.heldMemory;
      stream.records.releaseAcked();
      held += stream.records.heldMemory;
    }
  }

  /** Bytes that records without an acknowledgement take of memory. */
  get unackedMemory(): number {
    return this.#sum((stream) => stream.records.unackedMemory);
  }

  #sum(of: (stream: UploadStream) => number): number {
    let total = 0;
    for (const stream of this.#streams.values()) if (stream.over === undefined) total += of(stream);
    return total;
  }

  #stream(attempt: AttemptKey, kind: StreamName): UploadStream {
    const key = keyOf(attempt, kind);
    const existing = this.#streams.get(key);
    if (existing !== undefined) return existing;
    const stream = new UploadStream(attempt, kind);
    this.#streams.set(key, stream);
    return stream;
  }

  #find(attempt: AttemptKey, kind: StreamName): UploadStream | undefined {
    return this.#streams.get(keyOf(attempt, kind));
  }

  #both(attempt: AttemptKey): readonly UploadStream[] {
    return (["metrics", "logs"] as const).flatMap((kind) => this.#find(attempt, kind) ?? []);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

const keyOf = ({ token, cellId }: AttemptKey, kind: StreamName): string => `${token}/${cellId}/${kind}`;

const keyText = ({ token, cellId, kind }: PushResponse): string => `${token}/${cellId}/${kind}`;

function isFor(answer: PushResponse, { attempt, kind }: UploadStream): boolean {
  return answer.token === attempt.token && answer.cellId === attempt.cellId && answer.kind === streamKind.toWire(kind);
}
