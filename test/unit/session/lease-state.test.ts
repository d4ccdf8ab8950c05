import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asCellId, type CellId } from "../../../src/core/ids.ts";
import {
  openCells,
  queuedLease,
  transition,
  type LeaseEvent,
  type LeaseState,
} from "../../../worker/session/lease-state.ts";

const [A, B, C] = ["a", "b", "c"].map(asCellId) as [CellId, CellId, CellId];
const progress = { phase: "train", step: 1, steps: 2, live: 3 } as const;

/** Applies events in order; undefined when one of them cannot happen. */
function after(events: readonly LeaseEvent[], cells: readonly CellId[] = [A, B]): LeaseState | undefined {
  return events.reduce<LeaseState | undefined>(
    (state, event) => (state === undefined ? undefined : transition(state, event)),
    queuedLease(cells),
  );
}

const ended = (cellId: CellId): LeaseEvent => ({ type: "ended", cellId });
const settled = (cellId: CellId): LeaseEvent => ({ type: "settled", cellId });
const revoked = (...cells: CellId[]): LeaseEvent => ({
  type: "revoked",
  cellIds: cells.length === 0 ? "all" : new Set(cells),
});

describe("a lease", () => {
  it("runs, uploads and is done when every cell has ended and is settled", () => {
    const events: LeaseEvent[] = [
      { type: "started" },
      { type: "progressed", progress },
      ended(A),
      settled(A),
      ended(B),
      { type: "finished" },
    ];
    expect(after(events)).toEqual({ phase: "uploading", unsettled: new Set([B]) });
    expect(after([...events, settled(B)])).toEqual({ phase: "done" });
  });

  it("waits for the trainer even when every cell is settled", () => {
    const all: LeaseEvent[] = [{ type: "started" }, ended(A), settled(A), ended(B), settled(B)];
    expect(after(all)).toMatchObject({ phase: "running" });
    expect(after([...all, { type: "finished" }])).toEqual({ phase: "done" });
  });

  it("is done at once when it is revoked before it began", () => {
    expect(after([revoked()])).toEqual({ phase: "done" });
    expect(after([revoked(A)])).toMatchObject({ phase: "queued", open: new Set([B]) });
    expect(after([revoked(A), revoked(B)])).toEqual({ phase: "done" });
  });

  it("stops the trainer when the last open cell is revoked, and still offers what was computed", () => {
    expect(after([{ type: "started" }, revoked(A)])).toMatchObject({ phase: "running", open: new Set([B]) });
    const stopping = after([{ type: "started" }, ended(A), revoked()]);
    expect(stopping).toEqual({ phase: "stopping", unsettled: new Set([A]) });
    expect(transition(stopping!, { type: "finished" })).toEqual({ phase: "uploading", unsettled: new Set([A]) });
  });

  it("hands back what is open, begun or not", () => {
    expect(after([{ type: "handed-back" }])).toEqual({ phase: "uploading", unsettled: new Set([A, B]) });
    expect(after([{ type: "started" }, ended(A), settled(A), { type: "handed-back" }])).toEqual({
      phase: "stopping",
      unsettled: new Set([B]),
    });
  });

  it.each<[string, readonly LeaseEvent[]]>([
    ["a second start", [{ type: "started" }, { type: "started" }]],
    ["progress before the start", [{ type: "progressed", progress }]],
    ["an outcome before the start", [ended(A)]],
    ["two outcomes of one cell", [{ type: "started" }, ended(A), ended(A)]],
    ["an outcome of a foreign cell", [{ type: "started" }, ended(C)]],
    ["an answer to a commit that was not sent", [{ type: "started" }, settled(A)]],
    ["the end of a shard with open cells", [{ type: "started" }, ended(A), { type: "finished" }]],
    ["anything after the end", [revoked(), { type: "started" }]],
  ])("refuses %s", (_name, events) => {
    expect(after(events)).toBeUndefined();
  });

  it("keeps its invariants under any sequence of events", () => {
    const cell = fc.constantFrom(A, B, C);
    const event: fc.Arbitrary<LeaseEvent> = fc.oneof(
      fc.constant<LeaseEvent>({ type: "started" }),
      fc.constant<LeaseEvent>({ type: "progressed", progress }),
      fc.constant<LeaseEvent>({ type: "finished" }),
      fc.constant<LeaseEvent>({ type: "handed-back" }),
      cell.map(ended),
      cell.map(settled),
      cell.map((id) => revoked(id)),
      fc.constant(revoked()),
    );
    fc.assert(
      fc.property(fc.array(event, { size: "max", maxLength: 40 }), (events) => {
        let state = queuedLease([A, B, C]);
        const gone = new Set<CellId>();
        for (const each of events) {
          const next = transition(state, each);
          if (next === undefined) continue;
          const unsettled = next.phase === "done" ? new Set<CellId>() : next.unsettled;
          for (const id of openCells(next)) {
            expect(unsettled.has(id)).toBe(false);
            expect(gone.has(id)).toBe(false);
          }
          // A cell that was settled or revoked never comes back.
          for (const id of [A, B, C]) if (!openCells(next).has(id) && !unsettled.has(id)) gone.add(id);
          for (const id of unsettled) expect(gone.has(id)).toBe(false);
          if (next.phase === "uploading") expect(unsettled.size).toBeGreaterThan(0);
          state = next;
        }
      }),
      { numRuns: 500 },
    );
  });
});
