/**
 * What the coordinator has acknowledged, as its callers heard it, and what they find broken on the way. Whatever stands here was
 * promised: it has to be in the store however often the coordinator was killed.
 */
import type { StreamName } from "../../../src/wire/enums.ts";

/** One attempt of one cell. */
export interface Attempt {
  readonly cellId: string;
  readonly token: bigint;
}

export interface CommittedCell {
  readonly token: bigint;
  readonly workerId: string;
  readonly json: string;
}

export interface SweepPromise {
  readonly number: number;
  readonly cells: number;
  /** "" until the submission was acknowledged. */
  id: string;
  cancelSent: boolean;
  cancelled: boolean;
}

export interface RecordsPromise extends Attempt {
  readonly kind: StreamName;
  /** Records that are durable, as was told. */
  acked: number;
}

/** Moments of the coordinator's write path that a kill can be tied to. */
export type Moment = "sync" | "push" | "acked-push" | "commit" | "acked-commit" | "submit" | "acked-submit" | "cancel";

export class Ledger {
  readonly committed = new Map<string, CommittedCell>();
  readonly records = new Map<string, RecordsPromise>();
  readonly sweeps = new Map<number, SweepPromise>();
  /** By cell: failures that were noted. */
  readonly failures = new Map<string, number>();
  readonly violations: string[] = [];
  /** Called at every such moment. */
  saw: (moment: Moment) => void = () => undefined;
  acks = 0;
  #epoch = 0n;
  /** The highest token that was heard of, and that of the epochs before the current one. */
  #highestToken = 0n;
  #highestBefore = 0n;
  readonly #grants = new Map<bigint, string>();
  readonly #lastGrant = new Map<string, bigint>();
  readonly #givenBack = new Set<string>();
  readonly #timesGivenBack = new Map<string, number>();

  /** Something that must not be. */
  broken(what: string): void {
    if (this.violations.length < 50) this.violations.push(what);
  }

  heardEpoch(epoch: bigint): void {
    if (epoch === this.#epoch) return;
    if (epoch < this.#epoch) return this.broken(`epoch ${epoch} came after ${this.#epoch}`);
    this.#epoch = epoch;
    this.#highestBefore = this.#highestToken;
  }

  /** A grant arrived at a worker: once for each worker that hears of it, however often it is repeated. */
  granted(workerId: string, token: bigint, cellIds: readonly string[]): void {
    const what = `${workerId}: ${[...cellIds].sort().join()}`;
    const before = this.#grants.get(token);
    if (before !== undefined) {
      if (before !== what) this.broken(`token ${token} was granted for ${before} and for ${what}`);
      return;
    }
    this.#grants.set(token, what);
    if (token <= this.#highestBefore)
      this.broken(`token ${token} was granted in epoch ${this.#epoch}, and ${this.#highestBefore} before it`);
    if (token > this.#highestToken) this.#highestToken = token;
    for (const cellId of cellIds) this.#grantedCell(cellId, token);
  }

  /** The worker is about to tell of a failure or to hand the cell back: it may be granted anew. */
  givesBack(attempt: Attempt): void {
    this.#givenBack.add(attemptName(attempt));
    this.#timesGivenBack.set(attempt.cellId, this.timesGivenBack(attempt.cellId) + 1);
  }

  timesGivenBack(cellId: string): number {
    return this.#timesGivenBack.get(cellId) ?? 0;
  }

  noted({ cellId }: Attempt, fault: "failure" | "handback"): void {
    this.acks += 1;
    if (fault === "failure") this.failures.set(cellId, (this.failures.get(cellId) ?? 0) + 1);
  }

  /** @param first the coordinator said that it took it, not that it had it */
  took(cellId: string, cell: CommittedCell, first: boolean): void {
    this.acks += 1;
    const before = this.committed.get(cellId);
    if (before !== undefined && (first || before.token !== cell.token))
      this.broken(`cell ${cellId} was taken under ${before.token} and again under ${cell.token}`);
    this.committed.set(cellId, cell);
  }

  stream(attempt: Attempt, kind: StreamName, owner: string): RecordsPromise {
    const name = `${kind}/${owner}/${attemptName(attempt)}`;
    const known = this.records.get(name) ?? { ...attempt, kind, acked: 0 };
    this.records.set(name, known);
    return known;
  }

  ackedRecords(stream: RecordsPromise, nextOffset: number, sent: number): void {
    this.acks += 1;
    this.saw("acked-push");
    const { kind, cellId, token, acked } = stream;
    if (nextOffset < acked || nextOffset > sent)
      this.broken(`${kind} of ${token}/${cellId}: ${acked} acknowledged, ${sent} sent, and now ${nextOffset}`);
    else stream.acked = nextOffset;
  }

  /** Cancelled, or perhaps: cells of it may be taken from their workers. */
  mayBeCancelled(sweep: number): boolean {
    return this.sweeps.get(sweep)?.cancelSent ?? false;
  }

  /** A cell whose worker has its grant runs on over every restart: it is given to nobody, itself included, a second time. */
  #grantedCell(cellId: string, token: bigint): void {
    const before = this.#lastGrant.get(cellId);
    this.#lastGrant.set(cellId, token);
    if (before === undefined) return;
    if (token <= before) this.broken(`cell ${cellId} was granted under ${token} after ${before}`);
    if (!this.#givenBack.has(attemptName({ cellId, token: before })))
      this.broken(`cell ${cellId} ran under ${before} and was granted anew under ${token}`);
  }
}

const attemptName = ({ cellId, token }: Attempt): string => `${token}/${cellId}`;
