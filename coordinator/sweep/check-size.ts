/** Refuses a sweep that has more cells than it may, before anything of it is kept: mistakes are cheap to make in a grid. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { OccamError } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import type { Hot } from "../hot/hot.ts";
import { LIMITS } from "../limits.ts";
import type { ReadSpec } from "./spec-reader.ts";

/** How many cells may be asked for. */
export interface Quotas {
  /** Of one sweep that does not ask for more by itself: what a mistake may cost. */
  readonly sweepCells: number;
  /** Unfinished cells of the sweeps of one token name. */
  readonly submitterCells: number;
}

export const DEFAULT_QUOTAS: Quotas = { sweepCells: 250_000, submitterCells: LIMITS.openCells };

/** Between two turns of the event loop: some 10 ms. */
const POINTS_AT_ONCE = 4_096;

interface Bound {
  readonly most: number;
  readonly refuse: () => OccamError;
}

/**
 * @param asked cells that its submitter expects at the most; 0: the quota holds
 * @throws "resource-exhausted" with the count and with what would let it in
 */
export async function checkSize(hot: Hot, spec: ReadSpec, submitter: string, asked: number): Promise<void> {
  const { most, refuse } = boundsOf(hot, spec, submitter, asked).reduce((left, right) =>
    right.most < left.most ? right : left,
  );
  // Every point is at most one cell.
  if (spec.gridSize <= most) return;
  const seen = new Set<CellId>();
  let cells = 0;
  const end = Math.min(spec.gridSize, LIMITS.sweepPoints);
  for (let index = 0; index < end; index += 1) {
    const cell = spec.at(index);
    if (cell !== undefined) {
      if (spec.mayRepeat) seen.add(cell.id);
      cells = spec.mayRepeat ? seen.size : cells + 1;
    }
    if (cells > most) throw refuse();
    if (index % POINTS_AT_ONCE === 0) await nextTurn();
  }
  if (end < spec.gridSize) throw tooLarge(spec, `, and only ${end} points of a grid are visited to count its cells`);
}

function boundsOf(hot: Hot, spec: ReadSpec, submitter: string, asked: number): readonly Bound[] {
  const { sweepCells, submitterCells } = hot.quotas;
  const unasked = Math.min(sweepCells, LIMITS.sweepCells);
  const held = openCellsOf(hot, submitter);
  return [
    // First, so that of equal bounds the one that nothing helps against is named.
    { most: LIMITS.sweepCells, refuse: () => tooLarge(spec, "") },
    { most: LIMITS.openCells - hot.cells.size, refuse: () => noRoom(hot, spec) },
    { most: submitterCells - held, refuse: () => overQuota(spec, submitter, held, submitterCells) },
    { most: asked === 0 ? unasked : asked, refuse: () => notAsked(spec, asked === 0 ? unasked : asked) },
  ];
}

/** Unfinished cells of the running sweeps of one token name; a cell of two of them counts twice. */
function openCellsOf(hot: Hot, submitter: string): number {
  let open = 0;
  for (const sweep of hot.sweeps.all()) {
    if (sweep.state === "running" && sweep.record.submitter === submitter) open += sweep.open;
  }
  return open;
}

function notAsked(spec: ReadSpec, most: number): OccamError {
  return refused(
    `the sweep "${spec.name}" has more than ${most} cells: its grid has ${spec.gridSize} points`,
    `see what it comes to with \`occam plan\`; if it is meant, submit it with --max-cells (up to ${LIMITS.sweepCells})`,
  );
}

function overQuota(spec: ReadSpec, submitter: string, held: number, most: number): OccamError {
  return refused(
    `the sweep "${spec.name}" has more cells than "${submitter}" may have: ${held} of its cells are unfinished, and ${most} may be`,
    "wait until some are done, cancel a sweep, or start the coordinator with a larger --quota-cells",
  );
}

function noRoom(hot: Hot, spec: ReadSpec): OccamError {
  const room = Math.max(0, LIMITS.openCells - hot.cells.size);
  return refused(
    `the sweep "${spec.name}" has more cells than there is room for beside the other sweeps: ${room}`,
    `a coordinator has ${LIMITS.openCells} unfinished cells at the most: wait until some are done, or cancel a sweep`,
  );
}

function tooLarge(spec: ReadSpec, why: string): OccamError {
  return refused(
    `the sweep "${spec.name}" is too large: its grid has ${spec.gridSize} points, a sweep may have ${LIMITS.sweepCells} cells${why}`,
    "leave out axes or values, or split the sweep into several",
  );
}

const refused = (text: string, hint: string): OccamError => new OccamError("resource-exhausted", text, { hint });
