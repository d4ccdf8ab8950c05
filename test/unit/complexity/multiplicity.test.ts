import { describe, expect, test } from "vitest";
import { fillNormal, rootKey } from "../../../src/core/random.ts";
import { normalCrossingAtT, powerSumAtT } from "../../../src/oracle/normal-crossing.ts";
import { reducedRankAtT } from "../../../src/oracle/reduced-rank-at-t.ts";
import { multiplicityOf } from "../../../worker/complexity/multiplicity.ts";

const at = (value: (t: number) => number, temperatures: readonly number[], lambdaSe = 1e-3) =>
  temperatures.map((t) => ({ t, lambdaHat: value(t), lambdaSe }));

describe("the multiplicity by several temperatures", () => {
  test("is exact where t E[L - L0] = lambda - (m - 1)/ln t", () => {
    const fit = multiplicityOf(at((t) => 3.5 - 2 / Math.log(t), [50, 200, 800, 3000]))!;
    expect(fit.lambda).toBeCloseTo(3.5, 12);
    expect(fit.multiplicity).toBeCloseTo(3, 12);
  });

  // What is left beyond 1/ln t is of order 1/(ln t)^2: a share c/ln t of m - 1, c ~ 2 for these and ln t ~ 70.
  const COLD = [1e28, 1e30, 1e32];
  test.each([
    ["(a b)^2", [1, 1], 0.5, 2],
    ["(a b c)^2", [1, 1, 1], 0.5, 3],
    ["a^2 b^4", [1, 2], 0.25, 1],
  ] as const)("of the exact values of %s", (_, powers, lambda, m) => {
    const fit = multiplicityOf(at((t) => normalCrossingAtT(powers, t, 1), COLD))!;
    expect(Math.abs(fit.lambda - lambda)).toBeLessThan(0.003);
    expect(Math.abs(fit.multiplicity - m)).toBeLessThan(0.1 * Math.max(1, m - 1));
  });

  test("of the exact values of a sum of powers and of reduced rank is 1", () => {
    for (const [value, lambda] of [
      [(t: number) => powerSumAtT([2, 4, 6], t, 1), 11 / 12],
      [(t: number) => reducedRankAtT({ inputs: 2, hidden: 2, outputs: 2 }, t, 1), 1.5],
    ] as const) {
      const fit = multiplicityOf(at(value, [1e8, 1e9, 1e10]))!;
      expect(fit.lambda).toBeCloseTo(lambda, 2);
      expect(fit.multiplicity).toBeCloseTo(1, 1);
    }
  });

  test("its standard error is the spread of fits to estimates of that error", () => {
    const temperatures = [25, 100, 400];
    const errors = [0.05, 0.02, 0.03];
    const noise = new Float32Array(3 * 2000);
    fillNormal(rootKey("multiplicity-test"), { a: 0, b: 0 }, noise);
    const fits = Array.from(
      { length: 2000 },
      (_, run) =>
      multiplicityOf(
        temperatures.map((t, i) => ({
          t,
          lambdaHat: 2 - 1 / Math.log(t) + errors[i]! * noise[3 * run + i]!,
          lambdaSe: errors[i]!,
        })),
      )!, // prettier-ignore
    );
    const mean = fits.reduce((sum, { multiplicity }) => sum + multiplicity, 0) / fits.length;
    const variance = fits.reduce((sum, { multiplicity }) => sum + (multiplicity - mean) ** 2, 0) / (fits.length - 1);
    const { multiplicitySe } = fits[0]!;
    expect(Math.abs(mean - 2) / (multiplicitySe / Math.sqrt(2000))).toBeLessThan(3);
    // A variance of 2000 normals has the relative error sqrt(2/2000) = 3.2 %.
    expect(Math.abs(variance / multiplicitySe ** 2 - 1)).toBeLessThan(0.1);
  });

  test("is not made of fewer than three temperatures, of one above 1, or of what is not finite", () => {
    const [a, b, c] = at((t) => 1 - 1 / Math.log(t), [10, 100, 1000]) as [never, never, never];
    expect(multiplicityOf([a, b, c])).toBeDefined();
    expect(multiplicityOf([a, b])).toBeUndefined();
    expect(multiplicityOf([a, b, b])).toBeUndefined();
    expect(multiplicityOf([a, b, { t: 0.9, lambdaHat: 1, lambdaSe: 0.1 }])).toBeUndefined();
    expect(multiplicityOf([a, b, { t: 50, lambdaHat: 1, lambdaSe: Number.NaN }])).toBeUndefined();
    expect(multiplicityOf([a, b, { t: 50, lambdaHat: Number.NaN, lambdaSe: Number.NaN }])).toBeUndefined();
  });
});
