/** What workers were promised and what was done to them: what the checkers judge a run by. */
import type { CellId, LeaseToken } from "../../src/core/ids.ts";

export interface Promised {
  readonly cellId: CellId;
  readonly token: LeaseToken;
}

interface Told {
  readonly epoch: bigint;
  readonly token: LeaseToken;
}

export class History {
  /** Answers "committed" that reached a worker or were on their way to one. */
  readonly committed: (Promised & { readonly digest: string })[] = [];
  /** Answers "duplicate-different". */
  readonly different: (Promised & { readonly digest: string })[] = [];
  /** Records that a worker was told are stored. */
  readonly acked = new Map<string, Promised & { readonly kind: "metrics" | "logs"; readonly count: number }>();
  /** How often each answer to a commit was given. */
  readonly answers = new Map<string, number>();
  /** Syncs that were answered by "fenced". */
  fenced = 0;
  /** Answers that were wrong as they were given. */
  readonly wrong: string[] = [];
  /** A sweep was cancelled in this run. */
  cancelled = false;
  readonly #grantedTo = new Map<LeaseToken, string>();
  readonly #newest = new Map<string, Told>();

  /** The newest epoch that has begun. */
  #epoch = 0n;

  epoch(begun: bigint): void {
    if (begun > this.#epoch) this.#epoch = begun;
  }

  /** A coordinator of this epoch has written. */
  write(epoch: bigint): void {
    if (epoch < this.#epoch)
      this.wrong.push(`a write of epoch ${epoch} was applied after epoch ${this.#epoch} had begun`);
  }

  /** A coordinator answers with a grant. */
  grant(epoch: bigint, workerId: string, token: LeaseToken, cellIds: readonly string[]): void {
    const before = this.#grantedTo.get(token);
    if (before !== undefined && before !== workerId) {
      this.wrong.push(`token ${token} was granted to ${before} and again to ${workerId}`);
    }
    this.#grantedTo.set(token, workerId);
    for (const cellId of cellIds) this.#grantCell(cellId, { epoch, token });
  }

  /** Answers overtake each other, but none of a later coordinator is older than one of an earlier. */
  #grantCell(cellId: string, told: Told): void {
    const newest = this.#newest.get(cellId);
    if (newest !== undefined && told.epoch > newest.epoch && told.token <= newest.token) {
      this.wrong.push(
        `cell ${cellId} was granted under ${newest.token} and by a later coordinator under ${told.token}`,
      );
    }
    if (newest === undefined || told.token > newest.token) this.#newest.set(cellId, told);
  }

  /** @param open the cell has no result, as the coordinator sees it that answers */
  commit(cellId: CellId, token: LeaseToken, answer: string, digest: string, open: boolean): void {
    // What is paid for is taken. Of a cell that was cancelled it is not, and it may be open again by now.
    if (answer === "fenced" && digest !== "" && open && !this.cancelled) {
      this.wrong.push(`a result of cell ${cellId} under ${token} was dropped, and the cell has none`);
    }
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
    if (answer === "committed") this.committed.push({ cellId, token, digest });
    if (answer === "duplicate-different") this.different.push({ cellId, token, digest });
  }

  ack(cellId: CellId, token: LeaseToken, kind: "metrics" | "logs", count: number): void {
    const name = `${kind}/${token}/${cellId}`;
    if ((this.acked.get(name)?.count ?? 0) < count) this.acked.set(name, { cellId, token, kind, count });
  }
}
