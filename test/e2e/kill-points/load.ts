/** Workers and an operator that drive one coordinator, wherever it is killed or breaks, and the ledger of what they were told. */
import { setMaxListeners } from "node:events";
import { systemClock } from "../../../src/core/clock.ts";
import { connect } from "../../../src/rpc/client.ts";
import { Dice } from "../../simulation/dice.ts";
import { compare, type Found } from "./compare.ts";
import { DrivenOperator } from "./driven-operator.ts";
import { DrivenWorker } from "./driven-worker.ts";
import { Ledger } from "./ledger.ts";
import { Line } from "./line.ts";

export interface LoadOptions {
  readonly port: number;
  readonly token: string;
  readonly seed: number;
  readonly workers: number;
}

const END_LIMIT_MS = 180_000;

export class Load {
  readonly ledger = new Ledger();
  readonly #address: string;
  readonly #token: string;
  readonly #workerIds: readonly string[];
  readonly #lines: readonly Line[];
  readonly #workers: readonly DrivenWorker[];
  readonly #operator: DrivenOperator;
  readonly #over = new AbortController();
  readonly #enough = new AbortController();
  readonly #work: Promise<unknown>;
  readonly #orders: Promise<void>;

  /** Begins at once. */
  constructor({ port, token, seed, workers }: LoadOptions) {
    this.#address = `127.0.0.1:${port}`;
    this.#token = token;
    // Every call that is under way listens to it.
    setMaxListeners(0, this.#over.signal);
    const newLine = (number: number): Line => new Line(this.#address, token, this.ledger, new Dice(seed + number));
    this.#workerIds = Array.from({ length: workers }, (_, index) => `worker-${index + 1}`);
    const ways = this.#workerIds.map((_, index) => newLine(index + 1));
    this.#workers = this.#workerIds.map(
      (id, index) => new DrivenWorker(id, ways[index]!, this.ledger, new Dice(seed + 1_000 + index)),
    );
    const orders = newLine(0);
    this.#lines = [orders, ...ways];
    this.#operator = new DrivenOperator(orders, this.ledger, new Dice(seed + 999));
    this.#work = Promise.all(this.#workers.map((worker) => worker.run(this.#over.signal)));
    this.#orders = this.#operator.run(this.#enough.signal, this.#over.signal);
  }

  /** Submits nothing more, waits until all sweeps have ended, and compares the ledger with what is stored. */
  async finish(): Promise<Found> {
    // Not AbortSignal.any of a timeout, which on Node 20 may be collected before it fires.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), END_LIMIT_MS);
    const late = limit.signal;
    this.#enough.abort();
    await this.#orders;
    await this.#operator.untilDone(late);
    while (!late.aborted && !this.#workers.every(({ idle }) => idle)) await systemClock.sleep(20);
    if (late.aborted) this.ledger.broken(`the sweeps did not end within ${END_LIMIT_MS} ms`);
    clearTimeout(timer);
    this.#over.abort();
    await this.#work;
    const connection = connect({ address: this.#address, token: this.#token });
    try {
      return await compare(connection, this.ledger, this.#workerIds);
    } finally {
      connection.close();
    }
  }

  close(): void {
    this.#over.abort();
    for (const line of this.#lines) line.close();
  }
}
