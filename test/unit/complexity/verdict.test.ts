import { describe, expect, test } from "vitest";
import { judge, leastEss, rHatLimit, type VerdictInputs } from "../../../worker/complexity/verdict.ts";

const GOOD: VerdictInputs = {
  lambdaHat: 5,
  lambdaSe: 0.1,
  rHat: 1.005,
  ess: 500,
  chains: 4,
  halvesZ: 0.5,
  varOverMean: 1.02,
  varOverMeanExpected: 1,
  ceiling: 5,
  nonFinite: 0,
};

describe("the verdict on an estimate", () => {
  test("a healthy estimate is ok, and its numbers are in the reason", () => {
    const { verdict, reason } = judge(GOOD);
    expect(verdict).toBe("ok");
    for (const number of ["1.005", "500", "0.5", "1.02"]) expect(reason).toContain(number);
  });

  test.each([
    ["diverged", { nonFinite: 3 }, "3 draws"],
    ["diverged", { lambdaHat: Number.NaN }, "not finite"],
    ["over-ceiling", { ceiling: 4.6 }, "4.6"],
    ["not-a-minimum", { lambdaHat: -0.4 }, "-0.4"],
    ["unconverged", { rHat: 1.2 }, "1.2"],
    ["unconverged", { rHat: Number.NaN }, "R-hat NaN"],
    ["unconverged", { ess: 60 }, "60"],
    ["unconverged", { halvesZ: -2.5 }, "-2.5"],
    ["biased", { varOverMean: 1.6 }, "1.6"],
    ["biased", { varOverMean: 0.4 }, "0.4"],
  ] as const)("%s when %o", (verdict, change, mention) => {
    const judged = judge({ ...GOOD, ...change });
    expect(judged.verdict).toBe(verdict);
    expect(judged.reason).toContain(mention);
  });

  test("a worse trouble hides a lesser one", () => {
    expect(judge({ ...GOOD, rHat: 2, varOverMean: 9, lambdaHat: -1, nonFinite: 1 }).verdict).toBe("diverged");
    expect(judge({ ...GOOD, rHat: 2, varOverMean: 9, lambdaHat: 50 }).verdict).toBe("over-ceiling");
    expect(judge({ ...GOOD, rHat: 2, varOverMean: 9 }).verdict).toBe("unconverged");
  });

  test("a regular model, which sits at its ceiling, is not over it by chance", () => {
    expect(judge({ ...GOOD, lambdaHat: 5.25 }).verdict).toBe("ok");
  });

  test("the R-hat limit is 1.01 with many effective draws, and what chance gives with few", () => {
    expect(rHatLimit(1e6, 4)).toBe(1.01);
    // Split chains: 8; chi2_7 has its 99 % point at 18.475.
    expect(rHatLimit(200, 4)).toBeCloseTo(Math.sqrt(1 + (8 / 200) * (18.475 / 7)), 3);
  });

  test("a small lambda needs more effective draws than a large one", () => {
    expect(leastEss(0.5)).toBeCloseTo(200);
    expect(leastEss(50)).toBe(100);
    expect(judge({ ...GOOD, lambdaHat: 0.5, lambdaSe: 0.05, ess: 150 }).verdict).toBe("unconverged");
  });

  test("directions that the prior holds lower var/mean, and are allowed for", () => {
    expect(judge({ ...GOOD, varOverMean: 0.55, varOverMeanExpected: 0.6 }).verdict).toBe("ok");
    expect(judge({ ...GOOD, varOverMean: 0.3, varOverMeanExpected: 0.6 }).verdict).toBe("biased");
  });
});
