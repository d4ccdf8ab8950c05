/**
 * One sync of a worker: its whole state comes in, its whole desired state goes out. Level-triggered: a lost, repeated or late
 * message does no harm, because nothing here depends on the one before.
 *
 * Steps: 1. who is it (a newer session fences the older and frees its leases); 2. what it holds is renewed, or adopted after a
 * restart; 3. free slots are filled; 4. with nothing to say, wait for news; 5. the answer, once all it rests on is durable: a
 * renewal rests on a grant that its worker was told of, so a mere heartbeat waits for nobody's write.
 */
import { invariant, OccamError } from "../../src/core/errors.ts";
import type { LeaseToken } from "../../src/core/ids.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import type { HotLease } from "../hot/lease-book.ts";
import type { WorkerSession } from "../hot/session-book.ts";
import { LIMITS } from "../limits.ts";
import { endLease } from "./attempts.ts";
import type { CellEvent } from "./cell-state.ts";
import { fillSlots } from "./grant.ts";
import { afterHeard, HEARS } from "./hearing.ts";
import type { Held, SyncCommand, SyncReply } from "./sync-messages.ts";

const FENCED: Answer = { fenced: true, drain: false, grants: [], renewals: [], revocations: [] };

type Answer = Omit<SyncReply, "number">;

export async function sync(hot: Hot, command: SyncCommand, signal: AbortSignal): Promise<SyncReply> {
  const answer = await answerTo(hot, command, signal);
  return { ...answer, number: hot.sessions.nextReply() };
}

async function answerTo(hot: Hot, command: SyncCommand, signal: AbortSignal): Promise<Answer> {
  const session = arrive(hot, command);
  if (session === undefined) return settledReply(hot, FENCED);
  hot.sessions.heard(session, afterHeard(session.hearing, command.heardReply));
  renew(hot, session, command.held);
  fillSlots(hot, session, command);
  const free = command.freeSlots > 0 && !command.draining && !isOutdated(hot, command);
  if (free && command.waitMs > 0) await waitForNews(hot, session, command, signal);
  if (hot.sessions.get(command.workerId) !== session) return settledReply(hot, FENCED);
  return { ...(await reply(hot, session, command.held)), drain: isOutdated(hot, command) };
}

/**
 * A worker of older numbers than ours gets no cell: it ends what it runs and makes room for one of today's. One of newer numbers
 * waits for us to be upgraded.
 */
function isOutdated(hot: Hot, { capabilities }: SyncCommand): boolean {
  const version = capabilities?.numericsVersion ?? 0;
  return version !== 0 && version < hot.numericsVersion;
}

function arrive(hot: Hot, command: SyncCommand): WorkerSession | undefined {
  const arrived = hot.sessions.arrive(command, hot.leaseClock.nowMs(), hot.clock.nowMs());
  switch (arrived.kind) {
    case "fenced":
      return undefined;
    case "full":
      hot.meter.shed("worker");
      throw new OccamError("resource-exhausted", `there are ${LIMITS.workers} workers already`, {
        hint: "workers that are gone are forgotten after some minutes; or run a second coordinator on a store of its own",
      });
    case "current":
      hot.workerChanges.changed();
      return arrived.session;
    case "new":
      hot.writer.write(arrived.change);
      hot.logger.info({ worker: command.workerId, session: command.sessionId }, "worker arrived");
      for (const lease of arrived.replaced?.leases ?? []) endLease(hot, lease, { kind: "fenced" });
      afterDurable(hot, () => hot.sessions.stored(arrived.session));
      // The older session may be waiting for work.
      hot.workerNews.ofWorker(command.workerId);
      hot.workerChanges.changed();
      return arrived.session;
  }
}

/** Leases of another session, or ended ones, are left alone: the reply revokes them. */
function renew(hot: Hot, session: WorkerSession, held: readonly Held[]): void {
  const nowMs = hot.leaseClock.nowMs();
  for (const { token, progress } of held) {
    const lease = hot.leases.get(token);
    if (lease === undefined || !isOf(lease, session) || lease.state.kind === "ended") continue;
    const first = lease.state.kind !== "held";
    hot.leases.list(lease, nowMs, progress);
    if (!first) continue;
    hot.sessions.heard(session, HEARS);
    const listed: CellEvent = { kind: "listed", token };
    for (const { cell, ended } of lease.members.values()) if (ended === undefined) hot.cells.apply(cell, listed);
  }
}

async function waitForNews(hot: Hot, session: WorkerSession, command: SyncCommand, signal: AbortSignal): Promise<void> {
  const waitMs = Math.min(command.waitMs, hot.timings.longPollMaxMs);
  const limit = new AbortController();
  const stop = (): void => limit.abort();
  signal.addEventListener("abort", stop, { once: true });
  const cancelTimer = hot.clock.after(waitMs, stop);
  const waiting = hot.workerNews.wait(command.workerId);
  try {
    while (!limit.signal.aborted && !signal.aborted && !hasNews(hot, session, command.held)) {
      await waiting.woken(limit.signal);
      if (!signal.aborted) fillSlots(hot, session, command);
      if (hot.work.size > 0) hot.workerNews.passOn();
    }
  } finally {
    waiting.leave();
    cancelTimer();
    signal.removeEventListener("abort", stop);
  }
  if (!signal.aborted) hot.sessions.stillThere(session, hot.leaseClock.nowMs(), hot.clock.nowMs());
}

function hasNews(hot: Hot, session: WorkerSession, held: readonly Held[]): boolean {
  if (hot.sessions.get(session.workerId) !== session) return true;
  const listed = new Set(held.map((each) => each.token));
  for (const lease of session.leases) if (lease.state.kind === "granted" && !listed.has(lease.token)) return true;
  return held.some(({ token }) => isUntold(hot, session, token));
}

async function reply(hot: Hot, session: WorkerSession, held: readonly Held[]): Promise<Omit<Answer, "drain">> {
  const nowMs = hot.leaseClock.nowMs();
  const listed = new Set(held.map((each) => each.token));
  const granted = [...session.leases].filter((lease) => lease.state.kind === "granted" && !listed.has(lease.token));
  const renewals = held.flatMap(({ token }) => {
    const lease = hot.leases.get(token);
    if (lease === undefined || !isOf(lease, session) || lease.state.kind !== "held") return [];
    return { token, ttlMs: Math.max(0, Math.round(lease.state.deadlineMs - nowMs)) };
  });
  const revocations = held.flatMap(({ token }) => revocationOf(hot, session, token) ?? []);
  for (const { token } of revocations) hot.leases.told(token);
  const cellsOf = granted.map((lease) => openCells(lease));
  if (granted.length > 0 || revocations.length > 0 || !session.isStored) await hot.writer.settled();
  const configs = await hot.store.readConfigs(cellsOf.flat().map((cell) => cell.key));
  const grants = granted.map((lease, index) => ({
    token: lease.token,
    ttlMs: hot.timings.leaseTtlMs,
    fuseKey: lease.fuseKey,
    traceparent: lease.traceparent,
    cells: cellsOf[index]!.map(({ key, id, attempt }) => ({
      cellId: id,
      configJson: configOf(configs, key, id),
      attempt,
    })),
  }));
  return { fenced: false, grants, renewals, revocations };
}

function configOf(configs: ReadonlyMap<number, string>, key: number, cellId: string): string {
  const json = configs.get(key);
  invariant(json !== undefined, `the configuration of cell ${cellId} is stored with it`);
  return json;
}

function openCells(lease: HotLease) {
  const open = [...lease.members.values()].filter((member) => member.ended === undefined);
  return open.map(({ cell }) => ({ key: cell.key, id: cell.id, attempt: cell.life.attempts }));
}

/** Something of this lease was revoked and its worker was not told yet. Telling again needs no hurry. */
function isUntold(hot: Hot, session: WorkerSession, token: LeaseToken): boolean {
  const lease = hot.leases.get(token);
  return lease !== undefined && isOf(lease, session) ? !lease.told : true;
}

function revocationOf(
  hot: Hot,
  session: WorkerSession,
  token: LeaseToken,
): SyncReply["revocations"][number] | undefined {
  const lease = hot.leases.get(token);
  if (lease === undefined || lease.state.kind === "ended") {
    return { token, cellIds: [], reason: hot.leases.whyEnded(token) };
  }
  if (!isOf(lease, session)) return { token, cellIds: [], reason: "the lease is another session's" };
  const revoked = [...lease.members.values()].filter((member) => member.revoked !== "");
  if (revoked.length === 0) return undefined;
  return { token, cellIds: revoked.map((member) => member.cell.id), reason: revoked[0]!.revoked };
}

function isOf(lease: HotLease, session: WorkerSession): boolean {
  return lease.sessionId === session.sessionId;
}

async function settledReply(hot: Hot, answer: Answer): Promise<Answer> {
  await hot.writer.settled();
  return answer;
}
