/**
 * The leases of a session: what is granted, what the trainer runs, what is on its way. It sees every cell to an answered
 * commit.
 *
 * Invariants:
 * 1. Every cell that was taken ends in one commit: its result, a failure, or a hand-back. A revoked one ends silently.
 * 2. The trainer has one shard at a time; at most one more waits here.
 */
import type { Grant, HeldLease as WireLease, Revocation } from "../../proto/gen/occam/v1/control.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import { asCellId, asLeaseToken, shortId, type CellId } from "../../src/core/ids.ts";
import { traced, type Tracer } from "../../src/core/trace.ts";
import { grantFromWire } from "../../src/wire/cell-grant.ts";
import type { TrainerEvent } from "../trainer/protocol.ts";
import type { Committer, Ending } from "./committer.ts";
import { HeldLease } from "./held-lease.ts";
import type { LeaseEvent } from "./lease-state.ts";
import type { ShardEnd, TrainerHost } from "./trainer-host.ts";
import type { Uploader } from "./uploader.ts";
import type { WorkerLog } from "./worker-log.ts";

export interface LeaseBookOptions {
  readonly tracer: Tracer;
  readonly trainer: Pick<TrainerHost, "idle" | "run" | "abort">;
  readonly uploader: Uploader;
  readonly committer: Committer;
  readonly log: WorkerLog;
  /** The end of the session: commits stop being tried. */
  readonly signal: AbortSignal;
  /** The coordinator should hear of a change at once. */
  readonly onChange: () => void;
  /** A lease came to its end. */
  readonly onSettled: () => void;
  /** A broken invariant. */
  readonly onDefect: (error: unknown) => void;
}

/** One coordinator repeats a grant for seconds only; so many tokens are remembered, to take none twice. */
const REMEMBERED_TOKENS = 1_024;

export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #leases = new Map<string, HeldLease>();
  readonly #seen = new Set<string>();
  #closed: string | undefined;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  /** Nothing is left that the coordinator waits for. */
  get empty(): boolean {
    return [...this.#leases.values()].every((lease) => lease.nothingToSend);
  }

  held(): readonly WireLease[] {
    return [...this.#leases.values()].flatMap((lease) => lease.toWire() ?? []);
  }

  /** One shard runs, and at most one waits: asked for early enough to be there in time, late enough to leave work to others. */
  freeSlots(): number {
    if (this.#closed !== undefined) return 0;
    const leases = [...this.#leases.values()];
    if (leases.some(({ phase }) => phase === "queued")) return 0;
    const running = leases.find(({ phase }) => phase === "running" || phase === "stopping");
    if (running !== undefined) return running.nearlyDone ? 1 : 0;
    return this.#options.trainer.idle ? 1 : 0;
  }

  // From the coordinator.

  accept(grant: Grant): void {
    const shardId = grant.token.toString();
    if (this.#seen.has(shardId)) return;
    this.#remember(shardId);
    const lease = this.#leaseOf(grant);
    if (lease === undefined) return;
    this.#leases.set(shardId, lease);
    this.#options.log.say("debug", "lease taken", { lease: shardId, cells: lease.open.size });
    if (this.#closed !== undefined) this.#handBack(lease, this.#closed);
    this.#options.onChange();
  }

  revoke({ token, cellIds, reason }: Revocation): void {
    const lease = this.#leases.get(token.toString());
    if (lease === undefined || lease.open.size === 0) return;
    const revoked = cellIds.length === 0 ? "all" : new Set(cellIds.map(asCellId));
    this.#options.log.say("info", `cells revoked: ${reason}`, { lease: lease.shardId, cells: cellIds.length || "all" });
    this.#giveUp(lease, revoked);
  }

  // From the agent.

  /** Unfinished cells of every lease are given up without a word: their leases are long over. */
  abandon(): void {
    for (const lease of this.#leases.values()) this.#giveUp(lease, "all");
    this.advance();
  }

  /** Takes nothing more, and hands back what has not begun; with `running`, also what runs. */
  close(reason: string, which: "queued" | "running"): void {
    this.#closed ??= reason;
    for (const lease of this.#leases.values()) {
      if (lease.phase === "queued" || (which === "running" && lease.phase === "running")) this.#handBack(lease, reason);
    }
  }

  /** Starts what can start and forgets what is done. */
  advance(): void {
    const { trainer } = this.#options;
    for (const [shardId, lease] of this.#leases) {
      if (lease.phase !== "done") continue;
      lease.span.end();
      this.#leases.delete(shardId);
    }
    if (!trainer.idle) return;
    const next = [...this.#leases.values()].find(({ phase }) => phase === "queued");
    if (next === undefined) return;
    next.apply({ type: "started" });
    trainer.run(next.shardId, next.openCells);
  }

  // From the trainer.

  onEvents(shardId: string, events: readonly TrainerEvent[]): void {
    const lease = this.#leases.get(shardId);
    if (lease === undefined) return;
    const wasNearlyDone = lease.nearlyDone;
    for (const event of events) this.#onEvent(lease, event);
    if (!wasNearlyDone && lease.nearlyDone) this.#options.onChange();
  }

  onShardEnd(shardId: string, end: ShardEnd): void {
    const lease = this.#leases.get(shardId);
    if (lease === undefined) return;
    for (const cellId of lease.open) {
      const silent = "the trainer ended the shard without a result for this cell";
      const { failure, reason } = end.kind === "done" ? { failure: "error" as const, reason: silent } : end;
      this.#conclude(lease, cellId, { kind: "failure", failure, reason });
    }
    lease.apply({ type: "finished" });
    this.advance();
    this.#options.onChange();
  }

  #onEvent(lease: HeldLease, event: TrainerEvent): void {
    const { uploader } = this.#options;
    if (event.type === "progress") return lease.apply({ type: "progressed", progress: event.progress });
    const { cellId } = event;
    // Of a cell that was revoked or handed back, nothing is wanted any more.
    if (!lease.open.has(cellId)) return;
    const attempt = { cellId, token: lease.token };
    switch (event.type) {
      case "metrics":
        return uploader.metrics(attempt, event.points);
      case "log":
        return uploader.log(attempt, event);
      case "result":
        return this.#conclude(lease, cellId, { kind: "result", result: event.result });
      case "failed":
        return this.#conclude(lease, cellId, { kind: "failure", failure: event.kind, reason: event.reason });
    }
  }

  /** A grant that cannot be read fails all of its cells: most likely the two sides are of different versions. */
  #leaseOf(grant: Grant): HeldLease | undefined {
    const { log, committer, signal, onDefect, tracer } = this.#options;
    try {
      return new HeldLease(grantFromWire(grant), tracer);
    } catch (error) {
      const reason = error instanceof OccamError ? error.toUserText() : messageOf(error);
      log.say("error", `a grant cannot be read: ${reason}`, { lease: grant.token.toString() });
      const ending: Ending = { kind: "failure", failure: "error", reason };
      for (const { cellId } of grant.cells) {
        committer.settle(asCellId(cellId), asLeaseToken(grant.token), ending, signal).catch(onDefect);
      }
      return undefined;
    }
  }

  #giveUp(lease: HeldLease, cellIds: ReadonlySet<CellId> | "all"): void {
    if (lease.phase === "done") return;
    const before = lease.open;
    this.#takeAway(lease, { type: "revoked", cellIds });
    for (const cellId of before) {
      if (!lease.open.has(cellId)) this.#options.uploader.drop({ cellId, token: lease.token });
    }
    this.#options.onChange();
  }

  #handBack(lease: HeldLease, reason: string): void {
    const cells = [...lease.open];
    this.#takeAway(lease, { type: "handed-back" });
    for (const cellId of cells) this.#settle(lease, cellId, { kind: "handback", reason });
  }

  /** The trainer is told when it computes for nobody any more. */
  #takeAway(lease: HeldLease, event: LeaseEvent): void {
    lease.apply(event);
    if (lease.phase === "stopping") this.#options.trainer.abort(lease.shardId);
  }

  #conclude(lease: HeldLease, cellId: CellId, ending: Ending): void {
    lease.apply({ type: "ended", cellId });
    if (ending.kind === "failure") {
      const fields = { cell: cellId, kind: ending.failure };
      this.#options.log.say("warn", `cell ${shortId(cellId)} failed: ${ending.reason}`, fields);
    }
    this.#settle(lease, cellId, ending);
  }

  #settle(lease: HeldLease, cellId: CellId, ending: Ending): void {
    this.#settled(lease, cellId, ending).catch((error: unknown) => this.#options.onDefect(error));
  }

  async #settled(lease: HeldLease, cellId: CellId, ending: Ending): Promise<void> {
    const { committer, uploader, log, signal, onSettled, tracer } = this.#options;
    const settlement = await traced(tracer, "commit", lease.span.traceparent, async (span) => {
      span.set({ "occam.cell": cellId, "occam.ending": ending.kind });
      return committer.settle(cellId, lease.token, ending, signal, span.traceparent);
    });
    if (settlement === undefined) return;
    if (settlement === "duplicate-different") {
      log.say("warn", `cell ${shortId(cellId)}: its result differs from the stored one`, { cell: cellId });
    }
    uploader.drop({ cellId, token: lease.token });
    lease.apply({ type: "settled", cellId });
    this.advance();
    onSettled();
  }

  #remember(shardId: string): void {
    this.#seen.add(shardId);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED_TOKENS && oldest !== undefined) this.#seen.delete(oldest);
  }
}
