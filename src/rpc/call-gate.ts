/**
 * How many calls may be open at once. Calls of workers are not counted: renewals and commits are never shed, and HTTP/2 bounds
 * them for each connection. What people and scripts open (watches, tails, listings) is, for each client and in all; and so are
 * health checks, which need no token.
 */
import { OccamError } from "../core/errors.ts";
import { MAX_HEALTH_CALLS, MAX_OPERATOR_CALLS, MAX_OPERATOR_CALLS_OF_CLIENT } from "./limits.ts";
import type { Requirement } from "./roles.ts";

export interface GateLimits {
  readonly health: number;
  readonly operator: number;
  readonly operatorOfClient: number;
}

export const GATE_LIMITS: GateLimits = {
  health: MAX_HEALTH_CALLS,
  operator: MAX_OPERATOR_CALLS,
  operatorOfClient: MAX_OPERATOR_CALLS_OF_CLIENT,
};

export class CallGate {
  readonly #limits: GateLimits;
  readonly #ofClient = new Map<string, number>();
  #health = 0;
  #operator = 0;

  constructor(limits: GateLimits = GATE_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Lets a call in; the returned function lets it out, once.
   * @param client whose it is: token and host
   * @throws "resource-exhausted" when it is one too many
   */
  enter(requirement: Requirement, client: string): () => void {
    switch (requirement) {
      case "worker":
        return () => undefined;
      case "anyone":
        if (this.#health >= this.#limits.health) throw tooMany(`${this.#health} health checks are open`);
        this.#health += 1;
        return once(() => (this.#health -= 1));
      case "viewer":
      case "operator":
        return this.#enterOperator(client);
    }
  }

  #enterOperator(client: string): () => void {
    const { operator, operatorOfClient } = this.#limits;
    const ofClient = this.#ofClient.get(client) ?? 0;
    if (ofClient >= operatorOfClient) throw tooMany(`this client has ${ofClient} calls open`);
    if (this.#operator >= operator) throw tooMany(`${this.#operator} calls of all clients are open`);
    this.#operator += 1;
    this.#ofClient.set(client, ofClient + 1);
    return once(() => {
      this.#operator -= 1;
      const left = (this.#ofClient.get(client) ?? 1) - 1;
      if (left === 0) this.#ofClient.delete(client);
      else this.#ofClient.set(client, left);
    });
  }
}

function tooMany(why: string): OccamError {
  return new OccamError("resource-exhausted", `too many calls at once: ${why}`, {
    hint: "end some watches or tails, or try again in a few seconds",
  });
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
