/**
 * Group commit: what many callers write within a few milliseconds becomes one transaction, because a durable transaction costs
 * the same for one row as for hundreds. A write that comes when there was none for so long waits for nobody: one caller alone is
 * answered as soon as the disk allows.
 *
 * Invariants:
 * 1. Changes are applied in the order in which they were written.
 * 2. `settled()` resolves when everything that was written before the call is durable, and rejects when it is not. Nobody is
 *    told of a decision before `settled()` after it: that is what makes an acknowledgement a promise.
 * 3. After one failure everything rejects, for memory then knows what the store does not. The process has to start anew.
 */
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { Change } from "./change.ts";
import type { Store } from "./store.ts";

export interface GroupCommitOptions {
  readonly store: Pick<Store, "apply">;
  readonly clock: Clock;
  /** Between the end of a transaction and the begin of the next; 0: it begins at the end of the turn that writes. */
  readonly gatherMs: number;
  /** A transaction is closed early at this many changes. */
  readonly changesMax: number;
  readonly failed: (error: OccamError) => void;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #gathered: Change[] = [];
  /** Settles with the transaction that will take what is gathered. */
  #next = newBatch();
  /** Settles with the transaction that is under way. */
  #current: Batch | undefined;
  #cancelTimer: (() => void) | undefined;
  /** When the last transaction was through. */
  #quietSinceMs = Number.NEGATIVE_INFINITY;
  #failure: OccamError | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  write(...changes: readonly Change[]): void {
    for (const change of changes) this.#gathered.push(change);
    if (this.#failure === undefined) this.#schedule();
  }

  // Hundreds of callers wait for one transaction: each gets the same promise, and none of its own.
  settled(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#gathered.length > 0) return this.#next.promise;
    return this.#current?.promise ?? SETTLED;
  }

  /** Calls `then` when `settled()` would resolve; never when it would reject. */
  whenDurable(then: () => void): void {
    const batch = this.#gathered.length > 0 ? this.#next : this.#current;
    if (this.#failure !== undefined) return;
    if (batch === undefined) queueMicrotask(then);
    else batch.whenDurable.push(then);
  }

  /** Loses what is not applied yet, as the end of the process would; for simulations. */
  abandon(): void {
    this.#fail(new OccamError("unavailable", "the coordinator has ended"), () => undefined);
  }

  #schedule(): void {
    if (this.#current !== undefined) return;
    if (this.#gathered.length >= this.#options.changesMax) return this.#flushNow();
    if (this.#cancelTimer !== undefined) return;
    const { clock, gatherMs } = this.#options;
    if (gatherMs > 0) {
      // Not before this turn is over: a submission, its cells and their first grant are one transaction.
      const waitMs = Math.max(0, this.#quietSinceMs + gatherMs - clock.monotonicMs());
      this.#cancelTimer = clock.after(waitMs, () => this.#flushNow());
      return;
    }
    let wanted = true;
    this.#cancelTimer = () => (wanted = false);
    queueMicrotask(() => wanted && this.#flushNow());
  }

  #flushNow(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#current !== undefined || this.#gathered.length === 0) return;
    const changes = this.#gathered;
    const batch = this.#next;
    this.#gathered = [];
    this.#next = newBatch();
    this.#current = batch;
    void this.#apply(changes, batch);
  }

  async #apply(changes: readonly Change[], batch: Batch): Promise<void> {
    try {
      await this.#options.store.apply(changes);
    } catch (error) {
      const failure = failureOf(error);
      batch.reject(failure);
      return this.#fail(failure, this.#options.failed);
    }
    this.#current = undefined;
    this.#quietSinceMs = this.#options.clock.monotonicMs();
    batch.resolve();
    for (const then of batch.whenDurable) then();
    if (this.#failure === undefined && this.#gathered.length > 0) this.#schedule();
  }

  #fail(failure: OccamError, tell: (error: OccamError) => void): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#cancelTimer?.();
    this.#gathered = [];
    this.#next.reject(failure);
    tell(failure);
  }
}

/** What ended the writing; the loss of the lead says so itself. */
function failureOf(error: unknown): OccamError {
  if (error instanceof OccamError && error.code === "unavailable") return error;
  return new OccamError("unavailable", `the store cannot be written: ${messageOf(error)}`, {
    hint: "nothing was acknowledged that is not stored; mend the cause (a full disk?) and start the coordinator again",
    cause: error,
  });
}

const SETTLED = Promise.resolve();

interface Batch {
  readonly promise: Promise<void>;
  /** To be called when it is through. */
  readonly whenDurable: (() => void)[];
  resolve(): void;
  reject(error: OccamError): void;
}

function newBatch(): Batch {
  let resolve: () => void = () => undefined;
  let reject: (error: OccamError) => void = () => undefined;
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  // A batch that nobody waits for may fail too; the failure is told by `failed`.
  promise.catch(() => undefined);
  return { promise, whenDurable: [], resolve, reject };
}
