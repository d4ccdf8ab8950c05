import { describe, expect, it } from "vitest";
import { mean, standardDeviation, standardError, variance } from "../../../src/stats/moments.ts";
import { median, quantile } from "../../../src/stats/quantile.ts";
import { averageRanks } from "../../../src/stats/ranks.ts";
import { REFERENCE } from "./reference.ts";

const sample = Float64Array.from(REFERENCE.pairs.x);

describe("moments", () => {
  it("are those of 2, 4, 4, 4, 5, 5, 7, 9", () => {
    const values = Float64Array.of(2, 4, 4, 4, 5, 5, 7, 9);
    expect(mean(values)).toBe(5);
    expect(variance(values)).toBe(32 / 7);
    expect(standardDeviation(values)).toBe(Math.sqrt(32 / 7));
    expect(standardError(values)).toBe(Math.sqrt(32 / 7 / 8));
  });

  it("agree with NumPy", () => {
    expect(variance(sample)).toBeCloseTo(REFERENCE.pairs.variance, 14);
  });

  it("keep their digits far from zero", () => {
    expect(variance(Float64Array.of(1e9 + 1, 1e9 + 2, 1e9 + 3))).toBe(1);
  });

  it("are NaN where they are not defined", () => {
    expect(mean(new Float64Array(0))).toBeNaN();
    expect(variance(Float64Array.of(1))).toBeNaN();
    expect(mean(Float64Array.of(1, Number.POSITIVE_INFINITY))).toBeNaN();
    expect(variance(Float64Array.of(1, Number.POSITIVE_INFINITY))).toBeNaN();
    expect(variance(Float64Array.of(1, Number.NaN, 2))).toBeNaN();
  });
});

describe("a quantile", () => {
  it("agrees with NumPy", () => {
    for (const [p, value] of REFERENCE.pairs.quantiles) expect(quantile(sample, p)).toBeCloseTo(value, 12);
  });

  it("interpolates between order statistics and leaves its argument as it is", () => {
    const values = Float64Array.of(4, 1, 3, 2);
    expect(median(values)).toBe(2.5);
    expect(quantile(values, 0.1)).toBeCloseTo(1.3, 12);
    expect([...values]).toEqual([4, 1, 3, 2]);
  });

  it("may be infinite, and is NaN for no values, any NaN, or a share outside of [0, 1]", () => {
    const withInfinity = Float64Array.of(1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect(quantile(withInfinity, 0.75)).toBe(Number.POSITIVE_INFINITY);
    expect(quantile(new Float64Array(0), 0.5)).toBeNaN();
    expect(quantile(Float64Array.of(1, Number.NaN), 0)).toBeNaN();
    expect(quantile(sample, 1.1)).toBeNaN();
    expect(quantile(sample, Number.NaN)).toBeNaN();
  });
});

describe("ranks", () => {
  it("are shared by equal values", () => {
    expect([...averageRanks(Float64Array.of(10, 20, 10, 5, 10))]).toEqual([3, 5, 3, 1, 3]);
  });
});
