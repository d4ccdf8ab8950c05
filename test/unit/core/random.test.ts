import { describe, expect, it } from "vitest";
import { fillIntegers, fillNormal, fillUniform, fold, permutation, philox, rootKey } from "../../../src/core/random.ts";

const at = { a: 3, b: 5 };
const DRAWS = 200_000;

describe("philox 4x32-10", () => {
  // Known answers published with Random123 (tests/kat_vectors), counter then key then output.
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("gives the published words for counter %j and key %j", (counter, key, words) => {
    const out = new Uint32Array(4);
    philox({ k0: key[0]!, k1: key[1]! }, counter[0]!, counter[1]!, counter[2]!, counter[3]!, out);
    expect([...out].map((word) => word.toString(16).padStart(8, "0")).join(" ")).toBe(words);
  });
});

describe("keyed draws", () => {
  const key = rootKey("a cell");

  it("repeat for the same key and address, and differ for another of either", () => {
    const draw = (k = key, address = at): string => {
      const out = new Float32Array(9);
      fillNormal(k, address, out);
      return out.join(" ");
    };
    expect(draw()).toBe(draw());
    expect(draw(fold(key, "init"))).not.toBe(draw());
    expect(draw(fold(key, "chain", 1))).not.toBe(draw(fold(key, "chain", 2)));
    expect(draw(key, { a: 3, b: 6 })).not.toBe(draw());
    expect(draw(key, { a: 4, b: 5 })).not.toBe(draw());
  });

  it("have the same beginning whatever the length that is asked for", () => {
    for (const fill of [fillNormal, fillUniform]) {
      const long = new Float32Array(103);
      const short = new Float32Array(42);
      fill(key, at, long);
      fill(key, at, short);
      expect([...long.subarray(0, 42)]).toEqual([...short]);
    }
  });

  it("are standard normal: the first four moments agree within five standard errors", () => {
    const draws = new Float32Array(DRAWS);
    fillNormal(key, at, draws);
    const moment = (power: number): number => draws.reduce((sum, x) => sum + x ** power, 0) / DRAWS;
    // Variances of x, x^2, x^3, x^4 under N(0, 1) are 1, 2, 15, 96.
    expect(Math.abs(moment(1) - 0)).toBeLessThan(5 * Math.sqrt(1 / DRAWS));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / DRAWS));
    expect(Math.abs(moment(3) - 0)).toBeLessThan(5 * Math.sqrt(15 / DRAWS));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / DRAWS));
  });

  it("are uniform on [0, 1): sixteen bins pass a chi-squared test at 1e-6", () => {
    const draws = new Float32Array(DRAWS);
    fillUniform(key, at, draws);
    const bins = new Array<number>(16).fill(0);
    for (const draw of draws) bins[Math.floor(draw * 16)]! += 1;
    const chiSquared = bins.reduce((sum, count) => sum + (count - DRAWS / 16) ** 2 / (DRAWS / 16), 0);
    expect(chiSquared).toBeLessThan(56.5); // 1 - 1e-6 quantile with 15 degrees of freedom
  });

  it("are integers below their bound, each as likely as the others", () => {
    const draws = new Int32Array(DRAWS);
    fillIntegers(key, at, 7, draws);
    const bins = new Array<number>(7).fill(0);
    for (const draw of draws) bins[draw]! += 1;
    expect(bins.reduce((sum, count) => sum + count, 0)).toBe(DRAWS);
    const chiSquared = bins.reduce((sum, count) => sum + (count - DRAWS / 7) ** 2 / (DRAWS / 7), 0);
    expect(chiSquared).toBeLessThan(38.3); // 1 - 1e-6 quantile with 6 degrees of freedom
  });

  it("make permutations that hold every index once", () => {
    const order = permutation(key, at, 1000);
    expect([...order].sort((left, right) => left - right)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order]).not.toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });
});
