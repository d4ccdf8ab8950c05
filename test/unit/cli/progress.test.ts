import { describe, expect, it } from "vitest";
import { progressBlock, progressLine, type Snapshot } from "../../../src/cli/output/progress.ts";
import { paintFor } from "../../../src/cli/output/paint.ts";
import { WorkerState } from "../../../proto/gen/occam/v1/operator.ts";

const counts = {
  total: 48,
  pending: 20,
  leased: 4,
  running: 8,
  committed: 14,
  diverged: 1,
  cached: 2,
  quarantined: 2,
  retryWait: 0,
  lost: 0,
  preempted: 0,
  failed: 0,
  oom: 0,
  cancelled: 0,
};

const worker = (workerId: string, activity: string) => ({
  workerId,
  sessionId: "s",
  state: WorkerState.WORKER_STATE_BUSY,
  capabilities: undefined,
  lastSeenMs: 0n,
  cellsHeld: 4,
  cellsCommitted: 7n,
  activity,
  brokenReason: "",
});

const snapshot: Snapshot = {
  sweepId: "regularisers-on-digits-0123456789",
  counts,
  workers: [worker("local-1", "train 600/1500, 16 cells"), worker("local-2", "estimate 3/500\u001b[2J")],
  cellsPerMinute: 12.345,
  etaMs: 125_000,
  lowest: { cellId: "a", label: "mlp width=16, sgd 0.01", lambdaHat: 3.21456, testLoss: 0.1 },
  highest: { cellId: "b", label: "mlp width=64, adam 0.003", lambdaHat: 45.1, testLoss: 0.2 },
};

describe("progress", () => {
  it("shows shares, rate, extremes and workers", () => {
    const text = progressBlock(snapshot, 61_000, 100, paintFor(false)).join("\n");
    expect(text).toContain("14/48 cells done, 12 running, 2 failed");
    expect(text).toContain("12.35 cells/min, ETA 2m 05s, elapsed 1m 01s");
    expect(text).toContain("lowest lambda 3.215  mlp width=16, sgd 0.01");
    expect(text).toContain("highest lambda 45.1  mlp width=64, adam 0.003");
    expect(text).toContain("local-1  busy      train 600/1500, 16 cells");
  });

  it("is never wider than the terminal, down to 20 columns", () => {
    for (const width of [1, 2, 5, 9, 20, 40, 79, 200]) {
      for (const line of progressBlock(snapshot, 61_000, width, paintFor(false))) {
        expect(line.length, line).toBeLessThanOrEqual(width);
      }
    }
  });

  it("lets no control character of others through", () => {
    const text = progressBlock(snapshot, 0, 100, paintFor(false)).join("");
    expect(Array.from(text).filter((letter) => letter < " ")).toEqual([]);
  });

  it("fills the bar exactly, whatever the shares", () => {
    for (const [committed, quarantined, running] of [
      [0, 0, 0],
      [48, 0, 0],
      [0, 48, 0],
      [47, 1, 0],
      [1, 1, 46],
      [24, 12, 12],
    ] as const) {
      const bar = progressBlock(
        { ...snapshot, counts: { ...counts, committed, quarantined, running, leased: 0 } },
        0,
        40,
        paintFor(false),
      )[1]!;
      expect(bar).toHaveLength(40);
      expect(bar).toMatch(/^\[#*!*-* *\]$/);
    }
  });

  it("marks a rate of time that is not known", () => {
    expect(progressLine({ ...snapshot, etaMs: 0 })).toBe(
      "14/48 cells done, 12 running, 2 failed, 12.35 cells/min, ETA unknown",
    );
  });

  it("colours only when asked to", () => {
    expect(progressBlock(snapshot, 0, 80, paintFor(true)).join("")).toContain("\u001b[");
    expect(progressBlock(snapshot, 0, 80, paintFor(false)).join("")).not.toContain("\u001b");
  });
});
