import { describe, expect, it } from "vitest";
import { decideRestart, MAX_RESTARTS, RESTART_WINDOW_MS, type ChildEnd } from "../../../src/cli/run/restart-policy.ts";

const killed: ChildEnd = { exitCode: null, signal: "SIGKILL", code: undefined, text: undefined, wasReady: true };

describe("the restart policy", () => {
  it("starts a killed child again, each time after a longer wait, a bounded number of times", () => {
    const restarts: number[] = [];
    const delays: number[] = [];
    let nowMs = 1_000;
    for (;;) {
      const decision = decideRestart(killed, restarts, nowMs);
      if (decision.kind === "give-up") break;
      delays.push(decision.delayMs);
      restarts.push(nowMs);
      nowMs += decision.delayMs + 50;
    }
    expect(delays).toHaveLength(MAX_RESTARTS);
    expect([...delays].sort((a, b) => a - b)).toEqual(delays);
  });

  it("forgets restarts that are long past", () => {
    const old = Array.from({ length: MAX_RESTARTS }, (_, i) => i);
    expect(decideRestart(killed, old, RESTART_WINDOW_MS + MAX_RESTARTS).kind).toBe("restart");
    expect(decideRestart(killed, old, RESTART_WINDOW_MS / 2).kind).toBe("give-up");
  });

  it("does not repeat what would fail again: bad configuration, usage or permission", () => {
    for (const exitCode of [64, 77, 78]) {
      expect(decideRestart({ ...killed, exitCode, signal: null }, [], 0).kind).toBe("give-up");
    }
    for (const exitCode of [0, 1, 69, 75]) {
      expect(decideRestart({ ...killed, exitCode, signal: null }, [], 0).kind).toBe("restart");
    }
  });

  it("does not repeat a start that failed in order, but one that was killed", () => {
    const neverReady = { ...killed, wasReady: false };
    expect(decideRestart({ ...neverReady, exitCode: 1, signal: null }, [], 0).kind).toBe("give-up");
    expect(decideRestart(neverReady, [], 0).kind).toBe("restart");
  });

  it("waits some seconds for a locked store, and no longer", () => {
    const locked: ChildEnd = { exitCode: 78, signal: null, code: "store-locked", text: "locked", wasReady: false };
    let waitedMs = 0;
    const restarts: number[] = [];
    for (;;) {
      const decision = decideRestart(locked, restarts, waitedMs);
      if (decision.kind === "give-up") break;
      restarts.push(waitedMs);
      waitedMs += decision.delayMs;
    }
    expect(waitedMs).toBeGreaterThanOrEqual(2_000);
    expect(waitedMs).toBeLessThan(10_000);
  });
});
