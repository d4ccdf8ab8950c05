/**
 * The coordinator's memory, in parts, and what acts on it needs: handed to every function of the domain as one value. All of
 * it can be rebuilt from the store (`recover.ts`).
 *
 * The rule that ties memory to the store: a decision is taken at once in memory, in one turn of the event loop, and its changes
 * are written in that turn (`writer.write`); whoever is told of it waits for `writer.settled()` first. What ends (a cell, a
 * lease, a stream) leaves memory only once its end is durable (`afterDurable`), so that memory and store together always tell
 * the whole state.
 */
import type { Clock } from "../../src/core/clock.ts";
import type { Logger } from "../../src/core/log.ts";
import type { Tracer } from "../../src/core/trace.ts";
import type { StreamBook } from "../ingest/stream-book.ts";
import type { Turns } from "../ingest/turns.ts";
import type { PendingWork } from "../schedule/pending-work.ts";
import type { Meter } from "../meter.ts";
import type { GroupCommit } from "../store/group-commit.ts";
import type { Store } from "../store/store.ts";
import type { Quotas } from "../sweep/check-size.ts";
import type { SpecReader } from "../sweep/spec-reader.ts";
import type { Timings } from "../timings.ts";
import type { CellBook, HotCell } from "./cell-book.ts";
import type { ChangeSignal } from "./change-signal.ts";
import type { HealthBook } from "./health-book.ts";
import type { LeaseBook } from "./lease-book.ts";
import type { LeaseClock } from "./lease-clock.ts";
import type { LoadLevel } from "./overload.ts";
import type { SessionBook } from "./session-book.ts";
import type { SweepBook } from "./sweep-book.ts";
import type { WorkerNews } from "./worker-news.ts";

export interface Hot {
  readonly clock: Clock;
  /** The clock that leases run on. */
  readonly leaseClock: LeaseClock;
  readonly timings: Timings;
  readonly quotas: Quotas;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Of the numbers that workers compute here. */
  readonly numericsVersion: number;
  readonly store: Store;
  readonly writer: GroupCommit;
  readonly specs: SpecReader;
  readonly epoch: bigint;
  readonly startedMs: number;
  /** How busy the process is, 0 to 1: watches and tails make way before anything else does. */
  readonly load: () => number;
  /** What else makes way, when it has been so for a while. */
  readonly overload: LoadLevel;
  /** Workers that were announced at the start; 0: nobody knows. */
  readonly expectedWorkers: number;
  readonly cells: CellBook;
  readonly work: PendingWork<HotCell>;
  readonly leases: LeaseBook;
  readonly sessions: SessionBook;
  readonly health: HealthBook;
  readonly sweeps: SweepBook;
  readonly streams: StreamBook;
  /** Batches that are being placed, by stream. */
  readonly pushTurns: Turns;
  /** There may be something new for a worker that waits: work, a revocation, a newer session. */
  readonly workerNews: WorkerNews;
  /** A worker has changed, for those who watch. */
  readonly workerChanges: ChangeSignal;
  /** Log lines have become durable. */
  readonly logChanges: ChangeSignal;
}

/** Runs `then` once everything written so far is durable; never when it cannot be made durable. */
export function afterDurable(hot: Pick<Hot, "writer">, then: () => void): void {
  hot.writer.whenDurable(then);
}
