import { describe, expect, it, test } from "vitest";
import { ess, essBulk, essTail, mcseMean } from "../../../src/stats/ess.ts";
import { mean, standardError } from "../../../src/stats/moments.ts";
import { autoregressiveChain, independentChain } from "./drawn-chains.ts";
import { chainsOf, REFERENCE } from "./reference.ts";

describe("effective sample size", () => {
  test.each(REFERENCE.chains)("agrees with ArviZ for $name", (reference) => {
    const chains = chainsOf(reference.chains);
    expect(ess(chains) / reference.ess).toBeCloseTo(1, 9);
    expect(essBulk(chains) / reference.essBulk).toBeCloseTo(1, 9);
    expect(essTail(chains) / reference.essTail).toBeCloseTo(1, 9);
    expect(mcseMean(chains) / reference.mcse).toBeCloseTo(1, 9);
  });

  test.each([-0.5, 0, 0.5, 0.9])("is n (1 - rho)/(1 + rho) for an AR(1) chain with rho = %f", (rho) => {
    const draws = 4000;
    const readings = Float64Array.from({ length: 24 }, (_, i) => {
      const chains = [0, 1, 2, 3].map((c) => autoregressiveChain(`${rho}/${i}/${c}`, draws, rho));
      return ess(chains) / (4 * draws);
    });
    const truth = (1 - rho) / (1 + rho);
    expect(Math.abs(mean(readings) - truth)).toBeLessThan(3 * standardError(readings) + 0.01 * truth);
  });

  it("makes the standard error of a mean honest: z-scores of many means have variance 1", () => {
    const runs = 400;
    const squares = Float64Array.from({ length: runs }, (_, i) => {
      const chains = [0, 1].map((c) => autoregressiveChain(`run ${i}/${c}`, 400, 0.7));
      const average = (mean(chains[0]!) + mean(chains[1]!)) / 2;
      return (average / mcseMean(chains)) ** 2;
    });
    expect(Math.abs(mean(squares) - 1)).toBeLessThan(3 * standardError(squares));
  });

  it("is small where chains disagree, however many draws they have", () => {
    const chains = [0, 1, 2, 3].map((c) => independentChain(`chain ${c}`, 2000).map((x) => x + 4 * c));
    expect(essBulk(chains)).toBeLessThan(10);
  });

  it("is lower in the tails when a chain visits them in rare long stretches", () => {
    const chains = [0, 1, 2, 3].map((c) =>
      independentChain(`chain ${c}`, 1000).map((x, t) => (t >= 450 && t < 480 ? x + 6 : x)),
    );
    expect(essTail(chains)).toBeLessThan(essBulk(chains) / 2);
  });

  const constant = new Float64Array(50).fill(3);
  test.each([
    ["no chain", []],
    ["three draws", [Float64Array.of(1, 2, 3)]],
    ["a draw that is NaN", [independentChain("a", 50), constant.with(7, Number.NaN)]],
    ["draws that are all equal", [constant, constant]],
  ])("is NaN for %s", (_, chains) => {
    expect(ess(chains)).toBeNaN();
    expect(essBulk(chains)).toBeNaN();
    expect(essTail(chains)).toBeNaN();
    expect(mcseMean(chains)).toBeNaN();
  });

  it("is NaN in the tail when the largest draw is so common that no tail is left", () => {
    const mostlyOnes = Float64Array.from({ length: 100 }, (_, i) => (i % 4 === 0 ? 0 : 1));
    expect(ess([mostlyOnes])).toBeGreaterThan(0);
    expect(essTail([mostlyOnes])).toBeNaN();
  });
});
