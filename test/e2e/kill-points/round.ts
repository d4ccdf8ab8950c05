/** One store under many kills: drives it, kills its coordinator at drawn moments, and compares what is left with the ledger. */
import { systemClock } from "../../../src/core/clock.ts";
import { EXIT_OF } from "../../../src/core/errors.ts";
import { Dice } from "../../simulation/dice.ts";
import { CoordinatorProcess, type ProcessOptions } from "../support/coordinator-process.ts";
import type { Found } from "./compare.ts";
import { drawMoment, type KillMoment } from "./kill-moment.ts";
import type { Ledger } from "./ledger.ts";
import { Load } from "./load.ts";

export interface RoundOptions extends Omit<ProcessOptions, "timings"> {
  readonly seed: number;
  readonly points: number;
  readonly workers: number;
  /**
   * Leases of before a restart wait this long for their worker. The workers come back at once; grants whose answer a kill took
   * along wait out all of it, at the end of the round.
   */
  readonly readoptionMs: number;
}

export interface RoundReport {
  readonly violations: readonly string[];
  readonly kills: number;
  /** Of the kills, by what they were tied to; "opening": it did not serve yet. */
  readonly killed: Readonly<Record<string, number>>;
  readonly acks: number;
  readonly found: Found;
  readonly tookMs: number;
}

/**
 * A machine that is so busy that a caller does not come to speak for a lease's time is not what is tested; and the next process on
 * PostgreSQL need not wait for 10 s.
 */
const TIMINGS = { acceptMs: 300_000, leaseTtlMs: 300_000, leadTtlMs: 1_000, leadRenewMs: 250, leadPollMs: 100 };
/** A moment that does not come is not waited for. */
const MOMENT_LIMIT_MS = 1_500;

export async function runRound(options: RoundOptions): Promise<RoundReport> {
  const startMs = systemClock.monotonicMs();
  const load = new Load(options);
  const { ledger } = load;
  const killer = new Killer(options, ledger, new Dice(options.seed));
  try {
    await killer.killAll();
    const last = await killer.letServe();
    const found = await load.finish();
    const code = await last.stop();
    if (code !== 0) ledger.broken(`the coordinator stopped with ${code}: ${last.stderr}`);
    const { violations, acks } = ledger;
    const { killed } = killer;
    return { violations, kills: options.points, killed, acks, found, tookMs: systemClock.monotonicMs() - startMs };
  } finally {
    load.close();
    await killer.end();
  }
}

/** The processes of a round: one serves, the next is loaded. */
class Killer {
  readonly killed: Record<string, number> = {};
  readonly #options: ProcessOptions & { readonly points: number };
  readonly #ledger: Ledger;
  readonly #dice: Dice;
  #next: CoordinatorProcess;
  #current: CoordinatorProcess | undefined;
  #startMs = 200;

  constructor(options: RoundOptions, ledger: Ledger, dice: Dice) {
    this.#options = { ...options, timings: { readoptionMs: options.readoptionMs, ...TIMINGS } };
    this.#ledger = ledger;
    this.#dice = dice;
    this.#next = new CoordinatorProcess(this.#options);
  }

  async killAll(): Promise<void> {
    for (let point = 0; point < this.#options.points; point += 1) await this.#killOne();
  }

  async letServe(): Promise<CoordinatorProcess> {
    const process_ = this.#next;
    this.#current = process_;
    await (
      await process_.open()
    ).serving;
    return process_;
  }

  async end(): Promise<void> {
    await Promise.all([this.#next.kill(), this.#current?.kill()]);
  }

  async #killOne(): Promise<void> {
    const process_ = this.#next;
    this.#current = process_;
    const fromMs = systemClock.monotonicMs();
    const { serving } = await process_.open();
    this.#next = new CoordinatorProcess(this.#options);
    let serves = false;
    const noteServing = async (): Promise<void> => {
      await serving;
      serves = true;
      this.#startMs = 0.8 * this.#startMs + 0.2 * (systemClock.monotonicMs() - fromMs);
    };
    void noteServing();
    const moment = drawMoment(this.#dice, this.#startMs);
    await Promise.race([this.#until(moment, serving), process_.ended.then((code) => this.#endedAlone(code, process_))]);
    await process_.kill();
    const name = serves ? moment.kind : "opening";
    this.killed[name] = (this.killed[name] ?? 0) + 1;
  }

  #endedAlone(code: number | null, { stderr }: CoordinatorProcess): void {
    if (code === null) return;
    // On PostgreSQL a process that is not heard of for the second that its lead lives gives it up, as it must: one kill more.
    if (code === EXIT_OF.unavailable && stderr.includes("another coordinator may lead by now")) {
      this.killed["lead given up"] = (this.killed["lead given up"] ?? 0) + 1;
    } else this.#ledger.broken(`a coordinator ended by itself, with ${code}: ${stderr}`);
  }

  async #until(moment: KillMoment, serving: Promise<void>): Promise<void> {
    if (moment.kind === "time") return systemClock.sleep(moment.afterMs);
    await serving;
    const seen = new AbortController();
    let left = moment.nth;
    this.#ledger.saw = (kind) => {
      if (kind === moment.kind && (left -= 1) === 0) seen.abort();
    };
    await systemClock.sleep(MOMENT_LIMIT_MS, seen.signal);
    this.#ledger.saw = () => undefined;
    await systemClock.sleep(moment.delayMs);
  }
}
