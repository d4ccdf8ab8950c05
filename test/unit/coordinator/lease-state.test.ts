import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  adoptableLease,
  grantedLease,
  remainingShare,
  transition,
  type LeaseEvent,
  type LeaseProgress,
  type LeaseState,
} from "../../../coordinator/lease/lease-state.ts";
import { DEFAULT_TIMINGS } from "../../../coordinator/timings.ts";

const times = fc.integer({ min: 0, max: 100_000 });
const progress: fc.Arbitrary<LeaseProgress> = fc.record({
  phase: fc.constantFrom("queued", "train", "estimate", "upload"),
  step: fc.integer({ min: -1, max: 200 }),
  steps: fc.integer({ min: 0, max: 100 }),
});
const events: fc.Arbitrary<LeaseEvent> = fc.oneof(
  fc.record({ kind: fc.constant("listed" as const), nowMs: times, progress }),
  fc.record({ kind: fc.constant("time" as const), nowMs: times }),
  fc.constantFrom<LeaseEvent>({ kind: "emptied" }, { kind: "revoked" }, { kind: "fenced" }),
);
const starts = fc.constantFrom<LeaseState>(grantedLease(0, DEFAULT_TIMINGS), adoptableLease(0, DEFAULT_TIMINGS));
const step = (state: LeaseState, event: LeaseEvent) => transition(state, event, DEFAULT_TIMINGS);

describe("the life of a lease", () => {
  it("never leaves its end", () => {
    fc.assert(
      fc.property(starts, fc.array(events, { maxLength: 30, size: "max" }), (start, history) => {
        let state = start;
        for (const event of history) {
          if (state.kind === "ended") expect(step(state, event)).toBeUndefined();
          state = step(state, event) ?? state;
        }
      }),
    );
  });

  it("ends by time exactly from its deadline on, whatever its phase", () => {
    fc.assert(
      fc.property(starts, fc.option(progress, { nil: undefined }), times, (start, listed, nowMs) => {
        const state = listed === undefined ? start : step(start, { kind: "listed", nowMs: 0, progress: listed })!;
        if (state.kind === "ended") throw new Error("a listed lease lives");
        const ended = step(state, { kind: "time", nowMs });
        expect(ended?.kind === "ended").toBe(nowMs >= state.deadlineMs);
      }),
    );
  });

  it("is unaccepted, unclaimed or lost by time, after what it was", () => {
    const late: LeaseEvent = { kind: "time", nowMs: 1e9 };
    const held = step(grantedLease(0, DEFAULT_TIMINGS), {
      kind: "listed",
      nowMs: 5,
      progress: { phase: "train", step: 1, steps: 2 },
    })!;
    expect(step(grantedLease(0, DEFAULT_TIMINGS), late)).toEqual({ kind: "ended", end: "unaccepted" });
    expect(step(adoptableLease(0, DEFAULT_TIMINGS), late)).toEqual({ kind: "ended", end: "unclaimed" });
    expect(step(held, late)).toEqual({ kind: "ended", end: "lost" });
    expect(held).toMatchObject({ deadlineMs: 5 + DEFAULT_TIMINGS.leaseTtlMs });
  });

  it("once begun has begun, though a late message says that it is queued", () => {
    const train = step(grantedLease(0, DEFAULT_TIMINGS), {
      kind: "listed",
      nowMs: 1,
      progress: { phase: "train", step: 0, steps: 9 },
    })!;
    const late = step(train, { kind: "listed", nowMs: 2, progress: { phase: "queued", step: 0, steps: 0 } });
    expect(late).toMatchObject({ kind: "held", begun: true });
  });

  it("has a share left between 1 and 0 that shrinks as it goes on", () => {
    fc.assert(
      fc.property(progress, (made) => {
        const state = step(grantedLease(0, DEFAULT_TIMINGS), { kind: "listed", nowMs: 1, progress: made })!;
        expect(remainingShare(state)).toBeGreaterThanOrEqual(0);
        expect(remainingShare(state)).toBeLessThanOrEqual(1);
      }),
    );
    const at = (phase: LeaseProgress["phase"], done: number) =>
      remainingShare(
        step(grantedLease(0, DEFAULT_TIMINGS), {
          kind: "listed",
          nowMs: 1,
          progress: { phase, step: done, steps: 10 },
        })!,
      );
    const course = [
      at("queued", 0),
      at("train", 0),
      at("train", 5),
      at("train", 10),
      at("estimate", 5),
      at("upload", 0),
    ];
    expect(course).toEqual([1, 1, 0.75, 0.5, 0.25, 0]);
  });
});
