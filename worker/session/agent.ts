/**
 * The agent: holds leases, feeds the trainer, and sees every cell to an answered commit.
 *
 * Invariants:
 * 1. Heartbeats depend on the agent's own event loop alone; the trainer computes in a process of its own.
 * 2. A lost coordinator stops nothing: the trainer goes on, leases are listed again, streams continue where they were
 *    acknowledged. Only after `orphanAfterMs` is unfinished work given up.
 * 3. Every granted cell ends in one commit: its result, a failure, or a hand-back. A revoked or fenced one ends silently.
 * 4. `done` settles once, after the trainer process is gone and the connection closed.
 */
import { setMaxListeners } from "node:events";
import { hostname } from "node:os";
import type { Capabilities } from "../../proto/gen/occam/v1/common.ts";
import type { Grant, Revocation, SyncRequest, SyncResponse } from "../../proto/gen/occam/v1/control.ts";
import type { Clock } from "../../src/core/clock.ts";
import { EXIT, EXIT_OF, messageOf, OccamError } from "../../src/core/errors.ts";
import { asCellId, asLeaseToken, shortId, type CellId, type SessionId, type WorkerId } from "../../src/core/ids.ts";
import type { Logger } from "../../src/core/log.ts";
import { fold, type RandomKey } from "../../src/core/random.ts";
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../../src/core/version.ts";
import { grantFromWire } from "../../src/wire/cell-grant.ts";
import type { TrainerEvent, TrainerReady } from "../trainer/protocol.ts";
import { Committer, type Ending } from "./committer.ts";
import type { CoordinatorPeer } from "./coordinator-peer.ts";
import { HeldLease } from "./held-lease.ts";
import type { LeaseEvent } from "./lease-state.ts";
import { SyncLoop } from "./sync-loop.ts";
import type { SessionTimings } from "./timings.ts";
import { TrainerHost, type ShardEnd, type TrainerHostOptions } from "./trainer-host.ts";
import { OWN_LOG, Uploader } from "./uploader.ts";
import { WorkerLog } from "./worker-log.ts";

export interface AgentOptions {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly peer: CoordinatorPeer;
  readonly trainer: Pick<TrainerHostOptions, "module" | "backend" | "logLevel">;
  readonly maxFuseWidth: number;
  /** Bytes that one fused program may take on this machine, whatever the backend would allow. */
  readonly memoryLimitBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly key: RandomKey;
  readonly timings: SessionTimings;
}

/** The last words of a session (its log, a sync that says it holds nothing) may take this long. */
const FAREWELL_MS = 1_000;
/** Tokens whose grants are not taken a second time; one coordinator repeats a grant for seconds only. */
const REMEMBERED_TOKENS = 1_024;

export class Agent {
  readonly done: Promise<number>;
  /** Resolves when the trainer is ready; rejects with what ended the session before. */
  readonly ready: Promise<void>;
  readonly #options: AgentOptions;
  readonly #host: TrainerHost;
  readonly #uploader: Uploader;
  readonly #committer: Committer;
  readonly #syncs: SyncLoop;
  readonly #log: WorkerLog;
  readonly #life = new AbortController();
  readonly #leases = new Map<string, HeldLease>();
  readonly #seen = new Set<string>();
  #capabilities: Capabilities | undefined;
  #draining: number | undefined;
  #ending = false;
  #cancelOrphan: (() => void) | undefined;
  #onReady!: () => void;
  #onDone!: (end: number | OccamError) => void;

  constructor(options: AgentOptions) {
    const { workerId, sessionId, peer, clock, key, timings } = options;
    this.#options = options;
    // Every commit under way listens for the end: one a cell.
    setMaxListeners(0, this.#life.signal);
    this.done = new Promise((resolve, reject) => {
      this.#onDone = (end) => (typeof end === "number" ? resolve(end) : reject(end));
    });
    this.ready = Promise.race([
      new Promise<void>((resolve) => (this.#onReady = resolve)),
      this.done.then(() => undefined),
    ]);
    // Whoever waits for one of them hears of an error; the other must not count as unhandled.
    this.done.catch(() => undefined);
    this.ready.catch(() => undefined);
    const onTrouble = (message: string): void => this.#log.say("warn", message);
    this.#uploader = new Uploader({
      workerId,
      sessionId,
      clock,
      key: fold(key, "bulk"),
      batchDelayMs: timings.batchDelayMs,
      onTrouble,
      open: () => peer.push(),
      onPressure: (paused) => {
        this.#log.say(
          paused ? "warn" : "info",
          paused ? "the trainer waits for the coordinator" : "the trainer goes on",
        );
        this.#host.pause(paused);
      },
    });
    this.#log = new WorkerLog(options.logger, clock, (entry) => this.#uploader.log(OWN_LOG, entry));
    this.#committer = new Committer({
      workerId,
      sessionId,
      clock,
      key: fold(key, "commit"),
      uploader: this.#uploader,
      onTrouble,
      commit: (request, signal) => peer.commit(request, timings.callTimeoutMs, signal),
    });
    this.#syncs = new SyncLoop({
      clock,
      timings,
      key: fold(key, "sync"),
      sync: (request, deadlineMs, signal) => peer.sync(request, deadlineMs, signal),
      state: () => this.#state(),
      apply: (response) => this.#apply(response),
      onReach: (lost) => this.#onReach(lost),
    });
    this.#host = this.#newHost();
  }

  start(): void {
    this.#host.start();
  }

  /** Takes nothing more, hands back what is unfinished, sends what is finished, ends with EXIT.drained. */
  drain(): void {
    this.#drain(EXIT.drained, "the worker was asked to stop");
    for (const lease of this.#leases.values()) this.#handBack(lease, "the worker was asked to stop");
    this.#changed();
  }

  #newHost(): TrainerHost {
    const { trainer, clock, key, timings } = this.#options;
    const { abortGraceMs, openTimeoutMs } = timings;
    return new TrainerHost(
      { ...trainer, clock, key: fold(key, "trainer"), abortGraceMs, openTimeoutMs },
      {
        ready: (ready) => this.#onTrainerReady(ready),
        events: (shardId, events) => this.#onEvents(shardId, events),
        ended: (shardId, end) => this.#onShardEnd(shardId, end),
        gaveUp: (error) => this.#onTrainerGone(error),
        line: (text) => this.#log.trainerLine(text),
        died: (reason, restartMs) =>
          this.#log.say("error", `${reason}; it is started again`, { restartMs: Math.round(restartMs) }),
      },
    );
  }

  // From the trainer.

  #onTrainerReady({ backend, device, memoryBytes }: TrainerReady): void {
    const first = this.#capabilities === undefined;
    const { maxFuseWidth, memoryLimitBytes } = this.#options;
    this.#capabilities = {
      backend,
      maxFuseWidth,
      host: hostname(),
      pid: process.pid,
      packageVersion: PACKAGE_VERSION,
      memoryBytes: BigInt(Math.floor(Math.min(memoryBytes, memoryLimitBytes))),
    };
    this.#log.say("info", "ready", {
      backend,
      device,
      maxFuseWidth,
      memoryBytes: Number(this.#capabilities.memoryBytes),
    });
    if (!first) return this.#changed();
    this.#onReady();
    const { signal } = this.#life;
    void this.#syncs.run(signal).catch((error: unknown) => this.#end(asOccamError(error)));
    void this.#uploader.run(signal).catch((error: unknown) => this.#end(asOccamError(error)));
  }

  #onEvents(shardId: string, events: readonly TrainerEvent[]): void {
    const lease = this.#leases.get(shardId);
    if (lease === undefined) return;
    const wasNearlyDone = lease.nearlyDone;
    for (const event of events) this.#onEvent(lease, event);
    if (!wasNearlyDone && lease.nearlyDone) this.#syncs.changed();
  }

  #onEvent(lease: HeldLease, event: TrainerEvent): void {
    if (event.type === "progress") {
      if (lease.phase === "running" || lease.phase === "stopping") {
        lease.apply({ type: "progressed", progress: event.progress });
      }
      return;
    }
    const { cellId } = event;
    // Of a cell that was revoked or handed back, nothing is wanted any more.
    if (!lease.open.has(cellId)) return;
    const attempt = { cellId, token: lease.token };
    switch (event.type) {
      case "metrics":
        return this.#uploader.metrics(attempt, event.points);
      case "log":
        return this.#uploader.log(attempt, event);
      case "result":
        return this.#conclude(lease, cellId, { kind: "result", result: event.result });
      case "failed":
        return this.#conclude(lease, cellId, { kind: "failure", failure: event.kind, reason: event.reason });
    }
  }

  #onShardEnd(shardId: string, end: ShardEnd): void {
    const lease = this.#leases.get(shardId);
    if (lease === undefined) return;
    for (const cellId of lease.open) {
      const reason = "the trainer ended the shard without a result for this cell";
      const { failure, reason: said } = end.kind === "done" ? { failure: "error" as const, reason } : end;
      this.#conclude(lease, cellId, { kind: "failure", failure, reason: said });
    }
    lease.apply({ type: "finished" });
    this.#changed();
  }

  #onTrainerGone(error: OccamError): void {
    if (this.#capabilities === undefined) return this.#end(error);
    // What is computed is still sent; then the session ends with this error's code.
    this.#log.say("error", error.toUserText());
    this.#drain(EXIT_OF[error.code], error.message);
    for (const lease of this.#leases.values()) this.#handBack(lease, error.message);
    this.#changed();
  }

  // From the coordinator.

  #state(): Omit<SyncRequest, "waitMs"> {
    const { workerId, sessionId } = this.#options;
    return {
      protocolVersion: PROTOCOL_VERSION,
      workerId,
      sessionId,
      capabilities: this.#capabilities,
      freeSlots: this.#freeSlots(),
      held: [...this.#leases.values()].flatMap((lease) => lease.toWire() ?? []),
      draining: this.#draining !== undefined,
    };
  }

  /** One shard runs, and at most one waits: early enough to be there in time, late enough to leave work to others. */
  #freeSlots(): number {
    if (this.#draining !== undefined) return 0;
    const leases = [...this.#leases.values()];
    if (leases.some(({ phase }) => phase === "queued")) return 0;
    const running = leases.find(({ phase }) => phase === "running" || phase === "stopping");
    if (running !== undefined) return running.nearlyDone ? 1 : 0;
    return this.#host.idle ? 1 : 0;
  }

  #apply(response: SyncResponse): void {
    if (this.#ending) return;
    if (response.fenced) {
      const { workerId } = this.#options;
      return this.#end(
        new OccamError("bad-config", `another process works under the worker id "${workerId}"; this one stops`, {
          hint: "give every worker an --id of its own",
        }),
      );
    }
    for (const revocation of response.revocations) this.#revoke(revocation);
    for (const grant of response.grants) this.#accept(grant);
    if (response.drain && this.#draining === undefined) {
      this.#drain(EXIT.ok, "the coordinator needs this worker no more");
      for (const lease of this.#leases.values()) {
        if (lease.phase === "queued") this.#handBack(lease, "not begun when the worker was drained");
      }
    }
    this.#advance();
  }

  #accept(grant: Grant): void {
    const shardId = grant.token.toString();
    if (this.#seen.has(shardId)) return;
    this.#remember(shardId);
    const lease = this.#leaseOf(grant);
    if (lease === undefined) return;
    this.#leases.set(shardId, lease);
    this.#log.say("debug", "lease taken", { lease: shardId, cells: lease.open.size });
    if (this.#draining !== undefined) this.#handBack(lease, "the worker is draining");
    this.#syncs.changed();
  }

  /** A grant that cannot be read fails all of its cells: most likely the two sides are of different versions. */
  #leaseOf(grant: Grant): HeldLease | undefined {
    try {
      return new HeldLease(grantFromWire(grant));
    } catch (error) {
      const reason = asOccamError(error).toUserText();
      this.#log.say("error", `a grant cannot be read: ${reason}`, { lease: grant.token.toString() });
      for (const { cellId } of grant.cells) {
        const ending: Ending = { kind: "failure", failure: "error", reason };
        void this.#committer.settle(asCellId(cellId), asLeaseToken(grant.token), ending, this.#life.signal);
      }
      return undefined;
    }
  }

  #revoke({ token, cellIds, reason }: Revocation): void {
    const lease = this.#leases.get(token.toString());
    if (lease === undefined || lease.open.size === 0) return;
    const revoked = cellIds.length === 0 ? "all" : new Set(cellIds.map(asCellId));
    this.#log.say("info", `cells revoked: ${reason}`, { lease: lease.shardId, cells: cellIds.length || "all" });
    this.#giveUp(lease, revoked);
  }

  #onReach(lost: string | undefined): void {
    this.#cancelOrphan?.();
    this.#cancelOrphan = undefined;
    if (lost === undefined) return this.#log.say("info", "the coordinator is there again");
    this.#log.say("warn", `the coordinator is out of reach: ${lost}`);
    this.#cancelOrphan = this.#options.clock.after(this.#options.timings.orphanAfterMs, () => {
      this.#log.say("error", "the coordinator was out of reach for too long: unfinished work is given up");
      for (const lease of this.#leases.values()) this.#giveUp(lease, "all");
      this.#changed();
    });
  }

  // Leases.

  /** Nobody wants these cells any more: what they have computed is dropped. */
  #giveUp(lease: HeldLease, cellIds: ReadonlySet<CellId> | "all"): void {
    const before = lease.open;
    this.#takeAway(lease, { type: "revoked", cellIds });
    for (const cellId of before) if (!lease.open.has(cellId)) this.#uploader.drop({ cellId, token: lease.token });
    this.#syncs.changed();
  }

  #handBack(lease: HeldLease, reason: string): void {
    if (lease.phase !== "queued" && lease.phase !== "running") return;
    const cells = [...lease.open];
    this.#takeAway(lease, { type: "handed-back" });
    for (const cellId of cells) this.#settle(lease, cellId, { kind: "handback", reason });
  }

  #conclude(lease: HeldLease, cellId: CellId, ending: Ending): void {
    lease.apply({ type: "ended", cellId });
    if (ending.kind === "failure") {
      this.#log.say("warn", `cell ${shortId(cellId)} failed: ${ending.reason}`, { cell: cellId, kind: ending.failure });
    }
    this.#settle(lease, cellId, ending);
  }

  #settle(lease: HeldLease, cellId: CellId, ending: Ending): void {
    this.#settled(lease, cellId, ending).catch((error: unknown) => this.#end(asOccamError(error)));
  }

  async #settled(lease: HeldLease, cellId: CellId, ending: Ending): Promise<void> {
    const settlement = await this.#committer.settle(cellId, lease.token, ending, this.#life.signal);
    if (settlement === undefined) return;
    if (settlement === "duplicate-different") {
      this.#log.say("warn", `cell ${shortId(cellId)}: its result differs from the stored one`, { cell: cellId });
    }
    this.#uploader.drop({ cellId, token: lease.token });
    lease.apply({ type: "settled", cellId });
    this.#advance();
  }

  /** A revocation or a hand-back: the trainer is told when it computes for nobody any more. */
  #takeAway(lease: HeldLease, event: LeaseEvent): void {
    lease.apply(event);
    if (lease.phase === "stopping") this.#host.abort(lease.shardId);
  }

  /** Starts what can start, forgets what is done, ends what has nothing left to do. */
  #advance(): void {
    for (const [shardId, lease] of this.#leases) if (lease.phase === "done") this.#leases.delete(shardId);
    if (this.#ending) return;
    if (this.#host.idle) {
      const next = [...this.#leases.values()].find(({ phase }) => phase === "queued");
      if (next !== undefined) {
        next.apply({ type: "started" });
        this.#host.run(next.shardId, next.openCells);
      }
    }
    const idle = [...this.#leases.values()].every((lease) => lease.nothingToSend);
    if (this.#draining !== undefined && idle) void this.#leave(this.#draining);
  }

  #changed(): void {
    this.#advance();
    this.#syncs.changed();
  }

  #remember(shardId: string): void {
    this.#seen.add(shardId);
    if (this.#seen.size > REMEMBERED_TOKENS) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
  }

  // The end.

  #drain(exitCode: number, why: string): void {
    if (this.#draining !== undefined) return;
    this.#draining = exitCode;
    this.#log.say("info", `draining: ${why}`);
    // The coordinator's own drain lets a running shard finish, however long it takes.
    if (exitCode !== EXIT.ok) {
      this.#options.clock.after(this.#options.timings.drainBudgetMs, () => void this.#leave(exitCode));
    }
  }

  async #leave(exitCode: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const { clock, peer } = this.#options;
    const patience = new AbortController();
    const cancel = clock.after(FAREWELL_MS, () => patience.abort());
    const given = new Promise<void>((resolve) => patience.signal.addEventListener("abort", () => resolve()));
    if (this.#capabilities !== undefined) {
      const farewell = peer.sync({ ...this.#state(), waitMs: 0 }, FAREWELL_MS, patience.signal);
      await Promise.race([Promise.allSettled([farewell, this.#uploader.flush(OWN_LOG)]), given]);
    }
    cancel();
    await this.#close(exitCode);
  }

  #end(error: OccamError): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#options.logger.error({ code: error.code }, error.toUserText());
    void this.#close(error);
  }

  async #close(end: number | OccamError): Promise<void> {
    this.#cancelOrphan?.();
    this.#life.abort();
    await this.#host.stop();
    this.#options.peer.close();
    this.#onDone(end);
  }
}

function asOccamError(error: unknown): OccamError {
  return error instanceof OccamError ? error : new OccamError("internal", messageOf(error), { cause: error });
}
