/**
 * A network that loses, delays, repeats and reorders messages in both directions, between workers and whichever coordinators
 * run at the moment; that can be cut, for one worker and one direction; and on which bulk streams keep their order or break.
 */
import type { PushRequest, PushResponse } from "../../proto/gen/occam/v1/bulk.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { Duplex } from "../../src/rpc/client-calls.ts";
import { KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from "../../src/rpc/limits.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { BulkChannel } from "./bulk-channel.ts";
import type { CoordinatorProcess } from "./coordinator-process.ts";
import type { Dice } from "./dice.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { Weather } from "./weather.ts";

/** Who calls. */
export interface Caller {
  readonly id: string;
  readonly clock: ProcessClock;
}

export type Direction = "up" | "down" | "both";

export interface NetworkOptions {
  readonly clock: FakeClock;
  readonly dice: Dice;
  readonly weather: Weather;
  /** The coordinator that a message of this worker reaches now; undefined: none serves. */
  readonly reach: (worker: string) => CoordinatorProcess | undefined;
}

export class Network {
  weather: Weather;
  readonly clock: FakeClock;
  readonly dice: Dice;
  readonly reach: NetworkOptions["reach"];
  /** Until when nothing passes, by "worker/direction". */
  readonly #cut = new Map<string, number>();
  readonly #channels = new Set<BulkChannel>();

  constructor({ clock, dice, weather, reach }: NetworkOptions) {
    this.clock = clock;
    this.dice = dice;
    this.weather = weather;
    this.reach = reach;
  }

  /** Nothing passes for a while. What is open stays open until it is missed. */
  cutOff(worker: string, direction: Direction, forMs: number): void {
    const untilMs = this.clock.monotonicMs() + forMs;
    for (const way of direction === "both" ? (["up", "down"] as const) : [direction]) {
      this.#cut.set(`${worker}/${way}`, Math.max(this.#cut.get(`${worker}/${way}`) ?? 0, untilMs));
    }
    const silentMs = KEEPALIVE_TIME_MS + KEEPALIVE_TIMEOUT_MS;
    if (forMs <= silentMs) return;
    const open = [...this.#channels].filter((channel) => channel.worker === worker);
    this.clock.after(silentMs, () => {
      for (const channel of open) channel.break("the connection was silent for too long");
    });
  }

  /** When a message may pass. */
  opensMs(worker: string, way: "up" | "down"): number {
    return this.#cut.get(`${worker}/${way}`) ?? 0;
  }

  isCut(worker: string, way: "up" | "down"): boolean {
    return this.opensMs(worker, way) > this.clock.monotonicMs();
  }

  delayMs(): number {
    const { late, lateMaxMs, delayMaxMs } = this.weather;
    return this.dice.chance(late) ? this.dice.integer(0, lateMaxMs) : this.dice.integer(0, delayMaxMs);
  }

  openBulk(from: Caller): Duplex<PushRequest, PushResponse> {
    const channel = new BulkChannel(this, from, () => this.#channels.delete(channel));
    this.#channels.add(channel);
    return channel;
  }

  /** Rejects with "unavailable" when no answer comes in time, or when it is known that none will. */
  call<R>(
    from: Caller,
    timeoutMs: number,
    run: (process: CoordinatorProcess, signal: AbortSignal) => Promise<R>,
    givenUp?: AbortSignal,
  ): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (givenUp?.aborted === true) return reject(new OccamError("cancelled", "the call was given up"));
      const server = new AbortController();
      const { weather, dice, clock } = this;
      let over = false;
      const settle = (act: () => void): void => {
        if (over) return;
        over = true;
        cancelTimer();
        givenUp?.removeEventListener("abort", giveUp);
        act();
      };
      const fail = (code: "unavailable" | "cancelled", text: string): void =>
        settle(() => reject(new OccamError(code, text)));
      const cancelTimer = from.clock.after(timeoutMs, () => {
        server.abort();
        fail("unavailable", "no answer in time");
      });
      const giveUp = (): void => {
        clock.after(this.delayMs(), () => server.abort());
        fail("cancelled", "the call was given up");
      };
      givenUp?.addEventListener("abort", giveUp, { once: true });
      const breaks = (): void => {
        clock.after(this.delayMs(), () => {
          if (!this.isCut(from.id, "down")) from.clock.deliver(() => fail("unavailable", "the connection was reset"));
        });
      };
      const arrive = (first: boolean): void => {
        const process = this.isCut(from.id, "up") ? undefined : this.reach(from.id);
        if (process === undefined) {
          // Nobody listens, or nobody is there to say so.
          if (first && !this.isCut(from.id, "up") && dice.chance(0.5)) breaks();
          return;
        }
        const takeBack = process.onReset(() => first && breaks());
        if (first && dice.chance(weather.brokenInFlight)) breaks();
        const serve = async (): Promise<void> => {
          const outcome = await settled(() => run(process, server.signal));
          takeBack();
          // The sender of a repeated message does not wait for the second answer, and a dead process sends none.
          if (!first || !process.alive || dice.chance(weather.replyLost)) return;
          const answer = (): void => ("error" in outcome ? reject(outcome.error) : resolve(outcome.value));
          clock.after(this.delayMs(), () => {
            if (!this.isCut(from.id, "down")) from.clock.deliver(() => settle(answer));
          });
        };
        process.clock.deliver(() => void serve());
      };
      if (!dice.chance(weather.requestLost)) clock.after(this.delayMs(), () => arrive(true));
      if (dice.chance(weather.requestTwice)) clock.after(this.delayMs(), () => arrive(false));
    });
  }
}

async function settled<R>(run: () => Promise<R>): Promise<{ readonly value: R } | { readonly error: unknown }> {
  try {
    return { value: await run() };
  } catch (error) {
    return { error };
  }
}
