/**
 * Takes grid points into a sweep: each becomes a new cell, or a link to one that is there. A cell with a result is cached, a
 * cancelled one goes on, a quarantined one stays what it is.
 */
import { invariant } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import { figuresOf, type HotCell } from "../hot/cell-book.ts";
import type { Sweep } from "../hot/sweep.ts";
import { LinkRuns } from "../store/key-runs.ts";
import type { StoredCell } from "../store/store.ts";
import type { SpecArm, SpecCell } from "./spec-reader.ts";

/** Points of a grid that follow one another; undefined: filtered out. */
export interface Points {
  readonly first: number;
  readonly cells: readonly (SpecCell | undefined)[];
  /** No point of the grid follows. */
  readonly areLast: boolean;
}

/** A look at the store is repeated when a cell moves meanwhile; once is what ever happens. */
const ROUNDS = 10;

/**
 * Grid indices up to the last point are then known. To be called for one chunk at a time over all sweeps: between the look at the
 * store and the decision no other chunk may add cells.
 */
export async function admit(hot: Hot, sweep: Sweep, points: Points): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    // What was ever added is in memory: the store knows no more.
    const asked = hot.cells.isWhole ? new Set<CellId>() : unknownOf(hot, sweep, points);
    const stored = await hot.store.findCells(sweep.record.scope, [...asked]);
    // From here to the write nothing waits.
    const byId = new Map<string, StoredCell>(stored.map((cell) => [cell.id, cell]));
    const isOld = (id: CellId): boolean => !asked.has(id) || byId.get(id)?.state === "pending";
    // It left memory while the store was read, or was still in memory when it was read there.
    if (!hot.cells.isWhole && [...unknownOf(hot, sweep, points)].some(isOld)) continue;
    if (sweep.state === "running") decide(hot, sweep, points, byId);
    return;
  }
  invariant(false, `pending cells of sweep ${sweep.record.id} are in the store and not in memory`);
}

/** Those that are not in memory. */
function unknownOf(hot: Hot, sweep: Sweep, { cells }: Points): Set<CellId> {
  const unknown = new Set<CellId>();
  for (const cell of cells) {
    if (cell !== undefined && hot.cells.get(sweep.record.scope, cell.id) === undefined) unknown.add(cell.id);
  }
  return unknown;
}

function decide(hot: Hot, sweep: Sweep, points: Points, stored: ReadonlyMap<string, StoredCell>): void {
  const { first, cells, areLast } = points;
  const { scope } = sweep.record;
  const added: SpecCell[] = [];
  let firstKey = 0;
  let arm: SpecArm | undefined;
  const links = new LinkRuns();
  /** Of those that are in the store alone. */
  const linked = new Set<number>();
  for (const [at, cell] of cells.entries()) {
    if (cell === undefined) continue;
    if (cell.arm !== arm) setGroup(hot, (arm = cell.arm));
    const known = hot.cells.get(scope, cell.id);
    const record = known === undefined ? stored.get(cell.id) : undefined;
    if (known !== undefined) {
      if (known.sweeps.includes(sweep)) continue;
      links.add(first + at, known.key, linkHot(hot, sweep, known));
    } else if (record !== undefined) {
      if (linked.has(record.key) || record.sweeps.includes(sweep.seq)) continue;
      linked.add(record.key);
      links.add(first + at, record.key, linkStored(hot, sweep, record));
    } else {
      const { key } = hot.cells.addNew(cell, sweep);
      if (added.length === 0) firstKey = key;
      added.push(cell);
      links.add(first + at, key, false);
    }
  }
  if (added.length > 0) hot.writer.write({ kind: "cells-added", scope, firstKey, cells: added });
  if (links.runs.length > 0) hot.writer.write({ kind: "cells-linked", sweepSeq: sweep.seq, links: links.runs });
  hot.writer.write(sweep.expandedUpTo(first + cells.length, areLast));
}

function setGroup(hot: Hot, { fuseKey, bytesPerMember, flops }: SpecArm): void {
  const known = hot.work.group(fuseKey);
  if (known.bytesPerMember >= bytesPerMember && known.flopsPerCell >= flops) return;
  // Cells of one fuse key differ a little (the optimizer's state): the largest stands for all.
  const group = {
    bytesPerMember: Math.max(known.bytesPerMember, bytesPerMember),
    flopsPerCell: Math.max(known.flopsPerCell, flops),
  };
  hot.work.setGroup(fuseKey, group);
  hot.writer.write({ kind: "fuse-group-set", fuseKey, ...group });
}

/** Returns whether it is cached. */
function linkHot(hot: Hot, sweep: Sweep, cell: HotCell): boolean {
  hot.cells.link(cell, sweep);
  resumeCell(hot, cell);
  return countCached(sweep, cell.life.state.kind === "committed");
}

function linkStored(hot: Hot, sweep: Sweep, stored: StoredCell): boolean {
  if (stored.state === "cancelled") {
    const cell = hot.cells.restore(stored, hot.sweeps.bySeqs(stored.sweeps));
    hot.cells.link(cell, sweep);
    resumeCell(hot, cell);
    return false;
  }
  if (stored.state === "committed") sweep.counts.diverged += Number(stored.diverged);
  sweep.counts[stored.state] += 1;
  sweep.countFaults(stored);
  return countCached(sweep, stored.state === "committed");
}

function countCached(sweep: Sweep, cached: boolean): boolean {
  if (cached) sweep.counts.cached += 1;
  return cached;
}

/** Nothing when the cell was not cancelled. */
export function resumeCell(hot: Hot, cell: HotCell): void {
  if (hot.cells.apply(cell, { kind: "resumed" }) === undefined) return;
  hot.writer.write({ kind: "cell-changed", cellKey: cell.key, figures: figuresOf(cell.life) });
  afterDurable(hot, () => hot.workerNews.work());
}
