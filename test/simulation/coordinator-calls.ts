/** Calls of the real services, adapters included, without a wire: a call is an object that looks like grpc-js's. */
import { EventEmitter } from "node:events";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import type { PushRequest, PushResponse } from "../../proto/gen/occam/v1/bulk.ts";
import type { CommitRequest, CommitResponse, SyncRequest, SyncResponse } from "../../proto/gen/occam/v1/control.ts";
import { fromStatus } from "../../src/rpc/status.ts";
import { bulkService } from "../../coordinator/api/bulk-service.ts";
import { controlService } from "../../coordinator/api/control-service.ts";
import { WorkerOwners } from "../../coordinator/api/worker-owners.ts";
import type { Coordinator } from "../../coordinator/coordinator.ts";

type UnaryHandler = (call: unknown, callback: (error: StatusObject | null, value?: unknown) => void) => void;
type StreamHandler = (call: unknown) => void;

/** Where a stream's answers go. */
export interface StreamListener {
  answer(response: PushResponse): void;
  /** The server has ended the call. */
  ended(error: unknown): void;
}

/** The server's end of a bulk call. */
export interface ServerStream {
  give(request: PushRequest): void;
  /** The client went away. */
  cancel(): void;
}

export class CoordinatorCalls {
  readonly #control: Readonly<Record<string, UnaryHandler>>;
  readonly #bulk: Readonly<Record<string, StreamHandler>>;

  constructor(coordinator: Coordinator) {
    const owners = new WorkerOwners(coordinator.hot);
    this.#control = controlService(coordinator, owners).implementation as unknown as Readonly<
      Record<string, UnaryHandler>
    >;
    this.#bulk = bulkService(coordinator, owners).implementation as unknown as Readonly<Record<string, StreamHandler>>;
  }

  sync(request: SyncRequest, signal: AbortSignal): Promise<SyncResponse> {
    return unary(this.#control["sync"]!, request, signal);
  }

  commit(request: CommitRequest, signal: AbortSignal): Promise<CommitResponse> {
    return unary(this.#control["commit"]!, request, signal);
  }

  push(listener: StreamListener): ServerStream {
    const call = new DuplexCall(listener);
    this.#bulk["push"]!(call);
    return call;
  }
}

/** Never settles when the caller goes away: adapters answer nothing then. */
function unary<R>(handler: UnaryHandler, request: unknown, signal: AbortSignal): Promise<R> {
  return new Promise((resolve, reject) => {
    const on = (_event: string, listener: () => void): void =>
      signal.addEventListener("abort", listener, { once: true });
    const call = { request, metadata: new Metadata(), getPeer: () => "simulated", on };
    handler(call, (error, value) => {
      if (error === null) resolve(value as R);
      else reject(fromStatus(error, "simulated"));
    });
  });
}

class DuplexCall extends EventEmitter implements ServerStream {
  readonly metadata = new Metadata();
  readonly #listener: StreamListener;
  readonly #requests: PushRequest[] = [];
  #wake: () => void = () => undefined;
  #cancelled = false;

  constructor(listener: StreamListener) {
    super();
    this.#listener = listener;
    this.on("error", (error: StatusObject) => listener.ended(fromStatus(error, "simulated")));
  }

  give(request: PushRequest): void {
    this.#requests.push(request);
    this.#wake();
  }

  cancel(): void {
    this.#cancelled = true;
    this.emit("cancelled");
    this.#wake();
  }

  // What the adapter uses.

  getPeer(): string {
    return "simulated";
  }

  async *iterator(): AsyncGenerator<PushRequest> {
    for (;;) {
      const next = this.#requests.shift();
      if (this.#cancelled) throw new Error("the stream was reset");
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  write(response: PushResponse): boolean {
    this.#listener.answer(response);
    return true;
  }

  end(): void {
    this.#listener.ended(undefined);
  }
}
