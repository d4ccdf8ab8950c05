/**
 * Calls of a client as promises and async iterables. Every failure is an OccamError; cancellation is an AbortSignal; a writer
 * waits when the stream is full.
 */
import {
  Metadata,
  status,
  type CallOptions,
  type Client,
  type ClientReadableStream,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import { systemClock } from "../core/clock.ts";
import { OccamError } from "../core/errors.ts";
import { TRACEPARENT } from "../core/trace.ts";
import { DEFAULT_DEADLINE_MS } from "./limits.ts";
import { fromStatus } from "./status.ts";

/** A method of a generated service definition: `ControlServiceService.sync`. */
export interface Method<Q, R> {
  readonly path: string;
  readonly requestSerialize: (value: Q) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => R;
}

export interface CallSettings {
  readonly signal?: AbortSignal;
  /** From now on; DEFAULT_DEADLINE_MS for a unary call, none for a stream when left out. */
  readonly deadlineMs?: number;
  /** The caller's span; "" when nothing is traced. */
  readonly traceparent?: string;
}

/** `await callUnary(connection.control, ControlServiceService.commit, request, { deadlineMs: 5_000 })` */
export function callUnary<Q, R>(
  client: Client,
  method: Method<Q, R>,
  request: Q,
  settings: CallSettings = {},
): Promise<R> {
  const { signal } = settings;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(givenUp());
    const options = callOptions({ deadlineMs: DEFAULT_DEADLINE_MS, ...settings });
    const { path, requestSerialize, responseDeserialize } = method;
    const cancel = (): void => call.cancel();
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadataOf(settings),
      options,
      (error: ServiceError | null, response?: R) => {
        signal?.removeEventListener("abort", cancel);
        if (error !== null) reject(raised(error, client, signal));
        else resolve(response as R);
      },
    );
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

/** The answers of a server-streaming call, read as fast as the loop that takes them. Leaving the loop ends the call. */
export function readStream<Q, R>(
  client: Client,
  method: Method<Q, R>,
  request: Q,
  settings: CallSettings = {},
): AsyncGenerator<R, void, undefined> {
  const { path, requestSerialize, responseDeserialize } = method;
  const options = callOptions(settings);
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    new Metadata(),
    options,
  );
  return messagesOf(call, new StreamEnd(call, client, settings.signal));
}

/** An open bidirectional call. */
export interface Duplex<Q, R> {
  /** Resolves when the stream takes more; rejects once the call has ended. */
  send(message: Q): Promise<void>;
  /** Ends with the call; throws when it ended by an error. To be read by one loop. */
  readonly responses: AsyncIterable<R>;
  /** Nothing more to send. */
  end(): void;
  cancel(): void;
}

export function openDuplex<Q, R>(client: Client, method: Method<Q, R>, settings: CallSettings = {}): Duplex<Q, R> {
  const { path, requestSerialize, responseDeserialize } = method;
  const options = callOptions(settings);
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), options);
  const end = new StreamEnd(call, client, settings.signal);
  return {
    responses: messagesOf(call, end),
    send: async (message) => {
      if (end.over) throw new OccamError("unavailable", "the stream has ended");
      if (call.write(message)) return;
      await Promise.race([new Promise<void>((resolve) => call.once("drain", resolve)), end.reached]);
    },
    end: () => call.end(),
    cancel: () => call.cancel(),
  };
}

/**
 * How a streaming call ended. It listens from the first moment: grpc-js emits an error without keeping it, so that one which
 * comes before the first read would be lost, or end the process.
 */
class StreamEnd {
  readonly reached: Promise<void>;
  over = false;
  #failure: OccamError | undefined;

  constructor(call: ClientReadableStream<unknown>, client: Client, signal: AbortSignal | undefined) {
    const cancel = (): void => call.cancel();
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
    call.on("error", () => undefined);
    this.reached = new Promise((resolve) => {
      call.once("status", (answer: StatusObject) => {
        this.over = true;
        if (answer.code !== status.OK) this.#failure = raised(answer, client, signal);
        signal?.removeEventListener("abort", cancel);
        resolve();
      });
    });
  }

  /** Throws unless the call ended well. */
  async check(): Promise<void> {
    await this.reached;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function* messagesOf<R>(call: ClientReadableStream<R>, end: StreamEnd): AsyncGenerator<R, void, undefined> {
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) yield message as R;
  } catch {
    // What it was, the status says.
    await end.check();
  } finally {
    call.cancel();
  }
  await end.check();
}

function callOptions({ deadlineMs }: CallSettings): CallOptions {
  // gRPC takes a moment of the real clock, and counts down by it itself.
  return deadlineMs === undefined ? {} : { deadline: systemClock.nowMs() + deadlineMs };
}

function metadataOf({ traceparent = "" }: CallSettings): Metadata {
  const metadata = new Metadata();
  if (traceparent !== "") metadata.set(TRACEPARENT, traceparent);
  return metadata;
}

function givenUp(): OccamError {
  return new OccamError("cancelled", "the call was given up");
}

function raised(answer: StatusObject, client: Client, signal: AbortSignal | undefined): OccamError {
  if (signal?.aborted === true) return givenUp();
  const address = client.getChannel().getTarget().replace(/^dns:/, "");
  const { code, details, metadata } = answer;
  // A server that is shut down by force resets its streams as "cancelled"; it was not us.
  return fromStatus({ code: code === status.CANCELLED ? status.UNAVAILABLE : code, details, metadata }, address);
}
