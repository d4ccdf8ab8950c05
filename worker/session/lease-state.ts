/**
 * One lease in the worker, from its grant until nothing of it is left here.
 *
 *   queued -> running -> uploading -> done
 *                \-> stopping -/
 *
 * Invariants:
 * 1. A cell is in `open` until it has an outcome, then in `unsettled` until its commit is answered, then in neither.
 * 2. Only `running` and `stopping` occupy the trainer.
 * 3. What was computed is offered to the coordinator even after a revocation: a cell is a pure function, its result may be
 *    salvaged, and whether it is wanted is for the commit to answer.
 */
import type { CellId } from "../../src/core/ids.ts";
import type { ShardProgress } from "../trainer/shard.ts";

type Cells = ReadonlySet<CellId>;

export type LeaseState =
  | { readonly phase: "queued"; readonly open: Cells; readonly unsettled: Cells }
  | {
      readonly phase: "running";
      readonly open: Cells;
      readonly unsettled: Cells;
      readonly progress: ShardProgress | undefined;
    }
  /** The trainer was told to abort the shard and has not ended it yet. */
  | { readonly phase: "stopping"; readonly unsettled: Cells }
  | { readonly phase: "uploading"; readonly unsettled: Cells }
  | { readonly phase: "done" };

export type LeaseEvent =
  /** The trainer was given the shard. */
  | { readonly type: "started" }
  | { readonly type: "progressed"; readonly progress: ShardProgress }
  /** A cell has an outcome. */
  | { readonly type: "ended"; readonly cellId: CellId }
  /** A cell's commit is answered, or given up. */
  | { readonly type: "settled"; readonly cellId: CellId }
  /** The trainer has nothing more to do with the shard. Every cell that was open has ended before. */
  | { readonly type: "finished" }
  /** "all": the whole lease. */
  | { readonly type: "revoked"; readonly cellIds: Cells | "all" }
  /** Drain: every open cell is given back, which is its outcome. */
  | { readonly type: "handed-back" };

export function queuedLease(cells: Iterable<CellId>): LeaseState {
  return { phase: "queued", open: new Set(cells), unsettled: new Set() };
}

export const openCells = (state: LeaseState): Cells =>
  state.phase === "queued" || state.phase === "running" ? state.open : NONE;

const NONE: Cells = new Set();
const DONE: LeaseState = { phase: "done" };

/** The state after an event; undefined when the event cannot happen there. */
export function transition(state: LeaseState, event: LeaseEvent): LeaseState | undefined {
  switch (state.phase) {
    case "queued":
      return fromQueued(state, event);
    case "running":
      return fromRunning(state, event);
    case "stopping":
      return fromStopping(state, event);
    case "uploading":
      return fromUploading(state, event);
    case "done":
      return undefined;
  }
}

function fromQueued(state: LeaseState & { phase: "queued" }, event: LeaseEvent): LeaseState | undefined {
  switch (event.type) {
    case "started":
      return { ...state, phase: "running", progress: undefined };
    case "settled":
      return settled(state, event.cellId);
    case "revoked": {
      const open = minus(state.open, event.cellIds);
      return open.size > 0 ? { ...state, open } : uploading(state.unsettled);
    }
    case "handed-back":
      return uploading(union(state.unsettled, state.open));
    case "progressed":
    case "ended":
    case "finished":
      return undefined;
  }
}

function fromRunning(state: LeaseState & { phase: "running" }, event: LeaseEvent): LeaseState | undefined {
  switch (event.type) {
    case "progressed":
      return { ...state, progress: event.progress };
    case "ended": {
      if (!state.open.has(event.cellId)) return undefined;
      const cell = new Set([event.cellId]);
      return { ...state, open: minus(state.open, cell), unsettled: union(state.unsettled, cell) };
    }
    case "settled":
      return settled(state, event.cellId);
    case "finished":
      return state.open.size > 0 ? undefined : uploading(state.unsettled);
    case "revoked": {
      const open = minus(state.open, event.cellIds);
      // With no cell left that anybody wants, the rest of the program is in vain.
      return open.size > 0 || state.open.size === 0
        ? { ...state, open }
        : { phase: "stopping", unsettled: state.unsettled };
    }
    case "handed-back":
      return { phase: "stopping", unsettled: union(state.unsettled, state.open) };
    case "started":
      return undefined;
  }
}

function fromStopping(state: LeaseState & { phase: "stopping" }, event: LeaseEvent): LeaseState | undefined {
  switch (event.type) {
    case "finished":
      return uploading(state.unsettled);
    case "settled":
      return settled(state, event.cellId);
    case "revoked":
    case "handed-back":
    case "progressed":
      return state;
    case "started":
    case "ended":
      return undefined;
  }
}

function fromUploading(state: LeaseState & { phase: "uploading" }, event: LeaseEvent): LeaseState | undefined {
  switch (event.type) {
    case "settled": {
      const next = settled(state, event.cellId);
      return next === undefined ? undefined : uploading(next.unsettled);
    }
    case "revoked":
    case "handed-back":
      return state;
    case "started":
    case "progressed":
    case "ended":
    case "finished":
      return undefined;
  }
}

function settled<S extends { readonly unsettled: Cells }>(state: S, cellId: CellId): S | undefined {
  if (!state.unsettled.has(cellId)) return undefined;
  return { ...state, unsettled: minus(state.unsettled, new Set([cellId])) };
}

function uploading(unsettled: Cells): LeaseState {
  return unsettled.size === 0 ? DONE : { phase: "uploading", unsettled };
}

function minus(cells: Cells, removed: Cells | "all"): Cells {
  if (removed === "all") return NONE;
  return new Set([...cells].filter((cell) => !removed.has(cell)));
}

function union(left: Cells, right: Cells): Cells {
  return new Set([...left, ...right]);
}
