import { describe, expect, it, test } from "vitest";
import { fitAutoregression, spectrumAtZero } from "../../../src/stats/autoregression.ts";
import { gewekeZ, gewekeZOfChain } from "../../../src/stats/geweke.ts";
import { mean, standardError } from "../../../src/stats/moments.ts";
import { autoregressiveChain, independentChain } from "./drawn-chains.ts";
import { chainsOf, REFERENCE } from "./reference.ts";

describe("Geweke's z", () => {
  const judged = REFERENCE.chains.filter(({ geweke }) => geweke !== null);
  test.each(judged)("agrees with Yule-Walker equations solved by SciPy for $name", ({ chains, geweke }) => {
    const z = chainsOf(chains).map(gewekeZOfChain);
    z.forEach((value, c) => expect(value).toBeCloseTo(geweke![c]!, 8));
    expect(gewekeZ(chainsOf(chains))).toBe(Math.max(...z.map(Math.abs)));
  });

  test.each([0, 0.5, 0.8])("has variance 1 over stationary AR(1) chains with rho = %f", (rho) => {
    const squares = Float64Array.from({ length: 200 }, (_, i) => {
      return gewekeZOfChain(autoregressiveChain(`${rho}/${i}`, 2000, rho)) ** 2;
    });
    // A tenth of the chain is 200 draws: the spectrum is known to about 10 %.
    expect(Math.abs(mean(squares) - 1)).toBeLessThan(3 * standardError(squares) + 0.1);
  });

  it("is large for a chain that has not left its start", () => {
    const chain = independentChain("start", 1000).map((x, t) => x + 5 * Math.exp(-t / 100));
    expect(gewekeZ([independentChain("other", 1000), chain])).toBeGreaterThan(5);
  });

  test.each([
    ["fewer than 40 draws", [independentChain("a", 39)]],
    ["a constant chain", [new Float64Array(100).fill(2)]],
    ["a draw that is not finite", [independentChain("a", 100).with(60, Number.POSITIVE_INFINITY)]],
    ["one bad chain among good ones", [independentChain("a", 100), new Float64Array(100)]],
    ["no chain", []],
  ])("is NaN for %s", (_, chains) => {
    expect(gewekeZ(chains)).toBeNaN();
  });
});

describe("an autoregression", () => {
  it("finds the coefficients of an AR(2) chain", () => {
    const chain = independentChain("two", 50_000);
    for (let t = 2; t < chain.length; t += 1) chain[t] = 0.5 * chain[t - 1]! - 0.3 * chain[t - 2]! + 2 * chain[t]!;
    const model = fitAutoregression(chain);
    // The standard error of a coefficient is below 1 / sqrt(n) = 0.0045.
    expect(Math.abs(model.coefficients[0]! - 0.5)).toBeLessThan(3 * 0.0045);
    expect(Math.abs(model.coefficients[1]! + 0.3)).toBeLessThan(3 * 0.0045);
    expect(Math.abs(model.innovationVariance - 4)).toBeLessThan(3 * 4 * Math.sqrt(2 / chain.length));
    // S(0) = 4 / (1 - 0.5 + 0.3)^2.
    expect(spectrumAtZero(model) / 6.25).toBeCloseTo(1, 1);
  });

  it("has order 0 and the variance of the draws when draws are independent", () => {
    const readings = Float64Array.from({ length: 50 }, (_, i) => {
      return spectrumAtZero(fitAutoregression(independentChain(`independent ${i}`, 1000)));
    });
    expect(Math.abs(mean(readings) - 1)).toBeLessThan(3 * standardError(readings) + 0.02);
  });
});
