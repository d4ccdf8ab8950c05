/**
 * A client whose channel is made anew when it does not get ready. grpc-js has no limit for an HTTP/2 handshake: a connection that is
 * cut off after TCP is up and before the settings have come is waited for as long as TCP does, and calls without a deadline with it.
 *
 * Invariants:
 * 1. A channel that wants to be ready and is not for CONNECT_LIMIT_MS is closed, and its calls end as "unavailable". After a first
 *    failure grpc-js goes on to say "failed" while it connects again, so that both states count.
 * 2. One timer at most, and none while the channel is ready or idle.
 */
import { connectivityState, type Client } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { CONNECT_LIMIT_MS } from "./limits.ts";

export class RenewedClient<C extends Client> {
  readonly #make: () => C;
  readonly #clock: Clock;
  #client: C;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(make: () => C, clock: Clock) {
    this.#make = make;
    this.#clock = clock;
    this.#client = make();
    this.#watch(this.#client);
  }

  /** To be asked for with every call. */
  get current(): C {
    return this.#client;
  }

  close(): void {
    this.#closed = true;
    this.#stopTimer();
    this.#client.close();
  }

  #watch(client: C): void {
    if (this.#closed || client !== this.#client) return;
    const channel = client.getChannel();
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.CONNECTING || state === connectivityState.TRANSIENT_FAILURE) {
      this.#cancelTimer ??= this.#clock.after(CONNECT_LIMIT_MS, () => this.#renew());
    } else {
      this.#stopTimer();
    }
    if (state !== connectivityState.SHUTDOWN) {
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#watch(client));
    }
  }

  #renew(): void {
    this.#cancelTimer = undefined;
    const old = this.#client;
    this.#client = this.#make();
    this.#watch(this.#client);
    old.close();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
