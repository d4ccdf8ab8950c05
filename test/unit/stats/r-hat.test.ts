import { describe, expect, it, test } from "vitest";
import { rankNormalisedSplitRHat, splitRHat } from "../../../src/stats/r-hat.ts";
import { independentChain, shifted } from "./drawn-chains.ts";
import { chainsOf, REFERENCE } from "./reference.ts";

describe("R-hat", () => {
  test.each(REFERENCE.chains)("agrees with ArviZ for $name", ({ chains, rHat, splitRHat: split }) => {
    expect(rankNormalisedSplitRHat(chainsOf(chains))).toBeCloseTo(rHat, 9);
    expect(splitRHat(chainsOf(chains))).toBeCloseTo(split, 9);
  });

  it("is 1 for independent draws of one distribution", () => {
    const chains = [0, 1, 2, 3].map((c) => independentChain(`chain ${c}`, 4000));
    expect(Math.abs(rankNormalisedSplitRHat(chains) - 1)).toBeLessThan(0.002);
  });

  it("is sqrt(1 + B/W) for chains that are far apart", () => {
    const chain = independentChain("chain", 2000);
    // Split means -d, -d, d, d: variance 4 d^2 / 3.
    const chains = [shifted(chain, -5), shifted(chain, 5)];
    expect(splitRHat(chains)).toBeCloseTo(Math.sqrt(1 + (4 / 3) * 25), 0);
    expect(rankNormalisedSplitRHat(chains)).toBeGreaterThan(1.5);
  });

  it("sees by folding what the means hide: one chain with a larger spread", () => {
    const chains = [0, 1, 2, 3].map((c) => independentChain(`chain ${c}`, 1000).map((x) => (c === 3 ? 3 * x : x)));
    expect(splitRHat(chains)).toBeLessThan(1.01);
    expect(rankNormalisedSplitRHat(chains)).toBeGreaterThan(1.05);
  });

  it("sees a trend within one single chain", () => {
    const chain = independentChain("chain", 400).map((x, t) => x + t / 100);
    expect(rankNormalisedSplitRHat([chain])).toBeGreaterThan(1.2);
  });

  it("does not change under a monotone map of the draws, but for the folded part", () => {
    const chains = [0, 1].map((c) => shifted(independentChain(`chain ${c}`, 300), c));
    const cubes = chains.map((chain) => chain.map((x) => x ** 3));
    expect(rankNormalisedSplitRHat(cubes)).toBeCloseTo(rankNormalisedSplitRHat(chains), 10);
  });

  const constant = new Float64Array(50).fill(3);
  test.each([
    ["no chain", []],
    ["chains without draws", [new Float64Array(0)]],
    ["three draws", [Float64Array.of(1, 2, 3)]],
    ["chains of different lengths", [independentChain("a", 10), independentChain("b", 11)]],
    ["a draw that is NaN", [independentChain("a", 50), constant.with(7, Number.NaN)]],
    ["a draw that is infinite", [independentChain("a", 50), constant.with(7, Number.POSITIVE_INFINITY)]],
    ["draws that are all equal", [constant, constant]],
  ])("is NaN for %s", (_, chains) => {
    expect(rankNormalisedSplitRHat(chains)).toBeNaN();
    expect(splitRHat(chains)).toBeNaN();
  });

  it("is infinite when every chain stands still at a place of its own", () => {
    expect(splitRHat([constant, shifted(constant, 1)])).toBe(Number.POSITIVE_INFINITY);
  });
});
