/**
 * A client of several coordinators, of which one leads. It talks to one of them, remembers which, and moves on when that one
 * says who leads, or is out of reach.
 *
 * Invariants:
 * 1. A call tries each address at the most once; then its last error is the caller's, who waits before the next try.
 * 2. With one address, and nobody who names another, it is a plain connection.
 * 3. Every call may be repeated: a lost reply and an unreachable coordinator look the same from here.
 */
import { OccamError } from "../core/errors.ts";
import type { Connection } from "./client.ts";

export class LeaderConnection {
  /** As given, then as learned. */
  readonly #addresses: string[];
  readonly #open: (address: string) => Connection;
  readonly #opened = new Map<string, Connection>();
  #address: string;

  /** @param addresses "host:port", or several with commas between them */
  constructor(addresses: string, open: (address: string) => Connection) {
    this.#addresses = addresses.split(",").map((address) => address.trim());
    this.#open = open;
    this.#address = this.#addresses[0]!;
    // An address that is none is refused at once, not when it is needed.
    for (const address of this.#addresses) this.#connection(address);
  }

  /** The one that leads, as far as is known. */
  get address(): string {
    return this.#address;
  }

  get current(): Connection {
    return this.#connection(this.#address);
  }

  async call<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    for (const tried = new Set<string>(); ;) {
      const address = this.#address;
      try {
        return await use(this.#connection(address));
      } catch (error) {
        if (!this.#moveOn(address, error, tried)) throw error;
      }
    }
  }

  /** A stream that moves on until its first message has come; a later break is the caller's. */
  async *stream<R>(open: (connection: Connection) => AsyncIterable<R>): AsyncGenerator<R, void, undefined> {
    for (const tried = new Set<string>(); ;) {
      const address = this.#address;
      let begun = false;
      try {
        for await (const message of open(this.#connection(address))) {
          begun = true;
          yield message;
        }
        return;
      } catch (error) {
        if (!this.#moveOn(address, error, tried) || begun) throw error;
      }
    }
  }

  close(): void {
    for (const connection of this.#opened.values()) connection.close();
  }

  #connection(address: string): Connection {
    const known = this.#opened.get(address);
    if (known !== undefined) return known;
    const opened = this.#open(address);
    this.#opened.set(address, opened);
    return opened;
  }

  /** Goes to the address that the error names, else to the next one. False: nothing is left to try. */
  #moveOn(from: string, error: unknown, tried: Set<string>): boolean {
    if (!(error instanceof OccamError) || error.code !== "unavailable") return false;
    tried.add(from);
    const { elsewhere } = error;
    if (elsewhere !== undefined && !this.#addresses.includes(elsewhere)) this.#addresses.push(elsewhere);
    // Another call has moved on meanwhile.
    if (this.#address !== from) return !tried.has(this.#address);
    const at = this.#addresses.indexOf(from);
    const next = elsewhere ?? this.#addresses[(at + 1) % this.#addresses.length]!;
    this.#address = next;
    return !tried.has(next);
  }
}
