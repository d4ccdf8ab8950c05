import { describe, expect, it, test } from "vitest";
import { normalCrossing, normalCrossingAtT, powerSum, powerSumAtT } from "../../../src/oracle/normal-crossing.ts";
import { reducedRankAtT } from "../../../src/oracle/reduced-rank-at-t.ts";
import { quadraticAtT } from "../../../src/oracle/regular.ts";
import { priorAverage, standardErrors } from "./prior-average.ts";

describe("a normal crossing", () => {
  test.each([
    [[1, 1], 0.5, 2],
    [[1, 2], 0.25, 1],
    [[3, 1, 3, 3], 1 / 6, 3],
    [[0, 1], 0.5, 1],
  ])("of powers %j has lambda %f and multiplicity %i", (powers, lambda, multiplicity) => {
    expect(normalCrossing(powers)).toEqual({ lambda, multiplicity });
  });

  test.each([1e-3, 0.1, 1, 7, 1e3, 1e8])("of one square is the quadratic's closed form at t = %f", (t) => {
    for (const gamma of [0.1, 1, 10]) {
      expect(Math.abs(normalCrossingAtT([1], t, gamma) - quadraticAtT([2], t, gamma))).toBeLessThan(1e-11);
    }
  });

  test.each([1e-3, 1, 1e2, 1e4, 1e6])("of two squares is the reduced rank of shape (1, 1, 1) at t = %f", (t) => {
    for (const gamma of [0.3, 1, 5]) {
      const shape = { inputs: 1, hidden: 1, outputs: 1 };
      expect(Math.abs(normalCrossingAtT([1, 1], t, gamma) - reducedRankAtT(shape, t, gamma))).toBeLessThan(1e-9);
    }
  });

  test.each([2, 3, 5])("of one power 2 * %i is the sum of that one power", (k) => {
    for (const t of [0.01, 1, 1e5]) {
      expect(Math.abs(normalCrossingAtT([k], t, 2) - powerSumAtT([2 * k], t, 2))).toBeLessThan(1e-9);
    }
  });

  test.each([
    [[1, 2], 3, 1],
    [[2, 1, 1], 10, 0.5],
    [[3, 3], 30, 2],
    [[1, 1, 1, 1], 5, 1],
  ])("of powers %j at t = %f, gamma = %f agrees with Monte Carlo", (powers, t, gamma) => {
    const potential = (w: Float64Array): number => powers.reduce((product, k, i) => product * w[i]! ** (2 * k), 1);
    const average = priorAverage(potential, powers.length, t, gamma, 60_000);
    expect(standardErrors(average, normalCrossingAtT(powers, t, gamma))).toBeLessThan(3);
    expect(average.standardError / average.mean).toBeLessThan(0.01);
  });

  it("approaches lambda - (m - 1)/ln t: its slope in 1/ln t is the multiplicity", () => {
    const powers = [2, 2, 1, 2];
    const { lambda, multiplicity } = normalCrossing(powers);
    const t = 1e120;
    const shortfall = (lambda - normalCrossingAtT(powers, t, 1)) * Math.log(t);
    expect(Math.abs(shortfall - (multiplicity - 1))).toBeLessThan(0.05 * (multiplicity - 1));
  });

  it("refuses powers that are no crossing", () => {
    expect(() => normalCrossing([0, 0])).toThrow("not all 0");
    expect(() => normalCrossing([0.5])).toThrow("integers");
    expect(() => normalCrossingAtT([1], 0, 1)).toThrow("positive");
  });
});

describe("a sum of powers", () => {
  it("has the sum of 1/p_i and multiplicity 1", () => {
    expect(powerSum([2, 4, 4])).toEqual({ lambda: 1, multiplicity: 1 });
    expect(() => powerSum([3])).toThrow("even");
  });

  test.each([1e-2, 1, 1e3, 1e7])("of squares is the quadratic's closed form at t = %f", (t) => {
    expect(Math.abs(powerSumAtT([2, 2], t, 0.7) - quadraticAtT([2, 2], t, 0.7))).toBeLessThan(1e-11);
  });

  it("agrees with Monte Carlo", () => {
    const potential = (w: Float64Array): number => w[0]! ** 2 + w[1]! ** 4 + w[2]! ** 6;
    const average = priorAverage(potential, 3, 4, 1.5, 60_000);
    expect(standardErrors(average, powerSumAtT([2, 4, 6], 4, 1.5))).toBeLessThan(3);
  });

  it("approaches lambda", () => {
    expect(powerSumAtT([4, 6, 8], 1e40, 1)).toBeCloseTo(powerSum([4, 6, 8]).lambda, 6);
  });
});
