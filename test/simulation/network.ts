/**
 * A network that loses, delays, repeats and reorders messages in both directions, between workers and whichever coordinator
 * runs at the moment.
 */
import { OccamError } from "../../src/core/errors.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import type { Coordinator } from "../../coordinator/coordinator.ts";
import type { Dice } from "./dice.ts";

export interface Weather {
  /** Shares of messages. */
  readonly requestLost: number;
  readonly replyLost: number;
  readonly requestTwice: number;
  readonly delayMaxMs: number;
  /** Share of messages that come much later. */
  readonly late: number;
  readonly lateMaxMs: number;
}

export const CALM: Weather = { requestLost: 0, replyLost: 0, requestTwice: 0, delayMaxMs: 5, late: 0, lateMaxMs: 0 };
export const ROUGH: Weather = {
  requestLost: 0.05,
  replyLost: 0.1,
  requestTwice: 0.1,
  delayMaxMs: 200,
  late: 0.05,
  lateMaxMs: 40_000,
};
/** F5: a quarter of the requests, half of the replies. */
export const STORM: Weather = {
  requestLost: 0.25,
  replyLost: 0.5,
  requestTwice: 0.2,
  delayMaxMs: 1_000,
  late: 0.1,
  lateMaxMs: 120_000,
};

/** The coordinator that runs, if any, and what it is called against. */
export interface Target {
  current(): Coordinator | undefined;
}

export class Network {
  weather: Weather;
  readonly #clock: FakeClock;
  readonly #dice: Dice;
  readonly #target: Target;
  /** Workers that nothing reaches and that reach nothing. */
  readonly #cutOff = new Set<string>();

  constructor(clock: FakeClock, dice: Dice, target: Target, weather: Weather) {
    this.#clock = clock;
    this.#dice = dice;
    this.#target = target;
    this.weather = weather;
  }

  cutOff(worker: string, forMs: number): void {
    this.#cutOff.add(worker);
    this.#clock.after(forMs, () => this.#cutOff.delete(worker));
  }

  /** Rejects with "unavailable" when no answer comes in time. */
  call<R>(
    worker: string,
    timeoutMs: number,
    run: (coordinator: Coordinator, signal: AbortSignal) => Promise<R>,
  ): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const caller = new AbortController();
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        caller.abort();
        reject(new OccamError("unavailable", "no answer in time"));
      });
      const answered = (settle: () => void): void => {
        cancelTimer();
        settle();
      };
      const deliver = (first: boolean): void => {
        void this.#deliver(worker, caller.signal, run, (outcome) => {
          // The sender of a repeated message does not wait for the second answer.
          if (!first) return;
          answered(() => ("value" in outcome ? resolve(outcome.value) : reject(outcome.error)));
        });
      };
      if (!this.#dice.chance(this.weather.requestLost)) this.#clock.after(this.#delayMs(), () => deliver(true));
      if (this.#dice.chance(this.weather.requestTwice)) this.#clock.after(this.#delayMs(), () => deliver(false));
    });
  }

  async #deliver<R>(
    worker: string,
    signal: AbortSignal,
    run: (coordinator: Coordinator, signal: AbortSignal) => Promise<R>,
    answer: (outcome: { readonly value: R } | { readonly error: unknown }) => void,
  ): Promise<void> {
    const coordinator = this.#target.current();
    if (this.#cutOff.has(worker) || coordinator === undefined) return;
    let outcome: { readonly value: R } | { readonly error: unknown };
    try {
      outcome = { value: await run(coordinator, signal) };
    } catch (error) {
      outcome = { error };
    }
    // A process that has ended sends nothing more.
    if (this.#target.current() !== coordinator) return;
    if (this.#dice.chance(this.weather.replyLost)) return;
    this.#clock.after(this.#delayMs(), () => {
      if (!this.#cutOff.has(worker)) answer(outcome);
    });
  }

  #delayMs(): number {
    const { late, lateMaxMs, delayMaxMs } = this.weather;
    return this.#dice.chance(late) ? this.#dice.integer(0, lateMaxMs) : this.#dice.integer(0, delayMaxMs);
  }
}
