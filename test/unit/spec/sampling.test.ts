import { describe, expect, test } from "vitest";
import { NO_ESTIMATE } from "../../../src/spec/estimate-section.ts";
import { curveOf, samplingOf } from "../../../src/spec/sampling.ts";
import { ESTIMATE, SGLD_ESTIMATE } from "../../support/tiny-cells.ts";

describe("how an estimate is sampled", () => {
  test.each([
    [4096, 1_000_000, "adjusted"],
    [4097, 1_000_000, "corrected"],
    [4096, 1_000_001, "corrected"],
  ] as const)("of %i rows and %i parameters by itself", (rows, parameters, kind) => {
    expect(samplingOf(ESTIMATE, rows, parameters).kind).toBe(kind);
  });

  test("by the tier that is asked for, whatever the shapes", () => {
    expect(samplingOf({ ...ESTIMATE, tier: "B" }, 10, 10).kind).toBe("corrected");
    expect(samplingOf({ ...ESTIMATE, tier: "A" }, 1e6, 1e8).kind).toBe("adjusted");
    expect(samplingOf(SGLD_ESTIMATE, 10, 10).kind).toBe("classical");
  });

  test("tier A takes a fixed subset: all rows up to 4,096, or as many as asked, and its whole budget at the most", () => {
    const rowsOf = (subset: number, rows: number): number =>
      samplingOf({ ...ESTIMATE, tier: "A", subset }, rows, 10).rows;
    expect([rowsOf(0, 1000), rowsOf(0, 60_000), rowsOf(500, 60_000), rowsOf(500, 300)]).toEqual([1000, 4096, 500, 300]);
    expect(samplingOf(ESTIMATE, 100, 10)).toMatchObject({ gradients: ESTIMATE.budget, posteriors: 1, surfaces: 1 });
  });

  test("tier B spends 40 % on the warm-up and three gradients a draw on the rest", () => {
    const sampling = samplingOf({ ...ESTIMATE, tier: "B", budget: 2500, batch: 128 }, 60_000, 10);
    expect(sampling).toMatchObject({ rows: 128, warmUp: 1000, draws: 500, thin: 1, gradients: 2500 });
    expect(sampling.warmUp + 3 * sampling.draws).toBeLessThanOrEqual(2500);
    expect(samplingOf({ ...ESTIMATE, tier: "B", budget: 20 }, 100, 10).draws).toBe(4);
    expect(samplingOf({ ...ESTIMATE, tier: "B", batch: 128 }, 100, 10).rows).toBe(100);
  });

  test("samplers of the literature take the steps that they are given", () => {
    const given = { ...SGLD_ESTIMATE, draws: 30, burnIn: 7, thin: 3, batch: 0 };
    expect(samplingOf(given, 500, 10)).toMatchObject({ rows: 500, warmUp: 7, draws: 30, thin: 3, gradients: 97 });
  });

  test("both estimands are two surfaces", () => {
    expect(samplingOf({ ...ESTIMATE, estimand: "both" }, 100, 10).surfaces).toBe(2);
  });
});

describe("the points of curves", () => {
  test("are the estimate first, then each factor but 1 once for its axis", () => {
    const config = { ...ESTIMATE, curveNBeta: "0.25 1 4", curveGamma: "0.1 1 10" };
    expect(curveOf(config)).toEqual([
      { t: 1, gamma: 1 },
      { t: 0.25, gamma: 1 },
      { t: 4, gamma: 1 },
      { t: 1, gamma: 0.1 },
      { t: 1, gamma: 10 },
    ]);
    expect(samplingOf(config, 100, 10).posteriors).toBe(5);
  });

  test("are the estimate alone without curves", () => {
    for (const config of [ESTIMATE, SGLD_ESTIMATE, NO_ESTIMATE]) expect(curveOf(config)).toEqual([{ t: 1, gamma: 1 }]);
  });
});
