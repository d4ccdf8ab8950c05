/** The way to a coordinator that is killed again and again: a call is repeated until there is an answer. */
import { systemClock } from "../../../src/core/clock.ts";
import { OccamError, RETRYABLE } from "../../../src/core/errors.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";
import type { Dice } from "../../simulation/dice.ts";
import type { Ledger } from "./ledger.ts";

export class Line {
  readonly #address: string;
  readonly #token: string;
  readonly #ledger: Ledger;
  readonly #dice: Dice;
  #connection: Connection;

  constructor(address: string, token: string, ledger: Ledger, dice: Dice) {
    this.#address = address;
    this.#token = token;
    this.#ledger = ledger;
    this.#dice = dice;
    this.#connection = connect({ address, token });
  }

  /** Undefined once the signal aborts, and for an error that no repetition mends, which the ledger then has. */
  async untilAnswered<T>(call: (connection: Connection) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    while (!signal.aborted) {
      const connection = this.#connection;
      try {
        return await call(connection);
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!(error instanceof OccamError && RETRYABLE[error.code])) {
          this.#ledger.broken(`a call was answered by ${String(error)}`);
          return undefined;
        }
        this.#renew(connection);
        await this.pause(this.#dice.integer(10, 60));
      }
    }
    return undefined;
  }

  pause(ms: number): Promise<void> {
    return systemClock.sleep(ms);
  }

  close(): void {
    this.#connection.close();
  }

  /** A channel of its own waits longer and longer before it connects anew. */
  #renew(broken: Connection): void {
    if (this.#connection !== broken) return;
    broken.close();
    this.#connection = connect({ address: this.#address, token: this.#token });
  }
}
