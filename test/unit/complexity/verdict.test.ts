import { describe, expect, test } from "vitest";
import { VERDICTS } from "../../../src/result/cell-result.ts";
import {
  convergenceDoubts,
  judge,
  leastEss,
  rHatLimit,
  type VerdictInputs,
} from "../../../worker/complexity/verdict.ts";

/** As of a fixed subset, whose x is exact and whose proposals may be refused. */
const GOOD: VerdictInputs = {
  lambdaHat: 5,
  lambdaSe: 0.1,
  rHat: 1.005,
  ess: 500,
  essBulk: 500,
  chains: 4,
  tolerance: 0.1,
  halvesZ: 0.5,
  varOverMean: 1.02,
  varOverMeanExpected: 1,
  ceiling: 5,
  dimension: 10,
  nonFinite: 0,
  proposals: 1000,
  refuses: true,
  lowest: 0,
  descent: 0,
  virial: 1,
  virialSe: 0.005,
  stepBias: Number.NaN,
  stepBiasZ: Number.NaN,
};

/** What alone is wrong of each bad verdict. */
const TROUBLES: Readonly<Record<Exclude<(typeof VERDICTS)[number], "ok">, Partial<VerdictInputs>>> = {
  diverged: { nonFinite: 501 },
  "over-ceiling": { ceiling: 4.6 },
  "not-a-minimum": { lowest: -1 },
  unconverged: { rHat: 1.2 },
  biased: { varOverMean: 1.6 },
};

describe("the verdict on an estimate", () => {
  test("a healthy estimate is ok, and its numbers are in the reason", () => {
    const { verdict, reason } = judge(GOOD);
    expect(verdict).toBe("ok");
    for (const number of ["1.005", "500", "0.5", "1.02"]) expect(reason).toContain(number);
  });

  test.each([
    ["diverged", { nonFinite: 501 }, "501 of 1000 proposals"],
    ["diverged", { nonFinite: 3, refuses: false }, "3 draws"],
    ["diverged", { lambdaHat: Number.NaN }, "no draw is finite"],
    ["diverged", { lambdaHat: 251, ceiling: 5000 }, "beyond 250"],
    ["over-ceiling", { ceiling: 4.6 }, "4.6"],
    ["not-a-minimum", { lambdaHat: -0.4 }, "-0.4"],
    ["not-a-minimum", { lowest: -0.6 }, "by 0.6"],
    ["not-a-minimum", { descent: 1.3 }, "1.3"],
    ["unconverged", { rHat: 1.2 }, "1.2"],
    ["unconverged", { rHat: Number.NaN }, "R-hat NaN"],
    ["unconverged", { ess: 60 }, "60"],
    ["unconverged", { tolerance: 0.01 }, "below 2000"],
    ["unconverged", { halvesZ: -2.5 }, "-2.5"],
    ["unconverged", { halvesZ: Number.NaN }, "NaN standard errors"],
    ["biased", { varOverMean: 1.6 }, "1.6"],
    ["biased", { varOverMean: 0.4 }, "0.4"],
    ["biased", { virial: 1.05 }, "virial 1.05"],
    ["biased", { stepBias: 0.2, stepBiasZ: 4 }, "differ by 0.2"],
    ["biased", { varOverMean: 0.15, varOverMeanExpected: 0.15 }, "the pull gamma"],
  ] as const)("%s when %o", (verdict, change, mention) => {
    const judged = judge({ ...GOOD, ...change });
    expect(judged.verdict).toBe(verdict);
    expect(judged.reason).toContain(mention);
  });

  test.each([
    ["refused proposals, up to a half", { nonFinite: 499 }],
    ["a loss seen below w0's by less than a tenth", { lowest: -0.4 }],
    ["a promise of less than a quarter", { descent: 1.2 }],
    ["x on minibatches, where no lowest is known", { lowest: Number.NaN }],
    ["a virial within its error", { virial: 1.025 }],
    ["no virial", { virial: Number.NaN, virialSe: Number.NaN }],
    ["a step's bias that chance explains", { stepBias: 0.2, stepBiasZ: 2 }],
    ["a step's bias that is sure, and small", { stepBias: 0.05, stepBiasZ: 9 }],
    ["a regular model at its ceiling, above it by chance", { lambdaHat: 5.25 }],
  ] as const)("%s is no trouble", (_, change) => {
    expect(judge({ ...GOOD, ...change }).verdict).toBe("ok");
  });

  test("a worse trouble hides a lesser one, in the order diverged, over-ceiling, not-a-minimum, unconverged, biased", () => {
    const order = ["diverged", "over-ceiling", "not-a-minimum", "unconverged", "biased"] as const;
    expect([...order, "ok"].toSorted()).toEqual([...VERDICTS].toSorted());
    for (const [i, worst] of order.entries()) {
      const inputs = order.slice(i).reduce((all, verdict) => ({ ...all, ...TROUBLES[verdict] }), GOOD);
      expect(judge(inputs).verdict).toBe(worst);
    }
  });

  test("an ok says how much of gamma's room was filled, where that is surely less than all", () => {
    expect(judge({ ...GOOD, virial: 0.25 })).toMatchObject({ verdict: "ok" });
    expect(judge({ ...GOOD, virial: 0.25 }).reason).toContain("fill 0.25 of the room");
    for (const virial of [1, 0.895, Number.NaN]) expect(judge({ ...GOOD, virial }).reason).not.toContain("room");
  });

  test("every doubt of the last kind is in the reason", () => {
    const { reason } = judge({ ...GOOD, rHat: 2, ess: 20, halvesZ: 5 });
    for (const part of ["R-hat 2", "ESS 20", "by 5 standard errors"]) expect(reason).toContain(part);
  });

  test("the R-hat limit is 1.01 with many effective draws, and what chance gives with few", () => {
    expect(rHatLimit(1e6, 4)).toBe(1.01);
    // Split chains: 8; chi2_7 has its 99 % point at 18.475.
    expect(rHatLimit(200, 4)).toBeCloseTo(Math.sqrt(1 + (8 / 200) * (18.475 / 7)), 3);
  });

  test("a small lambda needs more effective draws than a large one, a tenth of the tolerance a hundred times as many", () => {
    expect(leastEss(0.5, 0.1)).toBeCloseTo(200);
    expect(leastEss(0.5, 0.01)).toBeCloseTo(20_000);
    expect(leastEss(50, 0.1)).toBe(100);
    expect(judge({ ...GOOD, lambdaHat: 0.5, lambdaSe: 0.05, ess: 150 }).verdict).toBe("unconverged");
  });

  test("chains may end where nothing speaks against convergence, and only there", () => {
    expect(convergenceDoubts(GOOD)).toEqual([]);
    for (const change of [
      { rHat: 1.2 },
      { ess: 60 },
      { halvesZ: 3 },
      { rHat: Number.NaN },
      { lambdaHat: -1, ess: 50 },
    ]) {
      expect(convergenceDoubts({ ...GOOD, ...change }).length).toBe(1);
    }
  });

  test("directions that the prior holds lower var/mean, and are allowed for", () => {
    expect(judge({ ...GOOD, varOverMean: 0.55, varOverMeanExpected: 0.6 }).verdict).toBe("ok");
    expect(judge({ ...GOOD, varOverMean: 0.3, varOverMeanExpected: 0.6 }).verdict).toBe("biased");
  });

  test("few draws say little of var/mean: two standard errors are granted", () => {
    // sqrt((2 + 6/5)/32) = 0.316
    expect(judge({ ...GOOD, varOverMean: 1.6, essBulk: 32 }).verdict).toBe("ok");
    expect(judge({ ...GOOD, varOverMean: 1.65, essBulk: 32 }).verdict).toBe("biased");
  });
});
