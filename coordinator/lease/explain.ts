/** Why a cell is as it is, in sentences, and what would change that. Reads memory alone. */
import { shortId, type WorkerId } from "../../src/core/ids.ts";
import { giverOf, type HotCell } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { WorkerSession } from "../hot/session-book.ts";
import type { Sweep } from "../hot/sweep.ts";
import { unmet } from "../schedule/requirement.ts";
import { isFull, sweepOrder } from "../schedule/sweep-order.ts";
import type { CellRow } from "../store/store.ts";
import { gibibytes } from "./cell-state.ts";
import { standingOf } from "./grant.ts";
import { whyDeaf } from "./hearing.ts";
import { stallLimitMs, type LeaseState } from "./lease-state.ts";
import { isLargerThan, isUsable, mayServe } from "./worker-trust.ts";

export interface Explanation {
  readonly because: readonly string[];
  readonly remedies: readonly string[];
}

class Reasons {
  readonly because: string[] = [];
  readonly remedies: string[] = [];

  add(because: string, remedy?: string): void {
    this.because.push(because);
    if (remedy !== undefined && !this.remedies.includes(remedy)) this.remedies.push(remedy);
  }
}

/** @param row the cell as it is stored, where it is not in memory */
export function explainCell(hot: Hot, sweep: Sweep, row: CellRow): Explanation {
  const reasons = new Reasons();
  const cell = hot.cells.get(row.scope, row.id);
  if (cell === undefined) explainEnded(reasons, sweep, row);
  else explainHot(hot, reasons, sweep, cell);
  return reasons;
}

function explainEnded(reasons: Reasons, { record: { id } }: Sweep, row: CellRow): void {
  const { state, reason, result } = row;
  switch (state) {
    case "committed":
      return reasons.add(`it has a result, of worker ${result?.workerId ?? "unknown"}`);
    case "cancelled":
      return reasons.add("its sweep was cancelled before it had a result", `occam resume ${id}`);
    case "quarantined":
      return explainQuarantine(reasons, id, reason, row.memoryAbove);
    case "pending":
      return reasons.add("it has ended a moment ago: ask again");
  }
}

function explainQuarantine(reasons: Reasons, sweepId: string, reason: string, memoryAbove: number): void {
  reasons.add(`it is quarantined: ${reason}`);
  if (memoryAbove > 0) reasons.remedies.push(`connect a worker with more memory than ${gibibytes(memoryAbove)}`);
  reasons.remedies.push(`mend what its log shows, then: occam rerun ${sweepId} --failed`);
}

function explainHot(hot: Hot, reasons: Reasons, sweep: Sweep, cell: HotCell): void {
  const { state, memoryAbove } = cell.life;
  const { id } = sweep.record;
  switch (state.kind) {
    case "pending":
      return explainPending(hot, reasons, cell);
    case "leased":
    case "running": {
      const lease = hot.leases.get(state.token);
      reasons.add(`it is ${state.kind} on worker ${lease?.workerId ?? "unknown"}, under lease ${state.token}`);
      return explainStill(hot, reasons, lease?.state);
    }
    case "retry-wait": {
      const seconds = Math.max(0, Math.ceil((state.untilMs - hot.leaseClock.nowMs()) / 1_000));
      return reasons.add(`it failed ${cell.life.failed} times, and is tried again in ${seconds} s`);
    }
    case "committed":
      return reasons.add("it has a result");
    case "quarantined":
      return explainQuarantine(reasons, id, state.reason, memoryAbove);
    case "cancelled":
      return reasons.add("its sweep was cancelled before it had a result", `occam resume ${id}`);
  }
}

function explainStill(hot: Hot, reasons: Reasons, state: LeaseState | undefined): void {
  if (state?.kind !== "held") return;
  const stillMs = hot.leaseClock.nowMs() - state.movedMs;
  const limitMs = stallLimitMs(state, hot.timings);
  if (stillMs < STILL_SHOWN_MS || !Number.isFinite(limitMs)) return;
  const { phase, step } = state.progress;
  const first = step === 0 ? "; a first step may take longer, for what is loaded and compiled before it" : "";
  const seconds = (ms: number): number => Math.round(ms / 1_000);
  reasons.add(
    `its shard is at step ${step} of ${phase} for ${seconds(stillMs)} s; after ${seconds(limitMs)} s it is taken for stuck and lost${first}`,
  );
}

/** A pause between two steps that is worth a word. */
const STILL_SHOWN_MS = 60_000;

function explainPending(hot: Hot, reasons: Reasons, cell: HotCell): void {
  const giver = giverOf(cell.sweeps);
  if (giver === undefined) return reasons.add("none of its sweeps is running");
  const { id } = giver.record;
  if (giver.paused !== "") reasons.add(`its sweep ${id} is paused: ${giver.paused}`, `occam resume ${id}`);
  const fitting = fittingWorkers(hot, reasons, giver, cell);
  if (giver.paused !== "" || fitting.length === 0) return;
  const full = fitting.every((session) => isFull(standingOf(hot, giver, session)));
  if (full) {
    reasons.add(
      `its sweep has ${giver.maxWorkers} workers already, which is its limit`,
      `occam change ${id} --max-workers N`,
    );
  }
  explainTurn(hot, reasons, giver, cell, fitting);
}

/** Workers that could run it, with what keeps the others from it. */
function fittingWorkers(hot: Hot, reasons: Reasons, sweep: Sweep, cell: HotCell): readonly WorkerSession[] {
  const usable = [...hot.sessions.all()].filter((session) => isUsable(hot, session));
  for (const { workerId, hearing } of hot.sessions.all()) {
    const deaf = whyDeaf(hearing, hot.leaseClock.nowMs());
    if (deaf !== "") reasons.add(`worker ${workerId} gets no cells: ${deaf}`, "see to the network on the way to it");
    const health = hot.health.get(workerId);
    if (health.kind === "sound") continue;
    reasons.add(`worker ${workerId} is ${health.kind}: ${health.reason}`, `occam reset ${workerId}`);
  }
  if (usable.length === 0) {
    reasons.add("no worker that may take cells is connected", "start one: occam worker");
    return [];
  }
  const serving = usable.filter((session) => mayServe(sweep, session));
  if (serving.length === 0) {
    const lacks = unmet(sweep.requirements, usable[0]!.capabilities).join(", ");
    reasons.add(
      `no worker is what its sweep requires (${sweep.record.require.join(", ")}); worker ${usable[0]!.workerId} is not ${lacks}`,
      `start one that is: occam worker --backend or --label`,
    );
    return [];
  }
  const { memoryAbove } = cell.life;
  const large = memoryAbove === 0 ? serving : serving.filter((session) => isLargerThan(memoryAbove, session));
  if (large.length === 0) {
    const bytes = gibibytes(memoryAbove);
    reasons.add(
      `it ran out of memory with ${bytes}, and no worker with more is connected`,
      `start one with more than ${bytes}`,
    );
  }
  return large;
}

function explainTurn(hot: Hot, reasons: Reasons, sweep: Sweep, cell: HotCell, fitting: readonly WorkerSession[]): void {
  const { triedOn } = cell.life;
  if (triedOn.length > 0) reasons.add(`it failed or was lost on ${list(triedOn)}: others have it first`);
  const order = sweepOrder(hot.sweeps.all().map((other) => standingOf(hot, other, fitting[0]!)));
  const before = hot.sweeps
    .bySeqs(order.slice(0, Math.max(0, order.indexOf(sweep.seq))))
    .filter((other) => other.counts.pending > 0);
  for (const other of before.slice(0, SWEEPS_SHOWN)) {
    const why = other.priority > sweep.priority ? `of priority ${other.priority}` : "whose turn it is";
    reasons.add(
      `sweep ${other.record.id}, ${why}, has ${other.counts.pending} pending cells`,
      `occam change ${sweep.record.id} --priority ${Math.max(other.priority, sweep.priority) + 1}`,
    );
  }
  const ahead = hot.work.aheadOf(sweep.seq, cell);
  const busy = fitting.filter((session) => session.leases.size > 0).length;
  reasons.add(
    `${ahead} cells of its sweep are ahead of it; ${busy} of ${fitting.length} workers that may run it are busy`,
  );
}

/** The others would not be read. */
const SWEEPS_SHOWN = 5;

const list = (workers: readonly WorkerId[]): string => workers.map((worker) => shortId(worker)).join(", ");
