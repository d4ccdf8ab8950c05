/**
 * Handlers as async functions. An adapter owns the callbacks, the status codes, cancellation and back-pressure of one kind of
 * call, so that a handler only decodes, calls the domain and encodes.
 *
 * Invariants:
 * 1. `context.signal` aborts when the caller went away or gave up before the answer, and never after the handler has ended.
 * 2. `send` resolves when the stream takes more: a handler that awaits it never fills memory for a slow reader.
 * 3. When the caller goes away, `send` rejects with an OccamError "cancelled" and `requests` ends: by that error, or quietly
 *    when the reset came as the end of the requests, which gRPC does not tell apart. Nothing is answered then.
 */
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { OccamError } from "../core/errors.ts";
import { asTraceparent, TRACEPARENT } from "../core/trace.ts";
import { principalOf } from "./auth.ts";
import { toStatus } from "./status.ts";
import type { Principal } from "./tokens.ts";
import { checkReadable } from "./unreadable.ts";

export interface CallContext {
  readonly signal: AbortSignal;
  /** Address and port of the caller. */
  readonly peer: string;
  /** Whose token it brought. */
  readonly principal: Principal;
  /** The caller's span; "" when it traces nothing. */
  readonly traceparent: string;
}

export type Send<R> = (message: R) => Promise<void>;

export function unary<Q, R>(handler: (request: Q, context: CallContext) => Promise<R>): handleUnaryCall<Q, R> {
  return (call: ServerUnaryCall<Q, R>, callback: sendUnaryData<R>) => {
    const life = new CallLife(call);
    void settle(
      async () => handler(checkReadable(call.request), life.context),
      (response) => life.end() && callback(null, response),
      (error) => life.end() && callback(toStatus(error)),
    );
  };
}

export function serverStreaming<Q, R>(
  handler: (request: Q, send: Send<R>, context: CallContext) => Promise<void>,
): handleServerStreamingCall<Q, R> {
  return (call: ServerWritableStream<Q, R>) => {
    const life = new CallLife(call);
    const send = sender(call, life);
    void settle(async () => handler(checkReadable(call.request), send, life.context), ...streamEnd(call, life));
  };
}

export function bidiStreaming<Q, R>(
  handler: (requests: AsyncIterable<Q>, send: Send<R>, context: CallContext) => Promise<void>,
): handleBidiStreamingCall<Q, R> {
  return (call: ServerDuplexStream<Q, R>) => {
    const life = new CallLife(call);
    const send = sender(call, life);
    void settle(async () => handler(requestsOf(call, life), send, life.context), ...streamEnd(call, life));
  };
}

/** What the three kinds of call share. */
interface Caller {
  readonly metadata: Metadata;
  getPeer(): string;
  on(event: "cancelled", listener: () => void): unknown;
}

/** One call from its arrival to its answer. */
class CallLife {
  readonly context: CallContext;
  readonly #controller = new AbortController();
  #ended = false;

  constructor(call: Caller) {
    const { signal } = this.#controller;
    const { metadata } = call;
    const traceparent = asTraceparent(metadata.get(TRACEPARENT)[0]);
    this.context = { signal, peer: call.getPeer(), principal: principalOf(metadata), traceparent };
    // gRPC says "cancelled" after every answered call as well.
    call.on("cancelled", () => {
      if (!this.#ended) this.#controller.abort();
    });
  }

  /** True when the caller still waits for the answer. */
  end(): boolean {
    const waits = !this.#ended && !this.#controller.signal.aborted;
    this.#ended = true;
    return waits;
  }

  cancelled(): OccamError {
    return new OccamError("cancelled", "the caller went away");
  }
}

async function settle<R>(
  run: () => Promise<R>,
  done: (value: R) => void,
  failed: (error: unknown) => void,
): Promise<void> {
  let value: R;
  try {
    value = await run();
  } catch (error) {
    return failed(error);
  }
  done(value);
}

type Ended = readonly [done: () => void, failed: (error: unknown) => void];

function streamEnd<Q, R>(call: ServerWritableStream<Q, R> | ServerDuplexStream<Q, R>, life: CallLife): Ended {
  return [
    () => {
      if (life.end()) call.end();
    },
    (error) => {
      // grpc-js takes a status as the stream's "error" and sends it once what was written has left.
      if (life.end()) call.emit("error", toStatus(error));
    },
  ];
}

function sender<Q, R>(call: ServerWritableStream<Q, R> | ServerDuplexStream<Q, R>, life: CallLife): Send<R> {
  const { signal } = life.context;
  let draining: Promise<void> | undefined;
  const drained = (): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      const settled = (): void => {
        draining = undefined;
        call.off("drain", settled);
        signal.removeEventListener("abort", settled);
        if (signal.aborted) reject(life.cancelled());
        else resolve();
      };
      call.once("drain", settled);
      signal.addEventListener("abort", settled, { once: true });
    });
  return async (message) => {
    if (signal.aborted) throw life.cancelled();
    if (!call.write(message)) await (draining ??= drained());
  };
}

async function* requestsOf<Q, R>(call: ServerDuplexStream<Q, R>, life: CallLife): AsyncGenerator<Q> {
  try {
    // Without this option the end of the requests would destroy the stream, and the answers with it.
    for await (const request of call.iterator({ destroyOnReturn: false })) yield checkReadable(request as Q);
  } catch (error) {
    throw life.context.signal.aborted ? life.cancelled() : error;
  }
  if (life.context.signal.aborted) throw life.cancelled();
}
