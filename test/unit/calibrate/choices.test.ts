import { describe, expect, it } from "vitest";
import { chooseBudget } from "../../../src/calibrate/choose-budget.ts";
import { chooseGamma, flatRegion } from "../../../src/calibrate/choose-gamma.ts";
import { chooseSampler } from "../../../src/calibrate/choose-sampler.ts";
import { chooseT } from "../../../src/calibrate/choose-t.ts";
import { alike, costOf, fullGradients, type Measurement } from "../../../src/calibrate/measurement.ts";
import type { Verdict } from "../../../src/result/cell-result.ts";
import { made } from "./made-up.ts";

describe("a price of precision", () => {
  it("is SE^2 times the passes over all rows that the gradients come to", () => {
    const one = made("sampler", 0, { gradients: 4000, batch: 25, lambdaSe: 0.5 }, { rows: 200 });
    expect(fullGradients(one)).toBe(500);
    expect(costOf(one)).toBe(125);
    expect(costOf(made("sampler", 0, { lambdaSe: null }))).toBeNull();
  });

  it("is the same for a run four times as long", () => {
    const short = made("budget", 1, { gradients: 1000, lambdaSe: 0.2 });
    const long = made("budget", 4, { gradients: 4000, lambdaSe: 0.1 });
    expect(costOf(long)).toBeCloseTo(costOf(short)!, 12);
  });
});

describe("two estimates are alike", () => {
  const pair = (x: number, y: number, se: number): boolean =>
    alike(made("t", 1, { lambdaHat: x, lambdaSe: se }), made("t", 2, { lambdaHat: y, lambdaSe: se }));

  it("within 2 standard errors of their difference", () => {
    expect(pair(10, 12.8, 1)).toBe(true);
    expect(pair(10, 12.9, 1)).toBe(false);
  });

  it("within 5 % however small the errors are", () => {
    expect(pair(100, 105, 0.01)).toBe(true);
    expect(pair(100, 106, 0.01)).toBe(false);
  });

  it("never without a number", () => {
    expect(alike(made("t", 1, { lambdaHat: null }), made("t", 2, {}))).toBe(false);
  });
});

describe("the choice of t", () => {
  const at = (factor: number, varOverMean: number, verdict: Verdict = "ok"): Measurement =>
    made("t", factor, { nBeta: 100 * factor, varOverMean, verdict, essBulk: 4000 });

  it("keeps the present one where var/mean is right there", () => {
    const choice = chooseT([at(0.25, 1), at(1, 1.2), at(4, 1)]);
    expect(choice).toMatchObject({ factor: 1, isSound: true });
    expect(choice.reason).toContain("var/mean is 1.2 at t = 100");
  });

  it("goes to the nearest t that is right, the colder one of two as near", () => {
    const choice = chooseT([at(1 / 16, 1), at(0.25, 1), at(1, 1.9, "biased"), at(4, 0.95), at(16, 1)]);
    expect(choice).toMatchObject({ factor: 4, isSound: true });
    expect(choice.reason).toContain("at the present t it is 1.9 (biased)");
    expect(chooseT([at(0.25, 1), at(1, 1.9, "biased"), at(4, 1.1, "unconverged")]).factor).toBe(0.25);
  });

  it("does not move for what chance explains", () => {
    // lambda 5: 2 sqrt((2 + 6/5) / 100) = 0.36.
    const few = (varOverMean: number): Measurement => made("t", 1, { nBeta: 100, varOverMean, essBulk: 100 });
    expect(chooseT([few(0.7), at(4, 1)]).factor).toBe(1);
    expect(chooseT([few(0.6), at(4, 1)]).factor).toBe(4);
  });

  it("takes an ok verdict whose var/mean the pull lowers where no other is to be had", () => {
    const choice = chooseT([at(1, 0.5), at(4, 0.6), at(16, 2, "biased")]);
    expect(choice).toMatchObject({ factor: 1, isSound: true });
    expect(choice.reason).toContain("nowhere is var/mean within 0.8 to 1.25 or chance");
  });

  it("keeps the present one and says that it is not sound where no verdict is ok", () => {
    const choice = chooseT([at(0.25, 1, "unconverged"), at(1, 1, "not-a-minimum")]);
    expect(choice).toMatchObject({ factor: 1, isSound: false });
    expect(choice.reason).toContain("x 0.25 unconverged, x 1 not-a-minimum");
  });
});

describe("the choice of gamma", () => {
  const factors = [0.01, 0.1, 1, 10, 100];
  const over = (lambdas: readonly number[], se = 0.1, verdicts: readonly Verdict[] = []): readonly Measurement[] =>
    lambdas.map((lambdaHat, i) =>
      made("gamma", factors[i]!, { lambdaHat, lambdaSe: se, gamma: factors[i]!, verdict: verdicts[i] ?? "ok" }),
    );
  const span = (region: readonly Measurement[]): readonly number[] => region.map(({ factor }) => factor);

  it("is inside of the widest range that is flat", () => {
    const measurements = over([10, 10.1, 9.9, 7, 3]);
    expect(span(flatRegion(measurements))).toEqual([0.01, 0.1, 1]);
    expect(chooseGamma(measurements)).toMatchObject({ factor: 0.1, isSound: true });
  });

  it("is as near to the present one as the range's inside lets it", () => {
    expect(chooseGamma(over([10, 10, 10, 10, 10])).factor).toBe(1);
    expect(chooseGamma(over([5, 7, 10, 10, 10])).factor).toBe(10);
  });

  it("looks at every pair: a slow slope is not flat because its neighbours are alike", () => {
    // 4 % a step: neighbours agree, the ends do not.
    expect(span(flatRegion(over([100, 96, 92, 88, 84], 0.01)))).toHaveLength(2);
  });

  it("does not cross an estimate that is not to be trusted", () => {
    const verdicts = ["ok", "ok", "unconverged", "ok", "ok"] as const;
    expect(span(flatRegion(over([10, 10, 10, 10, 10], 0.1, verdicts)))).toHaveLength(2);
  });

  it("of two ranges as wide takes that about the present gamma, in whatever order they come", () => {
    const measurements = over([20, 20, 10, 10, 5]);
    expect(span(flatRegion(measurements.toReversed()))).toEqual([1, 10]);
  });

  it("says that lambda-hat and gamma belong together where nothing is flat", () => {
    const choice = chooseGamma(over([20, 16, 12, 8, 4], 0.01));
    expect(choice).toMatchObject({ factor: 1, isSound: false });
    expect(choice.reason).toContain("only together with its gamma");
    const none = over(
      [1, 1, 1, 1, 1],
      0.1,
      Array.from({ length: 5 }, () => "unconverged" as const),
    );
    expect(chooseGamma(none)).toMatchObject({ factor: 1, isSound: false });
  });
});

describe("the choice of a budget", () => {
  const of = (factor: number, lambdaHat: number, lambdaSe: number, verdict: Verdict = "ok"): Measurement =>
    made("budget", factor, { lambdaHat, lambdaSe, verdict }, { config: { budget: 1000 * factor } });

  it("is the smallest that converges within the tolerance", () => {
    const measurements = [of(0.25, 9, 2, "unconverged"), of(0.5, 10, 1.2), of(1, 10, 0.9), of(2, 10, 0.6)];
    expect(chooseBudget(measurements, 0.1)).toMatchObject({ factor: 1, isSound: true });
    expect(chooseBudget(measurements, 0.2)).toMatchObject({ factor: 0.5, isSound: true });
  });

  it("is not one that the longest trusted run disagrees with: chains that agree too early", () => {
    const measurements = [of(0.5, 6, 0.3), of(1, 9.8, 0.3), of(2, 10, 0.3)];
    expect(chooseBudget(measurements, 0.1).factor).toBe(1);
  });

  it("is what the error asks for where none is enough, and says that it was not tried", () => {
    // SE 20 % at 4 x: 10 % takes 4 times as many.
    const choice = chooseBudget([of(1, 10, 4), of(4, 10, 2)], 0.1);
    expect(choice).toMatchObject({ factor: 16, isSound: false });
    expect(choice.reason).toContain("not tried");
  });

  it("stays at the longest where that did not converge", () => {
    const choice = chooseBudget([of(1, 10, 4, "unconverged"), of(4, 10, 2, "unconverged")], 0.1);
    expect(choice).toMatchObject({ factor: 4, isSound: false });
    expect(choice.reason).toContain("unconverged");
  });
});

describe("the choice of a sampler", () => {
  const tier = (name: "A" | "B", lambdaSe: number, verdict: Verdict = "ok"): Measurement =>
    made("sampler", name === "A" ? 0 : 1, { lambdaSe, verdict }, { label: `tier ${name}` });
  const sgld = made("sampler", 2, { lambdaSe: 0.001 }, { label: "sgld", config: { sampler: "sgld" } });

  it("stays with the present tier unless the other is clearly cheaper", () => {
    expect(chooseSampler([tier("A", 0.1), tier("B", 0.08), sgld], "A", "auto").tier).toBe("auto");
    expect(chooseSampler([tier("A", 0.1), tier("B", 0.05), sgld], "A", "auto").tier).toBe("B");
    expect(chooseSampler([tier("A", 0.05), tier("B", 0.1), sgld], "B", "B").tier).toBe("A");
  });

  it("never goes to one that is not to be trusted, nor to one of the literature", () => {
    expect(chooseSampler([tier("A", 0.1), tier("B", 0.01, "biased"), sgld], "A", "auto").tier).toBe("auto");
    expect(chooseSampler([tier("A", 0.1, "unconverged"), tier("B", 1)], "A", "auto").tier).toBe("B");
    expect(chooseSampler([tier("A", 0.1, "biased"), sgld], "A", "auto")).toMatchObject({
      tier: "auto",
      isSound: false,
    });
  });

  it("tells the price of each with its verdict", () => {
    const { reason } = chooseSampler([tier("A", 0.1), tier("B", 0.08, "biased"), sgld], "A", "auto");
    for (const part of ["tier A 1 (ok)", "tier B 0.64 (biased)", "sgld 0.0001 (ok)"]) expect(reason).toContain(part);
  });
});
