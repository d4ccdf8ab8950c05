/**
 * Ends attempts: sends an outcome until the coordinator has answered it. A result goes after its streams are durable there.
 *
 * Invariants:
 * 1. `settle` resolves only with an answer, or when nothing that the worker could send would ever be accepted.
 * 2. It repeats the same outcome after a lost reply: commits are idempotent.
 */
import type { CommitRequest, CommitResponse } from "../../proto/gen/occam/v1/control.ts";
import { backoffMs, RECONNECT } from "../../src/core/backoff.ts";
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError, RETRYABLE } from "../../src/core/errors.ts";
import { shortId, type CellId, type LeaseToken, type SessionId, type WorkerId } from "../../src/core/ids.ts";
import { fold, type RandomKey } from "../../src/core/random.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import { outcomeToWire, type CellOutcome } from "../../src/wire/cell-outcome.ts";
import { commitOutcome, type CommitOutcomeName } from "../../src/wire/enums.ts";
import { COMMIT_TRIES } from "./timings.ts";
import type { FlushEnd } from "./upload-stream.ts";
import type { Uploader } from "./uploader.ts";

/** What the trainer said of a cell, before its records are counted. */
export type Ending =
  { readonly kind: "result"; readonly result: CellResult } | Exclude<CellOutcome, { readonly kind: "result" }>;

/** "given-up": the coordinator accepts nothing for this attempt; the lease's end will tell it. */
export type Settlement = CommitOutcomeName | "given-up";

export interface CommitterOptions {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly commit: (request: CommitRequest, signal: AbortSignal, traceparent: string) => Promise<CommitResponse>;
  readonly uploader: Uploader;
  readonly clock: Clock;
  readonly key: RandomKey;
  readonly onTrouble: (message: string) => void;
}

type Verdict = { readonly settled: Settlement } | { readonly again: Ending };

export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Undefined when the signal aborted first. */
  async settle(
    cellId: CellId,
    token: LeaseToken,
    ending: Ending,
    signal: AbortSignal,
    traceparent = "",
  ): Promise<Settlement | undefined> {
    const attempt = new Attempt(this.#options, cellId, token, traceparent);
    let current = ending;
    for (let tries = 0; !signal.aborted; tries += 1) {
      const verdict = await attempt.tryOnce(current, signal);
      if (verdict === undefined) return undefined;
      if ("settled" in verdict) return verdict.settled;
      current = verdict.again;
      await this.#options.clock.sleep(backoffMs(attempt.key, tries, RECONNECT), signal);
    }
    return undefined;
  }
}

/** One attempt's commit, over its tries. */
class Attempt {
  readonly key: RandomKey;
  readonly #options: CommitterOptions;
  readonly #cellId: CellId;
  readonly #token: LeaseToken;
  readonly #traceparent: string;
  #incomplete = 0;
  #refused = 0;

  constructor(options: CommitterOptions, cellId: CellId, token: LeaseToken, traceparent: string) {
    this.#traceparent = traceparent;
    this.#options = options;
    this.#cellId = cellId;
    this.#token = token;
    this.key = fold(options.key, `commit/${token}/${cellId}`);
  }

  async tryOnce(ending: Ending, signal: AbortSignal): Promise<Verdict | undefined> {
    const attempt = { cellId: this.#cellId, token: this.#token };
    // The log of a failed attempt is what its quarantine is explained by; of one that is handed back nothing is kept.
    const flushed =
      ending.kind === "handback" ? "acked" : await orAborted(this.#options.uploader.flush(attempt), signal);
    if (flushed === undefined) return undefined;
    if (flushed === "lost" && ending.kind === "result") {
      return {
        again: { kind: "handback", reason: "the coordinator lost records of this attempt that it had acknowledged" },
      };
    }
    try {
      const response = await this.#options.commit(this.#request(ending), signal, this.#traceparent);
      const outcome = commitOutcome.fromWire(response.outcome);
      return outcome === "incomplete" ? this.#onIncomplete(ending, flushed, response.detail) : { settled: outcome };
    } catch (error) {
      return signal.aborted ? undefined : this.#onError(ending, error);
    }
  }

  #request(ending: Ending): CommitRequest {
    const { workerId, sessionId, uploader } = this.#options;
    const counts = uploader.counts({ cellId: this.#cellId, token: this.#token });
    const outcome: CellOutcome =
      ending.kind === "result" ? { ...ending, metricCount: counts.metrics, logCount: counts.logs } : ending;
    return { workerId, sessionId, cellId: this.#cellId, token: this.#token, outcome: outcomeToWire(outcome) };
  }

  #onIncomplete(ending: Ending, flushed: FlushEnd, detail: string): Verdict {
    this.#incomplete += 1;
    this.#say(`records are missing there (${detail})`);
    if (flushed !== "acked" || this.#incomplete >= COMMIT_TRIES) {
      return { again: { kind: "handback", reason: `its records could not be completed: ${detail}` } };
    }
    this.#options.uploader.replay({ cellId: this.#cellId, token: this.#token });
    return { again: ending };
  }

  #onError(ending: Ending, error: unknown): Verdict {
    const message = messageOf(error);
    if (error instanceof OccamError && RETRYABLE[error.code]) return { again: ending };
    this.#refused += 1;
    this.#say(`the commit failed: ${message}`);
    if (this.#refused < COMMIT_TRIES) return { again: ending };
    this.#refused = 0;
    if (ending.kind !== "result") return { settled: "given-up" };
    return { again: { kind: "failure", failure: "error", reason: `its result was refused: ${message}` } };
  }

  #say(message: string): void {
    this.#options.onTrouble(`cell ${shortId(this.#cellId)}: ${message}`);
  }
}

/** Undefined when the signal aborts first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let abort: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => (abort = () => resolve(undefined)));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
