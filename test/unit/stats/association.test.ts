import { describe, expect, it } from "vitest";
import { pearson, spearman } from "../../../src/stats/correlation.ts";
import { linearFit } from "../../../src/stats/linear-fit.ts";
import { REFERENCE } from "./reference.ts";

const { pairs } = REFERENCE;
const x = Float64Array.from(pairs.x);
const y = Float64Array.from(pairs.y);

describe("a linear fit", () => {
  it("agrees with SciPy", () => {
    const fit = linearFit(x, y);
    expect(fit.slope).toBeCloseTo(pairs.slope, 12);
    expect(fit.intercept).toBeCloseTo(pairs.intercept, 12);
    expect(fit.slopeSe).toBeCloseTo(pairs.slopeSe, 12);
    expect(fit.rSquared).toBeCloseTo(pairs.rSquared, 12);
  });

  it("is exact on a line, and has no standard error for two points", () => {
    const fit = linearFit(Float64Array.of(1, 3), Float64Array.of(5, 1));
    expect(fit).toMatchObject({ slope: -2, intercept: 7, slopeSe: Number.NaN, rSquared: 1, points: 2 });
  });

  it("is NaN for a constant x, one point, lengths that differ or a value that is not finite", () => {
    const bad: readonly (readonly [readonly number[], readonly number[]])[] = [
      [
        [2, 2, 2],
        [1, 2, 3],
      ],
      [[1], [1]],
      [
        [1, 2, 3],
        [1, 2],
      ],
      [
        [1, 2, 3],
        [1, Number.NaN, 2],
      ],
    ];
    for (const [a, b] of bad) expect(linearFit(Float64Array.from(a), Float64Array.from(b)).slope).toBeNaN();
  });
});

describe("correlation", () => {
  it("agrees with SciPy, ties included", () => {
    expect(pearson(x, y)).toBeCloseTo(pairs.pearson, 12);
    expect(spearman(x, y)).toBeCloseTo(pairs.spearman, 12);
  });

  it("of ranks is 1 for every increasing map and -1 for every decreasing one", () => {
    const values = Float64Array.of(-3, 0.1, 2, 5, 40);
    expect(spearman(values, values.map(Math.exp))).toBe(1);
    expect(
      spearman(
        values,
        values.map((v) => -(v ** 3)),
      ),
    ).toBe(-1);
  });

  it("is NaN for a constant variable, one point, lengths that differ or a value that is not finite", () => {
    const line = Float64Array.of(1, 2, 3);
    const others = [
      [2, 2, 2],
      [1, 2],
      [1, Number.NaN, 3],
      [1, Number.POSITIVE_INFINITY, 3],
    ];
    for (const other of others) {
      expect(pearson(line, Float64Array.from(other))).toBeNaN();
      expect(spearman(line, Float64Array.from(other))).toBeNaN();
    }
    expect(spearman(Float64Array.of(1), Float64Array.of(1))).toBeNaN();
  });
});
