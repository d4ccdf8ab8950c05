import { describe, expect, it } from "vitest";
import { normalCdf, normalQuantile } from "../../../src/stats/normal.ts";
import { REFERENCE } from "./reference.ts";

describe("the normal distribution", () => {
  it("has the probabilities of mpmath to 14 digits, also far out in the lower tail", () => {
    for (const [z, p] of REFERENCE.normalCdf) expect(Math.abs(normalCdf(z) / p - 1)).toBeLessThan(1e-14);
  });

  it("has the quantiles of SciPy to 14 digits", () => {
    for (const [p, z] of REFERENCE.normalQuantile) {
      expect(Math.abs(normalQuantile(p) - z)).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(z)));
    }
  });

  it("is symmetric, and the quantile inverts the probability", () => {
    for (let z = -6; z <= 6; z += 0.37) {
      expect(normalCdf(z) + normalCdf(-z)).toBeCloseTo(1, 15);
      expect(normalQuantile(normalCdf(-Math.abs(z)))).toBeCloseTo(-Math.abs(z), 14);
    }
  });

  it("is defined at its ends, and NaN outside", () => {
    expect(normalCdf(Number.NEGATIVE_INFINITY)).toBe(0);
    expect(normalCdf(Number.POSITIVE_INFINITY)).toBe(1);
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    for (const p of [-0.1, 1.1, Number.NaN]) expect(normalQuantile(p)).toBeNaN();
    expect(normalCdf(Number.NaN)).toBeNaN();
  });
});
