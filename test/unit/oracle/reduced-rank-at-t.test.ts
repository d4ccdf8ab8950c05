import { describe, expect, it, test } from "vitest";
import { deepLinear } from "../../../src/oracle/deep-linear.ts";
import { reducedRankAtT, type ReducedRankShape } from "../../../src/oracle/reduced-rank-at-t.ts";
import { priorAverage, standardErrors } from "./prior-average.ts";

const shapeOf = (m: number, h: number, n: number): ReducedRankShape => ({ inputs: m, hidden: h, outputs: n });

/** |B A|_F^2 with A [H, M] first in w, then B [N, H]. */
function productNorm({ inputs, hidden, outputs }: ReducedRankShape): (w: Float64Array) => number {
  return (w) => {
    let sum = 0;
    for (let n = 0; n < outputs; n += 1) {
      for (let m = 0; m < inputs; m += 1) {
        let entry = 0;
        for (let h = 0; h < hidden; h += 1) entry += w[hidden * inputs + n * hidden + h]! * w[h * inputs + m]!;
        sum += entry * entry;
      }
    }
    return sum;
  };
}

describe("reduced rank at a finite temperature", () => {
  test.each([
    [1, 1, 1, [0.3542, 0.4123, 0.4375]],
    [2, 2, 2, [1.3903, 1.4826, 1.4975]],
    [3, 2, 3, [2.3455, 2.4751, 2.4963]],
  ] as const)("of shape (%i, %i, %i) at t = 1e2, 1e4, 1e6 reads %j", (m, h, n, readings) => {
    const computed = [1e2, 1e4, 1e6].map((t) => reducedRankAtT(shapeOf(m, h, n), t, 1));
    computed.forEach((reading, i) => expect(Math.abs(reading - readings[i]!)).toBeLessThan(1e-4));
  });

  test.each([
    [1, 4, 2, 3, 1],
    [4, 1, 3, 0.5, 0.5],
    [2, 3, 2, 1, 1],
    [3, 2, 5, 0.15, 0.7],
    [4, 5, 2, 0.5, 2],
    [3, 3, 3, 0.2, 1],
    [3, 4, 5, 0.05, 1],
    [4, 3, 3, 0.4, 2],
  ])("of shape (%i, %i, %i), t = %f, gamma = %f agrees with Monte Carlo", (m, h, n, t, gamma) => {
    const shape = shapeOf(m, h, n);
    const average = priorAverage(productNorm(shape), h * (m + n), t, gamma, 30_000);
    expect(standardErrors(average, reducedRankAtT(shape, t, gamma))).toBeLessThan(3);
    expect(average.standardError / average.mean).toBeLessThan(0.015);
  });

  test.each([
    [1, 3, 2],
    [2, 4, 3],
    [3, 2, 3],
    [3, 3, 3],
    [3, 5, 4],
    [6, 3, 3],
    [40, 3, 20],
    [3, 40, 5],
    [20, 300, 2],
  ])("of shape (%i, %i, %i) approaches lambda - (m - 1)/ln t", (m, h, n) => {
    const { lambda, multiplicity } = deepLinear([m, h, n], 0);
    const t = 1e16;
    const expected = lambda - (multiplicity - 1) / Math.log(t);
    expect(Math.abs(reducedRankAtT(shapeOf(m, h, n), t, 1) - expected)).toBeLessThan(0.01);
  });

  it("depends on t and gamma through t / gamma^2 alone, and not on which end is the input", () => {
    const reading = reducedRankAtT(shapeOf(3, 3, 4), 50, 1);
    expect(reducedRankAtT(shapeOf(3, 3, 4), 5000, 10)).toBeCloseTo(reading, 12);
    expect(reducedRankAtT(shapeOf(4, 3, 3), 50, 1)).toBeCloseTo(reading, 12);
  });

  it("is t times the prior mean of K for small t", () => {
    const t = 1e-9;
    expect(reducedRankAtT(shapeOf(3, 3, 4), t, 2) / (t * (3 * 3 * 4) * 0.25)).toBeCloseTo(1, 6);
    expect(reducedRankAtT(shapeOf(2, 5, 4), t, 1) / (t * (2 * 5 * 4))).toBeCloseTo(1, 6);
  });

  it("refuses more than three eigenvalues", () => {
    expect(() => reducedRankAtT(shapeOf(4, 4, 4), 1, 1)).toThrow("above 3");
  });
});
