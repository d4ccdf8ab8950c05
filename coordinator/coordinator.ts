/**
 * The coordinator without its wire: what workers and operators can ask of it, over one store and one clock. The services of
 * `api/` call it, and so does the simulation.
 */
import type { Clock } from "../src/core/clock.ts";
import { OccamError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/log.ts";
import { NO_TRACER, type Tracer } from "../src/core/trace.ts";
import { NUMERICS_VERSION } from "../src/core/version.ts";
import { CellBook, type HotCell } from "./hot/cell-book.ts";
import { ChangeSignal } from "./hot/change-signal.ts";
import { HealthBook } from "./hot/health-book.ts";
import type { Hot } from "./hot/hot.ts";
import { LeaseBook } from "./hot/lease-book.ts";
import { LeaseClock } from "./hot/lease-clock.ts";
import { LoadLevel } from "./hot/overload.ts";
import { recover } from "./hot/recover.ts";
import { SessionBook } from "./hot/session-book.ts";
import { SweepBook } from "./hot/sweep-book.ts";
import { IngestGate } from "./ingest/ingest-gate.ts";
import { WorkerNews } from "./hot/worker-news.ts";
import { push, type PushCommand, type PushReply } from "./ingest/push.ts";
import { StreamBook } from "./ingest/stream-book.ts";
import { Turns } from "./ingest/turns.ts";
import { endLease, retryDue } from "./lease/attempts.ts";
import { commitAll, type CommitCommand, type CommitReply } from "./lease/commit.ts";
import { sync } from "./lease/sync.ts";
import type { SyncCommand, SyncReply } from "./lease/sync-messages.ts";
import { LIMITS } from "./limits.ts";
import { NO_METER, type Meter } from "./meter.ts";
import { PendingWork } from "./schedule/pending-work.ts";
import { GroupCommit } from "./store/group-commit.ts";
import type { Store } from "./store/store.ts";
import { DEFAULT_QUOTAS, type Quotas } from "./sweep/check-size.ts";
import type { SpecReader } from "./sweep/spec-reader.ts";
import { SweepDesk } from "./sweep/sweep-desk.ts";
import { timingsOf, type Timings } from "./timings.ts";

export interface CoordinatorOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly specs: SpecReader;
  readonly timings?: Partial<Timings>;
  readonly quotas?: Partial<Quotas>;
  /** Workers that are on their way, as far as is known. */
  readonly expectedWorkers?: number;
  /** How busy the process is, 0 to 1; left out: not at all. */
  readonly load?: () => number;
  readonly meter?: Meter;
  readonly tracer?: Tracer;
  /** NUMERICS_VERSION when left out. */
  readonly numericsVersion?: number;
}

export class Coordinator {
  readonly hot: Hot;
  readonly sweeps: SweepDesk;
  /** Resolves with the reason when the store can no longer be written: every call is refused from then on. */
  readonly failed: Promise<OccamError>;
  readonly #stopped = new AbortController();
  readonly #gate = new IngestGate(LIMITS.ingestBytes);
  #cancelTick: () => void = () => undefined;

  /** Takes up what the store holds, and begins to watch deadlines. */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const failure = newFailure();
    const hot = await createHot(options, failure.raise);
    await recover(hot);
    const coordinator = new Coordinator(hot, failure.raised);
    coordinator.sweeps.goOn();
    coordinator.#scheduleTick();
    return coordinator;
  }

  private constructor(hot: Hot, failed: Promise<OccamError>) {
    this.hot = hot;
    this.failed = failed;
    this.sweeps = new SweepDesk(hot);
  }

  /** Aborts when the coordinator stops: streams that follow something end then. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** @param signal aborts when the worker no longer waits for the answer */
  async sync(command: SyncCommand, signal: AbortSignal): Promise<SyncReply> {
    this.#check();
    const { clock, meter } = this.hot;
    const startMs = clock.monotonicMs();
    const mayWait = command.waitMs > 0 && command.freeSlots > 0 && !command.draining;
    const ended = mayWait ? AbortSignal.any([signal, this.stopped]) : signal;
    const reply = await sync(this.hot, command, ended);
    meter.synced(mayWait ? undefined : clock.monotonicMs() - startMs);
    return reply;
  }

  async commit(command: CommitCommand): Promise<CommitReply> {
    const [reply] = await this.commitAll([command]);
    return reply!;
  }

  /** In their order. */
  async commitAll(commands: readonly CommitCommand[]): Promise<readonly CommitReply[]> {
    this.#check();
    const { clock, meter } = this.hot;
    const startMs = clock.monotonicMs();
    const replies = await commitAll(this.hot, commands);
    const tookMs = clock.monotonicMs() - startMs;
    for (const { outcome } of replies) meter.committed(outcome, tookMs);
    return replies;
  }

  /** @param sizeBytes what the batch takes, about */
  async push(command: PushCommand, sizeBytes = 0): Promise<PushReply> {
    this.#check();
    return this.#gate.pass(command.workerId, sizeBytes, () => push(this.hot, command));
  }

  /** Finishes what is written and ends all waiting. The store is the caller's to close. */
  async stop(): Promise<void> {
    this.#end();
    await this.sweeps.close();
    await this.hot.writer.settled().catch(() => undefined);
  }

  /** Ends as a killed process does: what was not written is lost. For simulations. */
  abandon(): void {
    this.#end();
    void this.sweeps.close();
    this.hot.writer.abandon();
  }

  #end(): void {
    this.#cancelTick();
    this.#stopped.abort();
    this.hot.workerNews.changed();
  }

  #check(): void {
    if (this.stopped.aborted) throw new OccamError("unavailable", "the coordinator is stopping");
  }

  #scheduleTick(): void {
    this.#cancelTick = this.hot.clock.after(this.hot.timings.tickMs, () => {
      this.#tick();
      this.#scheduleTick();
    });
  }

  /** Ends the leases whose time is up, and the waits that are over. */
  #tick(): void {
    const { hot } = this;
    const stillMs = hot.leaseClock.tick();
    if (stillMs > 0) hot.logger.warn({ stillMs }, "this process stood still; leases are extended by that");
    const nowMs = hot.leaseClock.nowMs();
    for (const lease of hot.leases.all()) endLease(hot, lease, { kind: "time", nowMs });
    retryDue(hot, nowMs);
    if (!this.sweeps.isExpanding && hot.overload.look(hot.load())) {
      hot.logger.warn(
        { level: hot.overload.now.level },
        "the load has changed what makes way: syncs, then submissions",
      );
    }
  }
}

async function createHot(options: CoordinatorOptions, failed: (error: OccamError) => void): Promise<Hot> {
  const { store, clock, specs, meter = NO_METER } = options;
  const timings = timingsOf(options.timings);
  const epoch = await store.beginEpoch();
  const logger = options.logger.child({ epoch: String(epoch) });
  const counters = await store.loadCounters();
  const work = new PendingWork<HotCell>();
  return {
    store,
    clock,
    logger,
    meter,
    tracer: options.tracer ?? NO_TRACER,
    numericsVersion: options.numericsVersion ?? NUMERICS_VERSION,
    specs,
    timings,
    quotas: { ...DEFAULT_QUOTAS, ...options.quotas },
    epoch,
    work,
    startedMs: clock.nowMs(),
    load: options.load ?? (() => 0),
    overload: new LoadLevel(),
    expectedWorkers: options.expectedWorkers ?? 0,
    leaseClock: new LeaseClock(clock, timings.tickMs),
    writer: new GroupCommit({
      store: metered(store, clock, meter),
      clock,
      gatherMs: timings.gatherMs,
      changesMax: LIMITS.transactionChanges,
      failed: (error) => {
        logger.fatal({ err: error }, "the store cannot be written: nothing is acknowledged any more");
        failed(error);
      },
    }),
    cells: new CellBook(counters.nextCellKey, work),
    leases: new LeaseBook(counters.nextToken, timings),
    sessions: new SessionBook(
      counters.nextSessionSeq,
      LIMITS.sessions,
      { workers: LIMITS.workers, forgetMs: timings.workerForgetMs },
      epoch,
    ),
    health: new HealthBook(timings),
    sweeps: new SweepBook(counters.nextSweepSeq),
    streams: new StreamBook(counters.nextStreamId, counters.nextLogSeq),
    pushTurns: new Turns(),
    workerNews: new WorkerNews(),
    workerChanges: new ChangeSignal(),
    logChanges: new ChangeSignal(),
  };
}

function metered(store: Store, clock: Clock, meter: Meter): Pick<Store, "apply"> {
  return {
    apply: async (changes) => {
      const startMs = clock.monotonicMs();
      await store.apply(changes);
      meter.stored(changes.length, clock.monotonicMs() - startMs);
    },
  };
}

function newFailure(): { readonly raised: Promise<OccamError>; readonly raise: (error: OccamError) => void } {
  let raise: (error: OccamError) => void = () => undefined;
  const raised = new Promise<OccamError>((resolve) => (raise = resolve));
  return { raised, raise };
}
