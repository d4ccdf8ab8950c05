/**
 * Metrics and logs on their way to the coordinator, over one bulk call that is opened again whenever it breaks.
 *
 * Invariants:
 * 1. Nothing that was given is dropped before the coordinator has acknowledged it, unless its token is fenced, its attempt is
 *    dropped by its owner, or it is the worker's own log, which has a limit and says how much it lost.
 * 2. Memory is bounded: above PAUSE_BYTES of unacknowledged records `onPressure(true)` asks for silence.
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
import type { SeriesPoint } from "../../src/wire/metric-columns.ts";
import { BATCHES_IN_FLIGHT, KEEP_BYTES, OWN_LOG_BYTES, PAUSE_BYTES, RESUME_BYTES } from "./timings.ts";
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
  readonly onPressure: (paused: boolean) => void;
  /** The connection broke, or an answer made no sense; it is opened again. */
  readonly onTrouble: (message: string) => void;
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
  #paused = false;
  #ownLogLost = 0;

  constructor(options: UploaderOptions) {
    this.#options = options;
  }

  metrics(attempt: AttemptKey, points: readonly SeriesPoint[]): void {
    this.#stream(attempt, "metrics").appendPoints(points, this.#nowMs());
    this.#appended();
  }

  log(attempt: AttemptKey, entry: LogEntry): void {
    const stream = this.#stream(attempt, "logs");
    stream.appendLog(entry, this.#nowMs());
    if (attempt.token === OWN_LOG.token) this.#limitOwnLog(stream, entry.timeMs);
    this.#appended();
  }

  /** Records that an attempt has given on each of its streams. */
  counts(attempt: AttemptKey): { readonly metrics: number; readonly logs: number } {
    return { metrics: this.#find(attempt, "metrics")?.count ?? 0, logs: this.#find(attempt, "logs")?.count ?? 0 };
  }

  /** Sends at once what an attempt has given, and resolves when all of it is durable or never will be. */
  async flush(attempt: AttemptKey): Promise<FlushEnd> {
    const ends = this.#both(attempt).map((stream) => stream.flush());
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
      const batch = stream?.nextBatch();
      if (stream === undefined || batch === undefined || signal.aborted) continue;
      this.#inFlight.push({ stream, batch });
      await duplex.send({ workerId, sessionId, ...stream.payload(batch) });
    }
  }

  async #receive(duplex: Duplex<PushRequest, PushResponse>): Promise<void> {
    for await (const answer of duplex.responses) {
      this.#attempt = 0;
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
    if (stream.over !== undefined) return;
    if (answer.fenced) stream.end("fenced");
    else if (stream.records.acknowledge(batch, Number(answer.nextOffset)) === "lost") stream.end("lost");
    else stream.notify();
  }

  /** Waits for a due batch that may be sent now. */
  async #untilDue(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#inFlight.length >= BATCHES_IN_FLIGHT ? Number.POSITIVE_INFINITY : this.#dueInMs();
      if (waitMs <= 0) return;
      await this.#wakeup.wait(this.#options.clock, waitMs, signal);
    }
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

  #limitOwnLog(stream: UploadStream, timeMs: number): void {
    if (stream.records.unackedBytes <= OWN_LOG_BYTES) return;
    const lost = stream.records.dropUnsent(OWN_LOG_BYTES / 2);
    if (lost === 0) return;
    this.#ownLogLost += lost;
    const message = `${this.#ownLogLost} lines of this log were dropped: the coordinator could not be reached for too long`;
    stream.appendLog({ timeMs, level: "warn", message }, this.#nowMs());
  }

  #appended(): void {
    if (!this.#paused && this.#sum((stream) => stream.records.unackedBytes) > PAUSE_BYTES) {
      this.#paused = true;
      this.#options.onPressure(true);
    }
    this.#wakeup.wake();
  }

  /** After records became durable or were dropped. */
  #relieve(): void {
    if (this.#paused && this.#sum((stream) => stream.records.unackedBytes) < RESUME_BYTES) {
      this.#paused = false;
      this.#options.onPressure(false);
    }
    let held = this.#sum((stream) => stream.records.heldBytes);
    for (const stream of this.#streams.values()) {
      if (held <= KEEP_BYTES && stream.attempt.token !== OWN_LOG.token) continue;
      held -= stream.records.heldBytes;
      stream.records.releaseAcked();
      held += stream.records.heldBytes;
    }
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
