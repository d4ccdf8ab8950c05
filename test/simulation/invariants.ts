/** What must hold of a coordinator's memory, and of what workers were told, after every step of a run. */
import type { Coordinator } from "../../coordinator/coordinator.ts";
import { isOpen } from "../../coordinator/lease/cell-state.ts";
import type { SimSweep } from "./cells.ts";
import type { CoordinatorProcess } from "./coordinator-process.ts";
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import type { History } from "./history.ts";
import { must } from "./violation.ts";

/**
 * Cells, leases, queues and counts of the coordinator's memory fit together.
 * @param newest the last token of each cell, which only grows
 */
export function checkMemory(coordinator: Coordinator, newest: Map<CellId, LeaseToken>): void {
  checkCells(coordinator, newest);
  checkLeases(coordinator);
  checkCounts(coordinator);
}

function checkCells({ hot }: Coordinator, newest: Map<CellId, LeaseToken>): void {
  let queued = 0;
  for (const cell of hot.cells.all()) {
    const { state } = cell.life;
    if (state.kind === "pending" && cell.sweeps.some((sweep) => sweep.state === "running")) queued += 1;
    if (state.kind === "quarantined")
      must(state.reason !== "", () => `cell ${cell.id} is quarantined without a reason`);
    if (state.kind !== "leased" && state.kind !== "running") continue;
    const before = newest.get(cell.id);
    must(
      before === undefined || before <= state.token,
      () => `cell ${cell.id} went from token ${before} to ${state.token}`,
    );
    newest.set(cell.id, state.token);
    const lease = hot.leases.get(state.token);
    const member = lease?.members.get(cell.id);
    must(
      lease !== undefined && lease.state.kind !== "ended" && member !== undefined && member.ended === undefined,
      () => `cell ${cell.id} is ${state.kind} under token ${state.token}, which does not hold it`,
    );
  }
  must(hot.work.size === queued, () => `${hot.work.size} cells are queued and ${queued} are pending`);
}

function checkLeases({ hot }: Coordinator): void {
  const nowMs = hot.leaseClock.nowMs();
  for (const lease of hot.leases.all()) {
    let open = 0;
    for (const { cell, ended } of lease.members.values()) {
      if (ended !== undefined) continue;
      open += 1;
      const state = hot.cells.get(cell.scope, cell.id)?.life.state;
      const holds = (state?.kind === "leased" || state?.kind === "running") && state.token === lease.token;
      must(holds, () => `lease ${lease.token} runs cell ${cell.id}, which is ${JSON.stringify(state?.kind)} elsewhere`);
    }
    must(open === lease.open, () => `lease ${lease.token} counts ${lease.open} open cells and has ${open}`);
    if (lease.state.kind === "ended") {
      must(open === 0, () => `lease ${lease.token} has ended with ${open} open cells`);
      continue;
    }
    must(open > 0, () => `lease ${lease.token} lives without a cell`);
    const overMs = nowMs - lease.state.deadlineMs;
    // So long a process may stand still, and its look at the deadlines with it, without being told from a slow one.
    must(overMs <= 3 * hot.timings.tickMs, () => `lease ${lease.token} lives ${overMs} ms beyond its deadline`);
    const { leaseTtlMs, acceptMs, readoptionMs } = hot.timings;
    must(
      -overMs <= Math.max(leaseTtlMs, acceptMs, readoptionMs),
      () => `lease ${lease.token} ends only in ${-overMs} ms`,
    );
  }
}

const gridSizes = new Map<string, number>();

function gridSizeOf(specText: string): number {
  const known = gridSizes.get(specText);
  if (known !== undefined) return known;
  const { cells: gridSize } = JSON.parse(specText) as SimSweep;
  gridSizes.set(specText, gridSize);
  return gridSize;
}

/** The states of a sweep's cells add up to its grid, and those of its open cells are what memory says. */
function checkCounts({ hot }: Coordinator): void {
  for (const sweep of hot.sweeps.all()) {
    const gridSize = gridSizeOf(sweep.record.specText);
    must(
      sweep.expanded ? sweep.total === gridSize : sweep.total <= gridSize,
      () => `sweep ${sweep.record.id} counts ${JSON.stringify(sweep.counts)} of a grid of ${gridSize}`,
    );
    const counted = { pending: 0, leased: 0, running: 0 };
    for (const cell of hot.cells.all()) {
      const { kind } = cell.life.state;
      if (cell.sweeps.includes(sweep) && isOpen(cell.life.state)) counted[kind as keyof typeof counted] += 1;
    }
    const { pending, leased, running } = sweep.counts;
    must(
      pending === counted.pending && leased === counted.leased && running === counted.running,
      () => `sweep ${sweep.record.id} counts ${JSON.stringify(sweep.counts)} and has ${JSON.stringify(counted)}`,
    );
    must(
      sweep.state !== "finished" || sweep.open === 0,
      () => `sweep ${sweep.record.id} is finished with ${sweep.open} open cells`,
    );
  }
}

/** One result at the most was ever taken for a cell, and no answer was wrong as it was given. */
export function checkHistory(history: History): void {
  must(history.wrong.length === 0, () => history.wrong.join("; "));
  const taken = new Map<string, bigint>();
  for (const { cellId, token } of history.committed) {
    const before = taken.get(cellId);
    must(before === undefined, () => `cell ${cellId} was committed under ${before} and again under ${token}`);
    taken.set(cellId, token);
  }
}

/** Of a jump of its clock a coordinator cannot know that nothing happened in so much of it. */
const JUMP_MS = 3_000;

/** A lease is taken for lost only when it was not listed for a whole ttl, whatever the coordinator's clocks say. */
export function checkExpiry(process: CoordinatorProcess): void {
  const { coordinator, listedAt, judged, clock } = process;
  const { leases, timings } = coordinator!.hot;
  for (const lease of leases.all()) {
    if (lease.state.kind !== "ended" || lease.state.end !== "lost" || judged.has(lease.token)) continue;
    judged.add(lease.token);
    const at = listedAt.get(lease.token);
    if (at === undefined) continue;
    const silentMs = process.trueMs - at.ms;
    const leastMs = timings.leaseTtlMs - JUMP_MS * (clock.jumps - at.jumps);
    must(silentMs >= leastMs, () => `lease ${lease.token} ended ${silentMs} ms after it was listed`);
  }
}

/** A cell that was out of memory in a shard is not in one as wide again. */
export function checkWidths({ hot }: Coordinator, fits: Map<CellId, number>): void {
  for (const { token, width, members } of hot.leases.all()) {
    for (const { cell, ended } of members.values()) {
      const fit = fits.get(cell.id) ?? Infinity;
      if (ended === "out-of-memory") fits.set(cell.id, Math.min(fit, Math.max(1, Math.floor(width / 2))));
      else
        must(
          ended !== undefined || width <= fit,
          () => `lease ${token} is ${width} wide, and cell ${cell.id} fits into ${fit}`,
        );
    }
  }
}
