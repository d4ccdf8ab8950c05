/** One store under many kills: drives it, kills its coordinator at drawn moments, and compares what is left with the ledger. */
import { setMaxListeners } from "node:events";
import { systemClock } from "../../../src/core/clock.ts";
import { connect } from "../../../src/rpc/client.ts";
import { Dice } from "../../simulation/dice.ts";
import { compare, type Found } from "./compare.ts";
import { CoordinatorProcess, type ProcessOptions } from "../support/coordinator-process.ts";
import { DrivenOperator } from "./driven-operator.ts";
import { DrivenWorker } from "./driven-worker.ts";
import { drawMoment, type KillMoment } from "./kill-moment.ts";
import { Ledger } from "./ledger.ts";
import { Line } from "./line.ts";

export interface RoundOptions extends Omit<ProcessOptions, "timings"> {
  readonly seed: number;
  readonly points: number;
  readonly workers: number;
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
 * Leases of before a restart wait this long for their worker. The workers come back at once; grants whose answer a kill took
 * along wait out all of it, at the end.
 */
const TIMINGS = { readoptionMs: 8_000, leadTtlMs: 1_000, leadRenewMs: 250, leadPollMs: 100 };
/** A moment that does not come is not waited for. */
const MOMENT_LIMIT_MS = 1_500;
const END_LIMIT_MS = 120_000;

export async function runRound(options: RoundOptions): Promise<RoundReport> {
  const startMs = systemClock.monotonicMs();
  const ledger = new Ledger();
  const dice = new Dice(options.seed);
  const over = new AbortController();
  // Every call that is under way listens to it.
  setMaxListeners(0, over.signal);
  const enough = new AbortController();
  const address = `127.0.0.1:${options.port}`;
  const newLine = (number: number) => new Line(address, options.token, ledger, new Dice(options.seed + number));
  const lines = Array.from({ length: options.workers + 1 }, (_, index) => newLine(index + 1));
  const ids = lines.slice(1).map((_, index) => `worker-${index + 1}`);
  const workers = ids.map(
    (id, index) => new DrivenWorker(id, lines[index + 1]!, ledger, new Dice(options.seed + 1_000 + index)),
  );
  const operator = new DrivenOperator(lines[0]!, ledger, new Dice(options.seed + 999));
  const work = workers.map((worker) => worker.run(over.signal));
  const orders = operator.run(enough.signal, over.signal);
  const killer = new Killer(options, ledger, dice);
  try {
    await killer.killAll();
    enough.abort();
    const last = await killer.letServe();
    const late = AbortSignal.any([over.signal, AbortSignal.timeout(END_LIMIT_MS)]);
    await orders;
    await operator.untilDone(late);
    if (late.aborted) ledger.broken(`the sweeps did not end within ${END_LIMIT_MS} ms`);
    over.abort();
    await Promise.all(work);
    const connection = connect({ address, token: options.token });
    const found = await compare(connection, ledger, ids);
    connection.close();
    const code = await last.stop();
    if (code !== 0) ledger.broken(`the coordinator stopped with ${code}: ${last.stderr}`);
    const { violations, acks } = ledger;
    const { killed } = killer;
    return { violations, kills: options.points, killed, acks, found, tookMs: systemClock.monotonicMs() - startMs };
  } finally {
    over.abort();
    for (const line of lines) line.close();
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
    this.#options = { ...options, timings: TIMINGS };
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
    void serving.then(() => {
      serves = true;
      this.#startMs = 0.8 * this.#startMs + 0.2 * (systemClock.monotonicMs() - fromMs);
    });
    const moment = drawMoment(this.#dice, this.#startMs);
    await Promise.race([this.#until(moment, serving), process_.ended.then((code) => this.#endedAlone(code, process_))]);
    await process_.kill();
    const name = serves ? moment.kind : "opening";
    this.killed[name] = (this.killed[name] ?? 0) + 1;
  }

  #endedAlone(code: number | null, { stderr }: CoordinatorProcess): void {
    if (code !== null) this.#ledger.broken(`a coordinator ended by itself, with ${code}: ${stderr}`);
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
