import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FAILED_MAX,
  isOpen,
  isUnder,
  LOST_MAX,
  NEW_CELL,
  transition,
  TRIES_MAX,
  VANISHED_MAX,
  type CellEvent,
  type CellLife,
} from "../../../coordinator/lease/cell-state.ts";
import { asSessionId, asWorkerId } from "../../../src/core/ids.ts";
import { leaseToken } from "./coordinator-fixture.ts";

const tokens = fc.integer({ min: 1, max: 3 }).map(leaseToken);
const places = {
  token: tokens,
  width: fc.integer({ min: 1, max: 64 }),
  worker: fc.constantFrom("w1", "w2", "w3", "w4").map(asWorkerId),
  untried: fc.boolean(),
  reason: fc.constantFrom("a", "b"),
};
const events: fc.Arbitrary<CellEvent> = fc.oneof(
  tokens.map((token): CellEvent => ({ kind: "granted", token })),
  tokens.map((token): CellEvent => ({ kind: "restored", token })),
  tokens.map((token): CellEvent => ({ kind: "listed", token })),
  fc.record({ kind: fc.constant("released" as const), token: tokens, preempted: fc.boolean() }),
  fc.record({ kind: fc.constant("lost" as const), ...places }),
  fc.record({
    kind: fc.constant("vanished" as const),
    token: tokens,
    worker: places.worker,
    session: fc.constantFrom("s1", "s2", "s3", "s4", "s5", "s6", "s7").map(asSessionId),
    width: places.width,
  }),
  fc.record({ kind: fc.constant("failed" as const), ...places, retryAtMs: fc.integer({ min: 0, max: 100 }) }),
  fc.record({
    kind: fc.constant("out-of-memory" as const),
    ...places,
    memoryBytes: fc.constantFrom(0, 10, 20),
    larger: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("time" as const), nowMs: fc.integer({ min: 0, max: 100 }) }),
  fc.record({
    kind: fc.constant("result" as const),
    token: tokens,
    digest: fc.constantFrom("x", "y"),
    diverged: fc.boolean(),
  }),
  fc.constantFrom<CellEvent>({ kind: "cancelled" }, { kind: "resumed" }, { kind: "rerun" }),
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

const holdsFor = (check: (step: { before: CellLife; event: CellEvent; after: CellLife }) => void): void =>
  fc.assert(
    fc.property(histories, (history) => {
      for (const step of walk(history)) check(step);
    }),
    { numRuns: 300 },
  );

describe("the life of a cell", () => {
  it("never leaves committed", () => {
    holdsFor(({ before, event }) => {
      if (before.state.kind === "committed") expect(transition(before, event)).toBeUndefined();
    });
  });

  it("does not heed a token that is not its own, but for a result", () => {
    holdsFor(({ before, event }) => {
      const { state } = before;
      if (state.kind !== "leased" && state.kind !== "running") return;
      if (!("token" in event) || event.kind === "result" || event.token === state.token) return;
      expect(transition(before, event)).toBeUndefined();
    });
  });

  it("explains every quarantine: enough tries on enough workers, or nobody with more memory", () => {
    holdsFor(({ event, before, after }) => {
      if (after.state.kind !== "quarantined" || before.state.kind === "quarantined") return;
      expect(after.state.reason).not.toBe("");
      if (event.kind === "out-of-memory") return expect(event.larger).toBe(false);
      if (event.kind === "vanished") {
        expect(event.width).toBe(1);
        return expect(new Set(after.vanished).size).toBeGreaterThanOrEqual(VANISHED_MAX);
      }
      const [count, max] = event.kind === "lost" ? [after.lost, LOST_MAX] : [after.failed, FAILED_MAX];
      expect(count).toBeGreaterThanOrEqual(max);
      const { untried } = event as { untried?: boolean };
      expect(after.triedOn.length >= max || untried === false || count >= TRIES_MAX).toBe(true);
    });
  });

  it("is never tried beyond the bound, whatever workers come and go", () => {
    holdsFor(({ after }) => {
      expect(after.lost).toBeLessThanOrEqual(TRIES_MAX);
      expect(after.failed).toBeLessThanOrEqual(TRIES_MAX);
    });
  });

  it("counts every fault in one counter, hand-backs in their own, and a release or a cancellation in none", () => {
    holdsFor(({ before, event, after }) => {
      if (event.kind === "rerun") return;
      const counted = (["lost", "failed", "oom", "preempted"] as const).filter((name) => after[name] > before[name]);
      const name = { lost: "lost", failed: "failed", "out-of-memory": "oom", released: "preempted" } as const;
      const isCounted = event.kind in name && after !== before && (event.kind !== "released" || event.preempted);
      expect(counted).toEqual(isCounted ? [name[event.kind as keyof typeof name]] : []);
    });
  });

  it("has fewer neighbours after each fault, never more, and needs ever more memory", () => {
    holdsFor(({ before, event, after }) => {
      if (event.kind === "rerun" || before.widthLimit === 0) return;
      expect(after.widthLimit).toBeLessThanOrEqual(before.widthLimit);
      expect(after.widthLimit).toBeGreaterThanOrEqual(1);
      expect(after.memoryAbove).toBeGreaterThanOrEqual(before.memoryAbove);
    });
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

  it("waits after a failure until its time, and not a moment less", () => {
    holdsFor(({ before, event, after }) => {
      if (event.kind === "failed" && after !== before && after.state.kind === "retry-wait") {
        expect(after.state.untilMs).toBe(event.retryAtMs);
      }
      if (before.state.kind !== "retry-wait") return;
      const isDue = event.kind === "time" && event.nowMs >= before.state.untilMs;
      expect(after.state.kind === "pending").toBe(isDue);
    });
  });

  it("begins without its faults when it is rerun, with what was spent on it remembered", () => {
    holdsFor(({ before, event, after }) => {
      if (event.kind !== "rerun" || after === before) return;
      expect(["quarantined", "cancelled"]).toContain(before.state.kind);
      expect(after).toEqual({ ...NEW_CELL, attempts: before.attempts });
    });
  });
});

const place = (index: number, width: number, untried: boolean) => ({
  token: leaseToken(index),
  worker: asWorkerId(`w${index}`),
  width,
  untried,
  reason: "why",
});

describe("after faults a cell", () => {
  it("goes from a wide shard to sqrt(width) to alone when its workers die", () => {
    let life = NEW_CELL;
    const limits: number[] = [];
    for (const [index, width] of [32, 6, 1].entries()) {
      life = transition(life, { kind: "granted", token: leaseToken(index + 1) })!;
      life = transition(life, { kind: "lost", ...place(index + 1, width, true) })!;
      limits.push(life.widthLimit);
    }
    expect(limits).toEqual([6, 1, 1]);
    expect(life.state).toEqual({
      kind: "quarantined",
      reason: "its worker died 3 times while it ran (on w1, w2, w3), the last time in a shard of 1: why",
    });
  });

  it("is not quarantined by one worker while another is there, and is where there is none", () => {
    for (const kind of ["lost", "failed"] as const) {
      for (const untried of [true, false]) {
        let life = NEW_CELL;
        for (let count = 0; count < 3; count += 1) {
          life = transition({ ...life, state: { kind: "pending" } }, { kind: "granted", token: leaseToken(1) })!;
          life = transition(life, { kind, ...place(1, 1, untried), retryAtMs: 5 })!;
        }
        expect(life.triedOn).toEqual(["w1"]);
        expect(life.state.kind).toBe(untried ? (kind === "lost" ? "pending" : "retry-wait") : "quarantined");
      }
    }
  });

  it("F12 halves its shard when memory runs out; alone it needs more memory, and is quarantined where nobody has it", () => {
    let life = NEW_CELL;
    const seen: unknown[] = [];
    const tries = [
      [8, 10, false],
      [4, 10, false],
      [2, 10, false],
      [1, 10, true],
      [1, 20, false],
    ] as const;
    for (const [index, [width, memoryBytes, larger]] of tries.entries()) {
      const token = leaseToken(index + 1);
      life = transition(life, { kind: "granted", token })!;
      life = transition(life, { kind: "out-of-memory", ...place(index + 1, width, true), memoryBytes, larger })!;
      seen.push([life.state.kind, life.widthLimit, life.memoryAbove]);
    }
    expect(seen).toEqual([
      ["pending", 4, 0],
      ["pending", 2, 0],
      ["pending", 1, 0],
      ["pending", 1, 10],
      ["quarantined", 1, 20],
    ]);
    expect(life).toMatchObject({ oom: 5, failed: 0 });
    expect(life.state).toMatchObject({ reason: expect.stringMatching(/alone on w5.*no worker with more.*: why/u) });
  });
});
