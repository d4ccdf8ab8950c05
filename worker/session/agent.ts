/**
 * The agent: one session of a worker with its coordinator, from the first sync to the last.
 *
 * Invariants:
 * 1. Heartbeats depend on the agent's own event loop alone; the trainer computes in a process of its own.
 * 2. A lost coordinator stops nothing: the trainer goes on, leases are listed again, streams continue where they were
 *    acknowledged. Only after `orphanAfterMs` is unfinished work given up.
 * 3. `done` settles once, after the trainer process is gone and the connection closed.
 */
import { setMaxListeners } from "node:events";
import { hostname } from "node:os";
import type { Capabilities } from "../../proto/gen/occam/v1/common.ts";
import type { SyncRequest, SyncResponse } from "../../proto/gen/occam/v1/control.ts";
import type { Clock } from "../../src/core/clock.ts";
import { EXIT, EXIT_OF, messageOf, OccamError } from "../../src/core/errors.ts";
import type { SessionId, WorkerId } from "../../src/core/ids.ts";
import type { Logger } from "../../src/core/log.ts";
import { fold, type RandomKey } from "../../src/core/random.ts";
import { PROTOCOL, type ProtocolRange } from "../../src/core/protocol.ts";
import type { Tracer } from "../../src/core/trace.ts";
import { NUMERICS_VERSION, PACKAGE_VERSION } from "../../src/core/version.ts";
import { mostFused } from "../engine/fuse-width.ts";
import type { TrainerReady } from "../trainer/protocol.ts";
import type { CheckpointStore } from "../checkpoint/checkpoint-store.ts";
import { CheckpointKeeper } from "./checkpoint-keeper.ts";
import { Committer } from "./committer.ts";
import type { CoordinatorPeer } from "./coordinator-peer.ts";
import { LeaseBook } from "./lease-book.ts";
import { ShardResumption } from "./shard-resumption.ts";
import { SyncLoop } from "./sync-loop.ts";
import { SPOOL_BYTES, SPOOL_SEGMENT_BYTES, type SessionTimings } from "./timings.ts";
import { TrainerHost, type TrainerHostOptions } from "./trainer-host.ts";
import { Spool } from "./spool.ts";
import { newSpoolFile } from "./spool-folder.ts";
import { OWN_LOG, Uploader } from "./uploader.ts";
import { WorkerLog } from "./worker-log.ts";

export interface AgentOptions {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly peer: CoordinatorPeer;
  /** It is not called before. */
  readonly coordinatorUp: Promise<void>;
  readonly trainer: Pick<TrainerHostOptions, "module" | "spawn" | "backend" | "logLevel">;
  /** Where checkpoints are kept; undefined: nowhere. */
  readonly checkpoints: CheckpointStore | undefined;
  /** Cells of one shard, at the most; undefined: what is good for the backend that opens. */
  readonly maxFuseWidth: number | undefined;
  /** Bytes that one fused program may take on this machine, whatever the backend would allow. */
  readonly memoryLimitBytes: number;
  /** For sweeps that require them. */
  readonly labels: Readonly<Record<string, string>>;
  /** A folder for records that wait for the coordinator. */
  readonly spoolFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly key: RandomKey;
  readonly timings: SessionTimings;
  readonly tracer: Tracer;
  /** What it speaks; PROTOCOL when left out. */
  readonly protocol?: ProtocolRange | undefined;
  readonly numericsVersion?: number | undefined;
}

/** The last words of a session (its log, a sync that says it holds nothing) may take this long. */
const FAREWELL_MS = 1_000;

export class Agent {
  readonly done: Promise<number>;
  /** Resolves when the trainer is ready; rejects with what ended the session before. */
  readonly ready: Promise<void>;
  readonly #options: AgentOptions;
  readonly #life = new AbortController();
  readonly #trainer: TrainerHost;
  readonly #spool: Spool;
  readonly #uploader: Uploader;
  readonly #log: WorkerLog;
  readonly #keeper: CheckpointKeeper | undefined;
  readonly #leases: LeaseBook;
  readonly #syncs: SyncLoop;
  #capabilities: Capabilities | undefined;
  /** The exit code, once the session drains. */
  #draining: number | undefined;
  #ending = false;
  #cancelOrphan: (() => void) | undefined;
  #onReady!: () => void;
  #onDone!: (end: number | OccamError) => void;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.done = new Promise((resolve, reject) => {
      this.#onDone = (end) => (typeof end === "number" ? resolve(end) : reject(end));
    });
    const opened = new Promise<void>((resolve) => (this.#onReady = resolve));
    this.ready = Promise.race([opened, this.done.then(() => undefined)]);
    // Whoever waits for one of them hears of an error; the other must not count as unhandled.
    this.done.catch(() => undefined);
    this.ready.catch(() => undefined);
    // Every commit under way listens for the end: one a cell.
    setMaxListeners(0, this.#life.signal);
    this.#spool = this.#newSpool();
    this.#uploader = this.#newUploader();
    this.#log = new WorkerLog(options.logger, options.clock, (entry) => this.#uploader.log(OWN_LOG, entry));
    this.#trainer = this.#newTrainer();
    this.#keeper = options.checkpoints && this.#newKeeper(options.checkpoints);
    this.#leases = this.#newLeases();
    this.#syncs = this.#newSyncs();
  }

  /** Once it is ready. */
  get backend(): string {
    return this.#capabilities?.backend ?? "";
  }

  start(): void {
    this.#trainer.start();
  }

  /** Takes nothing more, hands back what is unfinished, sends what is finished, ends with EXIT.drained. */
  drain(): void {
    this.#drain(EXIT.drained, "the worker was asked to stop");
  }

  #newSpool(): Spool {
    const { spoolFolder, clock } = this.#options;
    return new Spool({
      clock,
      limitBytes: SPOOL_BYTES,
      segmentBytes: SPOOL_SEGMENT_BYTES,
      newFile: () => newSpoolFile(spoolFolder, SPOOL_SEGMENT_BYTES),
      onTrouble: (reason) => {
        if (reason === undefined) return this.#log.say("info", "metrics and logs wait on disk again");
        const text = `metrics and logs cannot wait on disk: ${reason}; when memory is full too, they are dropped and counted`;
        this.#log.say("error", text, { folder: spoolFolder });
      },
    });
  }

  #newUploader(): Uploader {
    const { workerId, sessionId, peer, clock, key, timings } = this.#options;
    return new Uploader({
      workerId,
      sessionId,
      clock,
      key: fold(key, "bulk"),
      batchDelayMs: timings.batchDelayMs,
      spool: this.#spool,
      open: () => peer.push(),
      onPressure: (paused) => {
        this.#log.say(
          paused ? "warn" : "info",
          paused ? "the trainer waits: metrics and logs come faster than the disk takes them" : "the trainer goes on",
        );
        this.#trainer.pause(paused);
      },
      onTrouble: (message) => this.#log.say("warn", `metrics and logs: ${message}`),
    });
  }

  #newTrainer(): TrainerHost {
    const { trainer, clock, key, timings } = this.#options;
    return new TrainerHost(
      { ...trainer, clock, key: fold(key, "trainer"), timings },
      {
        ready: (ready) => this.#onTrainerReady(ready),
        events: (shardId, events) => this.#leases.onEvents(shardId, events),
        ended: (shardId, end) => {
          this.#leases.onShardEnd(shardId, end);
          this.#leaveIfDone();
        },
        checkpoint: (shardId, cellId, file) => this.#leases.onCheckpoint(shardId, cellId, file),
        gaveUp: (error) => this.#onTrainerGone(error),
        line: (text) => this.#log.trainerLine(text),
        died: (reason, restartMs) =>
          this.#log.say("error", `${reason}; it is started again`, { restartMs: Math.round(restartMs) }),
      },
    );
  }

  #newKeeper(store: CheckpointStore): CheckpointKeeper {
    const { clock, key } = this.#options;
    const say = (level: "info" | "warn", message: string): void => this.#log.say(level, message);
    return new CheckpointKeeper({ store, clock, key: fold(key, "checkpoints"), say });
  }

  #newLeases(): LeaseBook {
    const { workerId, sessionId, peer, clock, key, timings } = this.#options;
    const committer = new Committer({
      workerId,
      sessionId,
      clock,
      key: fold(key, "commit"),
      uploader: this.#uploader,
      commit: (request, signal, traceparent) => peer.commit(request, timings.callTimeoutMs, signal, traceparent),
      onTrouble: (message) => this.#log.say("warn", message),
    });
    return new LeaseBook({
      tracer: this.#options.tracer,
      trainer: this.#trainer,
      checkpoints:
        this.#keeper &&
        new ShardResumption({
          keeper: this.#keeper,
          everyMs: timings.checkpointEveryMs,
          keepLimitMs: timings.keepLimitMs,
        }),
      uploader: this.#uploader,
      committer,
      log: this.#log,
      signal: this.#life.signal,
      onChange: () => this.#syncs.changed(),
      onSettled: () => this.#leaveIfDone(),
      onDefect: (error) => this.#end(error),
    });
  }

  #newSyncs(): SyncLoop {
    const { peer, clock, key, timings } = this.#options;
    return new SyncLoop({
      clock,
      timings,
      key: fold(key, "sync"),
      sync: (request, deadlineMs, signal) => peer.sync(request, deadlineMs, signal),
      state: () => this.#state(),
      apply: (response) => this.#apply(response),
      onReach: (lost) => this.#onReach(lost),
    });
  }

  #onTrainerReady({ backend, device, memoryBytes }: TrainerReady): void {
    const first = this.#capabilities === undefined;
    const { memoryLimitBytes, labels, maxFuseWidth = mostFused(backend) } = this.#options;
    const usableBytes = Math.floor(Math.min(memoryBytes, memoryLimitBytes));
    this.#capabilities = {
      backend,
      maxFuseWidth,
      memoryBytes: BigInt(usableBytes),
      host: hostname(),
      pid: process.pid,
      packageVersion: PACKAGE_VERSION,
      numericsVersion: this.#options.numericsVersion ?? NUMERICS_VERSION,
      labels,
    };
    this.#log.say("info", "ready", { backend, device, maxFuseWidth, memoryBytes: usableBytes });
    this.#leases.advance();
    if (!first) return this.#syncs.changed();
    this.#onReady();
    void this.#options.coordinatorUp.then(() => this.#talk());
  }

  #talk(): void {
    for (const loop of [this.#syncs, this.#uploader]) {
      loop.run(this.#life.signal).catch((error: unknown) => this.#end(error));
    }
  }

  /** What is computed is still sent; then the session ends with this error's code. */
  #onTrainerGone(error: OccamError): void {
    if (this.#capabilities === undefined) return this.#end(error);
    this.#log.say("error", error.toUserText());
    this.#drain(EXIT_OF[error.code], error.message);
  }

  #state(): Omit<SyncRequest, "waitMs" | "heardReply"> {
    const { workerId, sessionId, protocol = PROTOCOL } = this.#options;
    return {
      protocolVersion: protocol.newest,
      oldestProtocolVersion: protocol.oldest,
      workerId,
      sessionId,
      capabilities: this.#capabilities,
      freeSlots: this.#leases.freeSlots(),
      held: this.#leases.held(),
      draining: this.#draining !== undefined,
    };
  }

  #apply(response: SyncResponse): void {
    if (this.#ending) return;
    if (response.fenced) {
      const { workerId } = this.#options;
      const text = `another process works under the worker id "${workerId}"; this one stops`;
      return this.#end(new OccamError("bad-config", text, { hint: "give every worker an --id of its own" }));
    }
    this.#checkProtocol(response);
    for (const revocation of response.revocations) this.#leases.revoke(revocation);
    for (const grant of response.grants) this.#leases.accept(grant);
    if (response.drain) this.#drain(EXIT.ok, "the coordinator needs this worker no more");
    this.#leases.advance();
    this.#leaveIfDone();
  }

  /** A coordinator that says nothing of it is of the first version. */
  #checkProtocol({ protocolVersion }: SyncResponse): void {
    const { protocol = PROTOCOL } = this.#options;
    const spoken = protocolVersion === 0 ? 1 : protocolVersion;
    if (spoken >= protocol.oldest && spoken <= protocol.newest) return;
    throw new OccamError(
      "unsupported",
      `the coordinator answered in protocol version ${spoken}, which is none of ours`,
      {
        hint: "upgrade the coordinator first, one version at a time; then the workers",
      },
    );
  }

  #onReach(lost: string | undefined): void {
    this.#cancelOrphan?.();
    this.#cancelOrphan = undefined;
    if (lost === undefined) return this.#log.say("info", "the coordinator is there again");
    this.#log.say("warn", `the coordinator is out of reach: ${lost}`);
    this.#cancelOrphan = this.#options.clock.after(this.#options.timings.orphanAfterMs, () => {
      this.#log.say("error", "the coordinator was out of reach for too long: unfinished work is given up");
      this.#leases.abandon();
    });
  }

  #drain(exitCode: number, why: string): void {
    if (this.#draining !== undefined && exitCode === EXIT.ok) return;
    this.#draining = exitCode;
    this.#log.say("info", `draining: ${why}`);
    // The coordinator's own drain lets a running shard finish, however long it takes.
    this.#leases.close(why, exitCode === EXIT.ok ? "queued" : "running");
    if (exitCode !== EXIT.ok) {
      this.#options.clock.after(this.#options.timings.drainBudgetMs, () => void this.#leave(exitCode));
    }
    this.#syncs.changed();
    this.#leaveIfDone();
  }

  #leaveIfDone(): void {
    if (this.#draining !== undefined && this.#leases.empty) void this.#leave(this.#draining);
  }

  async #leave(exitCode: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const { clock, peer } = this.#options;
    const patience = new AbortController();
    const cancel = clock.after(FAREWELL_MS, () => patience.abort());
    const lost = new Promise<void>((resolve) => patience.signal.addEventListener("abort", () => resolve()));
    if (this.#capabilities !== undefined) {
      const farewell = peer.sync({ ...this.#state(), waitMs: 0, heardReply: 0n }, FAREWELL_MS, patience.signal);
      const kept = this.#keeper?.settled(FAREWELL_MS);
      await Promise.race([Promise.allSettled([farewell, this.#uploader.flush(OWN_LOG), kept]), lost]);
    }
    cancel();
    await this.#close(exitCode);
  }

  #end(error: unknown): void {
    if (this.#ending) return;
    this.#ending = true;
    const known = error instanceof OccamError ? error : new OccamError("internal", messageOf(error), { cause: error });
    this.#options.logger.error(known.code === "internal" ? { err: known } : { code: known.code }, known.toUserText());
    void this.#close(known);
  }

  async #close(end: number | OccamError): Promise<void> {
    this.#cancelOrphan?.();
    this.#life.abort();
    this.#keeper?.stop();
    await this.#trainer.stop();
    await this.#spool.close();
    this.#options.peer.close();
    this.#onDone(end);
  }
}
