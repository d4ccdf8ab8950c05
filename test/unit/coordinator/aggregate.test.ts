import { describe, expect, it } from "vitest";
import { CommitRate } from "../../../coordinator/aggregate/commit-rate.ts";
import { LambdaRange } from "../../../coordinator/aggregate/lambda-range.ts";
import { ChangeSignal } from "../../../coordinator/hot/change-signal.ts";
import { LeaseClock } from "../../../coordinator/hot/lease-clock.ts";
import { asCellId } from "../../../src/core/ids.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("the rate of commits", () => {
  it("is what the last minute had, and forgets the minutes before", () => {
    const rate = new CommitRate();
    rate.begin(0);
    for (let second = 0; second < 120; second += 1) rate.add(second * 1000);
    expect(rate.perMinute(119_500)).toBe(60);
    expect(rate.perMinute(149_500)).toBe(30);
    expect(rate.perMinute(500_000)).toBe(0);
  });

  it("is scaled up while less than a minute has passed, and gives the time that the rest takes", () => {
    const rate = new CommitRate();
    expect(rate.perMinute(0)).toBe(0);
    expect(rate.etaMs(10, 0)).toBe(0);
    rate.begin(5_000);
    for (let cell = 0; cell < 5; cell += 1) rate.add(5_000 + cell * 2_000);
    expect(rate.perMinute(15_000)).toBe(30);
    expect(rate.etaMs(15, 15_000)).toBe(30_000);
  });
});

describe("the range of learning coefficients", () => {
  it("keeps the lowest and the highest, and does not mind a repeat", () => {
    const range = new LambdaRange({ lowest: undefined, highest: undefined });
    const row = (lambdaHat: number) => ({ cellId: asCellId(`c${lambdaHat}`), lambdaHat, testLoss: null });
    for (const lambdaHat of [3, 1, 4, 1, 5]) range.add(row(lambdaHat));
    expect(range.extremes).toEqual({ lowest: row(1), highest: row(5) });
  });
});

describe("a change signal", () => {
  it("loses no change between the look and the waiting, and wakes all who wait", async () => {
    const signal = new ChangeSignal();
    const never = new AbortController().signal;
    const seen = signal.version;
    signal.changed();
    await signal.wait(seen, never);
    const waiting = [1, 2, 3].map(() => signal.wait(signal.version, never));
    signal.changed();
    await Promise.all(waiting);
  });

  it("lets go of a waiter that gives up", async () => {
    const signal = new ChangeSignal();
    const caller = new AbortController();
    const waiting = signal.wait(signal.version, caller.signal);
    caller.abort();
    await waiting;
    await signal.wait(signal.version, AbortSignal.abort());
  });
});

describe("the clock of leases", () => {
  it("does not count the time in which the process stood still, and counts ordinary delays", () => {
    const clock = new FakeClock(0);
    let nowMs = 0;
    clock.monotonicMs = () => nowMs;
    const leases = new LeaseClock(clock, 1000);
    nowMs = 1200;
    expect(leases.tick()).toBe(0);
    nowMs = 3900;
    expect(leases.tick()).toBe(0);
    nowMs = 63_900;
    expect(leases.tick()).toBe(57_000);
    expect(leases.nowMs()).toBe(6_900);
  });

  it("says before the first tick after a standstill what that tick will say", () => {
    const clock = new FakeClock(0);
    let nowMs = 0;
    clock.monotonicMs = () => nowMs;
    const leases = new LeaseClock(clock, 1000);
    nowMs = 3_600_000;
    const before = leases.nowMs();
    expect(before).toBe(3_000);
    leases.tick();
    expect(leases.nowMs()).toBe(before);
  });
});
