/**
 * Who of several coordinators on one store leads: a candidate waits for the seat, the leader keeps it by signs of life.
 *
 * Invariants:
 * 1. A seat that is not free is taken only after it stood still for `leadTtlMs` of this process's own monotonic time. Clocks of
 *    machines are never compared.
 * 2. A lead that is lost stays lost: `lost` resolves once, and this process has to begin anew as a candidate. It is lost when
 *    the seat is another's, or when the store has not answered for `leadTtlMs`.
 * 3. None of this makes writing safe; the store does, which refuses every write of a lower epoch.
 */
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/log.ts";
import type { Seat, SeatState } from "../store/leader-seat.ts";
import type { Timings } from "../timings.ts";

export interface ElectionOptions {
  readonly seat: Seat;
  /** Where others reach this coordinator: "host:port". */
  readonly address: string;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  readonly timings: Pick<Timings, "leadTtlMs" | "leadRenewMs" | "leadPollMs">;
}

/** What was seen of the seat, and since when it has been so. */
interface Sight {
  readonly seat: SeatState;
  readonly sinceMs: number;
}

export class Election {
  /** Resolves with the reason when the lead that was won is lost. */
  readonly lost: Promise<OccamError>;
  readonly #options: ElectionOptions;
  readonly #stopped = new AbortController();
  readonly #lose: (reason: OccamError) => void;
  #leader = "";
  #epoch: bigint | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
    let lose: (reason: OccamError) => void = () => undefined;
    this.lost = new Promise((resolve) => (lose = resolve));
    this.#lose = lose;
  }

  /** Where the leader serves, as it was last seen; "": nobody leads, or nobody knows. */
  get leader(): string {
    return this.#leader;
  }

  /** Waits for the seat, however long it takes. The epoch of the lead; undefined: stopped before. */
  async win(): Promise<bigint | undefined> {
    const { clock, timings, logger } = this.#options;
    const { signal } = this.#stopped;
    let sight: Sight | undefined;
    while (!signal.aborted) {
      try {
        sight = await this.#look(sight);
        const epoch = await this.#tryTake(sight);
        if (epoch !== undefined) return this.#keep(epoch);
      } catch (error) {
        logger.warn({ reason: messageOf(error) }, "the store does not answer; this coordinator goes on standing by");
      }
      await clock.sleep(timings.leadPollMs, signal);
    }
    return undefined;
  }

  /** Ends the signs of life and frees the seat. To be called when nothing more is written. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const epoch = this.#epoch;
    if (epoch === undefined) return;
    const { seat, clock, timings } = this.#options;
    await Promise.race([seat.free(epoch).catch(() => undefined), clock.sleep(timings.leadRenewMs)]);
  }

  /** Why the lead is over, when another has taken the seat; undefined: it has not, or the store does not say. */
  async deposed(): Promise<OccamError | undefined> {
    const now = await this.#options.seat.read().catch(() => undefined);
    if (now === undefined || this.#epoch === undefined || now.epoch === this.#epoch) return undefined;
    this.#leader = now.address;
    const who = now.address === "" ? "another coordinator" : `the coordinator at ${now.address}`;
    return taken(who, this.#epoch, now.epoch);
  }

  async #look(before: Sight | undefined): Promise<Sight> {
    const { seat, clock } = this.#options;
    const now = await seat.read();
    this.#leader = now.address;
    const same = before?.seat.epoch === now.epoch && before.seat.beat === now.beat;
    return same && before.seat.address === now.address ? before : { seat: now, sinceMs: clock.monotonicMs() };
  }

  async #tryTake({ seat, sinceMs }: Sight): Promise<bigint | undefined> {
    const { clock, timings, address } = this.#options;
    const free = seat.address === "" || clock.monotonicMs() - sinceMs >= timings.leadTtlMs;
    return free ? this.#options.seat.take(seat, address) : undefined;
  }

  #keep(epoch: bigint): bigint {
    this.#epoch = epoch;
    this.#leader = this.#options.address;
    void this.#renew(epoch);
    return epoch;
  }

  async #renew(epoch: bigint): Promise<void> {
    const { clock, timings, logger } = this.#options;
    const { signal } = this.#stopped;
    // Counted, not timed: a process that stood still has not been without an answer. A try lasts as long as the next one is away.
    const triesMax = Math.max(1, Math.round(timings.leadTtlMs / timings.leadRenewMs));
    for (let failed = 0; failed < triesMax;) {
      const next = clock.sleep(timings.leadRenewMs, signal);
      const outcome = await this.#tryRenew(epoch, next);
      if (signal.aborted) return;
      if (outcome === "taken") return this.#lose((await this.deposed()) ?? taken("another coordinator", epoch));
      if (outcome === "renewed") failed = 0;
      else {
        failed += 1;
        logger.warn({ reason: outcome.failure, failed, triesMax }, "the lead could not be renewed");
      }
      await next;
      if (signal.aborted) return;
    }
    const text = `the store has not answered for ${timings.leadTtlMs / 1000} s; another coordinator may lead by now`;
    this.#lose(new OccamError("unavailable", text, { hint: "start this coordinator again to stand by" }));
  }

  async #tryRenew(epoch: bigint, over: Promise<void>): Promise<"renewed" | "taken" | { readonly failure: string }> {
    const renewed = this.#options.seat.renew(epoch).then(
      (kept) => (kept ? ("renewed" as const) : ("taken" as const)),
      (error: unknown) => ({ failure: messageOf(error) }),
    );
    const late = over.then(() => ({ failure: "no answer in time" }));
    return Promise.race([renewed, late]);
  }
}

function taken(who: string, own: bigint, standing?: bigint): OccamError {
  const since = standing === undefined ? "" : ` since epoch ${standing}`;
  return new OccamError("unavailable", `${who} leads${since}; this one was of epoch ${own}`, {
    hint: "nothing was written since; start this coordinator again to stand by",
  });
}
