/**
 * One bulk call over the bad network. As on TCP, messages keep their order and none is lost alone: what cannot pass waits, and
 * what is lost is the rest of the stream.
 */
import type { PushRequest, PushResponse } from "../../proto/gen/occam/v1/bulk.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { Duplex } from "../../src/rpc/client-calls.ts";
import type { ServerStream } from "./coordinator-calls.ts";
import type { CoordinatorProcess } from "./coordinator-process.ts";
import type { Caller, Network } from "./network.ts";

export class BulkChannel implements Duplex<PushRequest, PushResponse> {
  readonly worker: string;
  readonly responses: AsyncIterable<PushResponse>;
  readonly #network: Network;
  readonly #from: Caller;
  readonly #closed: () => void;
  readonly #arrived: PushResponse[] = [];
  #wake: () => void = () => undefined;
  #failure: OccamError | undefined;
  #broken = false;
  #process: CoordinatorProcess | undefined;
  #server: ServerStream | undefined;
  /** Times of the last message, by direction: the next one comes later. */
  readonly #last = { up: 0, down: 0 };

  constructor(network: Network, from: Caller, closed: () => void) {
    this.#network = network;
    this.#from = from;
    this.worker = from.id;
    this.#closed = closed;
    this.responses = this.#read();
  }

  async send(request: PushRequest): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    // It does not know yet. Nothing passes behind what was lost.
    if (this.#broken) return;
    const { dice, weather } = this.#network;
    const breaks = dice.chance(weather.streamBreaks);
    if (!breaks || dice.chance(0.5)) this.#pass("up", () => this.#arrive(request));
    if (breaks) this.break("the connection was reset");
  }

  end(): void {
    // Nothing waits for it.
  }

  cancel(): void {
    this.#hang("the call was given up");
    this.#network.clock.after(this.#network.delayMs(), () => this.#cancelServer());
  }

  /** Both ends find out, each in its time. */
  break(why: string): void {
    if (this.#broken) return;
    this.#broken = true;
    const { clock } = this.#network;
    clock.after(this.#network.delayMs(), () => this.#from.clock.deliver(() => this.#hang(why)));
    clock.after(this.#network.delayMs(), () => this.#cancelServer());
  }

  /** In order, and not before the link is there again. */
  #pass(way: "up" | "down", arrive: () => void): void {
    const { clock } = this.#network;
    const dueMs = Math.max(
      this.#last[way],
      clock.monotonicMs() + this.#network.delayMs(),
      this.#network.opensMs(this.worker, way),
    );
    this.#last[way] = dueMs;
    clock.after(dueMs - clock.monotonicMs(), () => {
      // It was cut in the meantime.
      if (this.#network.isCut(this.worker, way)) this.#pass(way, arrive);
      else arrive();
    });
  }

  #arrive(request: PushRequest): void {
    if (this.#server === undefined) {
      this.#process = this.#network.reach(this.worker);
      if (this.#process === undefined) return this.break("nobody listens");
      this.#process.onReset(() => this.break("the connection was reset"));
      this.#server = this.#process.calls!.push({
        answer: (response) => this.#pass("down", () => this.#from.clock.deliver(() => this.#give(response))),
        ended: (error) => this.break(error instanceof Error ? error.message : "the call has ended"),
      });
    }
    const server = this.#server;
    this.#process!.clock.deliver(() => server.give(request));
  }

  #give(response: PushResponse): void {
    if (this.#failure !== undefined) return;
    this.#arrived.push(response);
    this.#wake();
  }

  #hang(why: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new OccamError("unavailable", why);
    this.#closed();
    this.#wake();
  }

  #cancelServer(): void {
    const server = this.#server;
    this.#process?.clock.deliver(() => server?.cancel());
  }

  async *#read(): AsyncGenerator<PushResponse> {
    for (;;) {
      const next = this.#arrived.shift();
      if (next !== undefined) yield next;
      else if (this.#failure !== undefined) throw this.#failure;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
