import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BREAK_AT,
  brokenBefore,
  healthAfter,
  SOUND,
  type HealthEvent,
  type WorkerHealth,
} from "../../../coordinator/lease/worker-health.ts";
import { leaseToken } from "./coordinator-fixture.ts";

const WAITS = { brokenMs: 100, brokenMaxMs: 300 };
const after = (health: WorkerHealth, ...events: readonly HealthEvent[]): WorkerHealth =>
  events.reduce((now, event) => healthAfter(now, event, WAITS), health);

const failure = (cellKey: number, overrides: Partial<Extract<HealthEvent, { kind: "trouble" }>> = {}): HealthEvent => ({
  kind: "trouble",
  token: leaseToken(cellKey),
  cellKey,
  loss: false,
  reason: "disk full",
  nowMs: 0,
  others: true,
  ...overrides,
});
const loss = (token: number, cellKey: number): HealthEvent =>
  failure(cellKey, { token: leaseToken(token), loss: true });

describe("the trust in a worker", () => {
  it("F11 ends with three distinct cells that fail one after the other, and says why", () => {
    expect(after(SOUND, failure(1), failure(2)).kind).toBe("sound");
    expect(after(SOUND, failure(1), failure(2), failure(3))).toMatchObject({
      kind: "broken",
      reason: "3 cells one after the other failed or were lost on it; the last: disk full",
      untilMs: 100,
    });
  });

  it("does not end with one cell that fails three times, nor with a success between", () => {
    expect(after(SOUND, failure(1), failure(1), failure(1)).kind).toBe("sound");
    expect(after(SOUND, failure(1), failure(2), { kind: "success" }, failure(3)).kind).toBe("sound");
  });

  it("counts the cells that one death of a process took as one", () => {
    const shard = [1, 2, 3, 4, 5].map((cell) => loss(7, cell));
    expect(after(SOUND, ...shard).kind).toBe("sound");
    expect(after(SOUND, ...shard, loss(8, 6)).kind).toBe("sound");
    // The second shard holds cells of the first: it may be they.
    expect(after(SOUND, ...shard, loss(8, 2), loss(9, 3)).kind).toBe("sound");
    expect(after(SOUND, ...shard, loss(8, 6), loss(9, 7)).kind).toBe("broken");
  });

  it("does not end while nobody else could take the cells", () => {
    const alone = [1, 2, 3, 4].map((cell) => failure(cell, { others: false }));
    expect(after(SOUND, ...alone).kind).toBe("sound");
    expect(after(SOUND, ...alone, failure(5)).kind).toBe("broken");
  });

  it("comes back with one cell on probation, and goes for twice as long when that fails", () => {
    const broken = after(SOUND, failure(1), failure(2), failure(3));
    expect(after(broken, { kind: "time", nowMs: 99 }).kind).toBe("broken");
    const probation = after(broken, { kind: "time", nowMs: 100 });
    expect(probation.kind).toBe("probation");
    expect(after(probation, { kind: "success" })).toBe(SOUND);
    const again = after(probation, failure(9, { nowMs: 100, others: false }));
    expect(again).toMatchObject({ kind: "broken", times: 2, untilMs: 300 });
    const third = after(again, { kind: "time", nowMs: 300 }, failure(9, { nowMs: 300 }));
    expect(third).toMatchObject({ kind: "broken", times: 3, untilMs: 600 });
  });

  it("comes back when a cell that failed on it failed elsewhere too, or when somebody says so", () => {
    const broken = after(SOUND, failure(1), failure(2), failure(3));
    expect(after(broken, { kind: "cleared", cellKey: 4 })).toBe(broken);
    expect(after(broken, { kind: "cleared", cellKey: 2 })).toMatchObject({ kind: "sound" });
    expect(after(broken, { kind: "reset" })).toBe(SOUND);
    expect(after(brokenBefore("why", 2, 1_000, WAITS), { kind: "cleared", cellKey: 1 })).toMatchObject({
      kind: "broken",
      untilMs: 1_200,
    });
  });

  it("ends only with as many troubles, and never with a success, through any history", () => {
    const events: fc.Arbitrary<HealthEvent> = fc.oneof(
      fc
        .record({ cell: fc.integer({ min: 1, max: 5 }), loss: fc.boolean(), others: fc.boolean(), at: fc.nat(1_000) })
        .map(({ cell, at, ...rest }) => failure(cell, { ...rest, nowMs: at })),
      fc.constantFrom<HealthEvent>({ kind: "success" }, { kind: "reset" }, { kind: "cleared", cellKey: 2 }),
      fc.nat(1_000).map((nowMs): HealthEvent => ({ kind: "time", nowMs })),
    );
    fc.assert(
      fc.property(fc.array(events, { maxLength: 50, size: "max" }), (history) => {
        let health: WorkerHealth = SOUND;
        for (const event of history) {
          const next = healthAfter(health, event, WAITS);
          expect(next.troubles.length).toBeLessThanOrEqual(BREAK_AT);
          if (next.kind === "broken" && health.kind !== "broken") {
            expect(event.kind).toBe("trouble");
            expect(health.kind === "probation" || next.troubles.length === BREAK_AT).toBe(true);
            expect(next.reason).not.toBe("");
          }
          if (event.kind === "success" && health.kind !== "broken") expect(next.kind).toBe("sound");
          if (event.kind === "reset") expect(next.kind).toBe("sound");
          health = next;
        }
      }),
    );
  });
});
