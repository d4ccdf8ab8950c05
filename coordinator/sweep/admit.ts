/**
 * Takes grid points into a sweep: each becomes a new cell, or a link to one that is there. A cell with a result is cached, a
 * cancelled one goes on, a quarantined one stays what it is.
 */
import { invariant } from "../../src/core/errors.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import { figuresOf, type HotCell } from "../hot/cell-book.ts";
import type { Sweep } from "../hot/sweep.ts";
import type { CellLink, NewCell } from "../store/change.ts";
import type { StoredCell } from "../store/store.ts";
import type { SpecCell } from "./spec-reader.ts";

export interface AdmittedPoint {
  readonly index: number;
  readonly cell: SpecCell;
}

/** A look at the store is repeated when a cell moves meanwhile; once is what ever happens. */
const ROUNDS = 10;

/**
 * Grid indices below `upTo` are then known. To be called for one chunk at a time over all sweeps: between the look at the
 * store and the decision no other chunk may add cells.
 */
export async function admit(hot: Hot, sweep: Sweep, points: readonly AdmittedPoint[], upTo: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    // What was ever added is in memory: the store knows no more.
    const unknown = hot.cells.isWhole
      ? []
      : points.filter(({ cell }) => hot.cells.get(sweep.record.scope, cell.id) === undefined);
    const asked = new Set(unknown.map(({ cell }) => cell.id));
    const stored = await hot.store.findCells(sweep.record.scope, [...asked]);
    // From here to the write nothing waits.
    const byId = new Map<string, StoredCell>(stored.map((cell) => [cell.id, cell]));
    const isOld = ({ cell }: AdmittedPoint): boolean => {
      // It left memory while the store was read, or was still in memory when it was read there.
      if (hot.cells.get(sweep.record.scope, cell.id) !== undefined) return false;
      return !asked.has(cell.id) || byId.get(cell.id)?.state === "pending";
    };
    if (!hot.cells.isWhole && points.some(isOld)) continue;
    if (sweep.state === "running") decide(hot, sweep, points, byId, upTo);
    return;
  }
  invariant(false, `pending cells of sweep ${sweep.record.id} are in the store and not in memory`);
}

function decide(
  hot: Hot,
  sweep: Sweep,
  points: readonly AdmittedPoint[],
  stored: ReadonlyMap<string, StoredCell>,
  upTo: number,
): void {
  const added: NewCell[] = [];
  const links = new Map<number, CellLink>();
  for (const { index, cell } of points) {
    setGroup(hot, cell);
    const known = hot.cells.get(sweep.record.scope, cell.id);
    const record = stored.get(cell.id);
    if (known !== undefined) {
      if (known.sweeps.includes(sweep)) continue;
      links.set(known.key, linkHot(hot, sweep, known, index));
    } else if (record !== undefined) {
      if (links.has(record.key) || record.sweeps.includes(sweep.seq)) continue;
      links.set(record.key, linkStored(hot, sweep, record, index));
    } else {
      const { id, fuseKey, config } = cell;
      const fresh = { key: hot.cells.newKey(), id, scope: sweep.record.scope, fuseKey, config };
      hot.cells.addNew(fresh, sweep);
      added.push(fresh);
      links.set(fresh.key, { gridIndex: index, cellKey: fresh.key, cached: false });
    }
  }
  if (added.length > 0) hot.writer.write({ kind: "cells-added", cells: added });
  if (links.size > 0) hot.writer.write({ kind: "cells-linked", sweepSeq: sweep.seq, links: [...links.values()] });
  hot.writer.write(sweep.expandedUpTo(upTo, false));
}

function setGroup(hot: Hot, { fuseKey, bytesPerMember, flops }: SpecCell): void {
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

function linkHot(hot: Hot, sweep: Sweep, cell: HotCell, index: number): CellLink {
  hot.cells.link(cell, sweep);
  resumeCell(hot, cell);
  return { gridIndex: index, cellKey: cell.key, cached: countCached(sweep, cell.life.state.kind === "committed") };
}

function linkStored(hot: Hot, sweep: Sweep, stored: StoredCell, index: number): CellLink {
  const link = { gridIndex: index, cellKey: stored.key };
  if (stored.state === "cancelled") {
    const cell = hot.cells.restore(stored, hot.sweeps.bySeqs(stored.sweeps));
    hot.cells.link(cell, sweep);
    resumeCell(hot, cell);
    return { ...link, cached: false };
  }
  if (stored.state === "committed") sweep.counts.diverged += Number(stored.diverged);
  sweep.counts[stored.state] += 1;
  sweep.countFaults(stored);
  return { ...link, cached: countCached(sweep, stored.state === "committed") };
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
