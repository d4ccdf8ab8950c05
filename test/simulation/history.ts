/** What workers were promised and what was done to them: what the checkers judge a run by. */
import type { CellId, LeaseToken } from "../../src/core/ids.ts";

export interface Promised {
  readonly cellId: CellId;
  readonly token: LeaseToken;
}

export class History {
  /** Answers "committed" that reached a worker or were on their way to one. */
  readonly committed: (Promised & { readonly digest: string })[] = [];
  /** Answers "duplicate-different". */
  readonly different: (Promised & { readonly digest: string })[] = [];
  /** Records that a worker was told are stored. */
  readonly acked = new Map<string, Promised & { readonly kind: "metrics" | "logs"; readonly count: number }>();
  /** Tokens in the order of their first grant. */
  readonly granted: LeaseToken[] = [];
  /** Monotonic time at which the coordinator last heard a lease being listed. */
  readonly listedMs = new Map<LeaseToken, number>();
  readonly #known = new Set<LeaseToken>();

  grant(token: LeaseToken): void {
    if (this.#known.has(token)) return;
    this.#known.add(token);
    this.granted.push(token);
  }

  ack(cellId: CellId, token: LeaseToken, kind: "metrics" | "logs", count: number): void {
    const name = `${kind}/${token}/${cellId}`;
    if ((this.acked.get(name)?.count ?? 0) < count) this.acked.set(name, { cellId, token, kind, count });
  }
}
