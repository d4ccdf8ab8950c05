import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FAILED_MAX,
  isOpen,
  isUnder,
  LOST_MAX,
  NEW_CELL,
  transition,
  type CellEvent,
  type CellLife,
} from "../../../coordinator/lease/cell-state.ts";
import { leaseToken } from "./coordinator-fixture.ts";

const tokens = fc.integer({ min: 1, max: 3 }).map(leaseToken);
const widths = fc.integer({ min: 1, max: 64 });
const reasons = fc.constantFrom("a", "b");
const events: fc.Arbitrary<CellEvent> = fc.oneof(
  tokens.map((token): CellEvent => ({ kind: "granted", token })),
  tokens.map((token): CellEvent => ({ kind: "restored", token })),
  tokens.map((token): CellEvent => ({ kind: "listed", token })),
  tokens.map((token): CellEvent => ({ kind: "released", token })),
  fc.record({ kind: fc.constant("lost" as const), token: tokens, width: widths }),
  fc.record({ kind: fc.constant("failed" as const), token: tokens, width: widths, reason: reasons }),
  fc.record({ kind: fc.constant("out-of-memory" as const), token: tokens, width: widths, reason: reasons }),
  fc.record({
    kind: fc.constant("result" as const),
    token: tokens,
    digest: fc.constantFrom("x", "y"),
    diverged: fc.boolean(),
  }),
  fc.constantFrom<CellEvent>({ kind: "cancelled" }, { kind: "resumed" }),
);
const histories = fc.array(events, { maxLength: 60, size: "max" });

/** Every life that a history goes through, with the event that led to it. */
function* walk(history: readonly CellEvent[]): Generator<{ before: CellLife; event: CellEvent; after: CellLife }> {
  let before = NEW_CELL;
  for (const event of history) {
    const after = transition(before, event) ?? before;
    yield { before, event, after };
    before = after;
  }
}

describe("the life of a cell", () => {
  it("never leaves committed", () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { before, event } of walk(history)) {
          if (before.state.kind === "committed") expect(transition(before, event)).toBeUndefined();
        }
      }),
    );
  });

  it("does not heed a token that is not its own, but for a result", () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { before, event } of walk(history)) {
          const { state } = before;
          if (state.kind !== "leased" && state.kind !== "running") continue;
          if (!("token" in event) || event.kind === "result" || event.token === state.token) continue;
          expect(transition(before, event)).toBeUndefined();
        }
      }),
    );
  });

  it("explains every quarantine, and quarantines only after three losses or three failures", () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { after } of walk(history)) {
          if (after.state.kind !== "quarantined") continue;
          expect(after.state.reason).not.toBe("");
          expect(after.lost === LOST_MAX || after.failed === FAILED_MAX).toBe(true);
        }
      }),
    );
  });

  it("counts every fault in one counter, and a release or a cancellation in none", () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { before, event, after } of walk(history)) {
          const faults = after.lost + after.failed + after.oom - before.lost - before.failed - before.oom;
          const isFault = ["lost", "failed", "out-of-memory"].includes(event.kind) && after !== before;
          // Out of memory alone in its shard counts as a failure as well.
          const alone = event.kind === "out-of-memory" && event.width <= 1;
          expect(faults).toBe(isFault ? (alone ? 2 : 1) : 0);
        }
      }),
    );
  });

  it("has fewer neighbours after each fault, never more", () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { before, after } of walk(history)) {
          if (before.widthLimit > 0) expect(after.widthLimit).toBeLessThanOrEqual(before.widthLimit);
          if (before.widthLimit > 0) expect(after.widthLimit).toBeGreaterThanOrEqual(1);
        }
      }),
    );
  });

  it("is granted only while it is pending", () => {
    fc.assert(
      fc.property(histories, tokens, (history, token) => {
        for (const { after } of walk(history)) {
          const granted = transition(after, { kind: "granted", token });
          expect(granted !== undefined).toBe(after.state.kind === "pending");
          if (granted !== undefined) expect(isUnder(granted.state, token) && isOpen(granted.state)).toBe(true);
        }
      }),
    );
  });

  it("goes from a wide shard to sqrt(width) to alone when its workers die", () => {
    let life = NEW_CELL;
    const limits: number[] = [];
    for (const [index, width] of [32, 6, 1].entries()) {
      const token = leaseToken(index + 1);
      life = transition(life, { kind: "granted", token })!;
      life = transition(life, { kind: "lost", token, width })!;
      limits.push(life.widthLimit);
    }
    expect(limits).toEqual([6, 1, 1]);
    expect(life.state).toEqual({
      kind: "quarantined",
      reason: "its worker died 3 times while it ran, the last time in a shard of 1",
    });
  });

  it("halves its shard when memory runs out, and fails only when it is alone", () => {
    let life = NEW_CELL;
    const limits: number[] = [];
    for (const [index, width] of [8, 4, 2, 1, 1].entries()) {
      const token = leaseToken(index + 1);
      life = transition(life, { kind: "granted", token })!;
      life = transition(life, { kind: "out-of-memory", token, width, reason: "no space" })!;
      limits.push(life.widthLimit);
    }
    expect(limits).toEqual([4, 2, 1, 1, 1]);
    expect(life).toMatchObject({ oom: 5, failed: 2, state: { kind: "pending" } });
  });
});
