import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  deepLinear,
  localDeepLinear,
  rankArrayLambda,
  rankArrayOfLayers,
  type RankArray,
} from "../../../src/oracle/deep-linear.ts";
import { canonicalRankArray } from "../../../src/oracle/rank-array.ts";
import { reducedRank } from "../../../src/oracle/reduced-rank.ts";
import { codimension, eachRankArray, isAbove } from "./interval-decompositions.ts";

const TABLE: readonly (readonly [widths: readonly number[], rank: number, lambda: number, multiplicity: number])[] = [
  [[2, 2, 2], 0, 1.5, 1],
  [[2, 2, 3], 0, 2, 2],
  [[5, 3, 5], 0, 6.5, 2],
  [[8, 3, 4], 0, 6, 1],
  [[6, 4, 5], 2, 12, 2],
  [[10, 10, 10], 5, 47, 2],
  [[1, 1, 1, 1], 0, 0.5, 3],
  [[2, 2, 2, 2], 0, 1.5, 3],
  [[3, 3, 3, 3], 0, 3, 1],
  [[10, 8, 6, 8, 10], 3, 32, 2],
  [[50, 50, 50, 50, 50, 50], 10, 930, 1],
  [[784, 100, 100, 10], 10, 3920, 1],
];

/** Widths of a network and a rank that fits. */
const architecture = (layers: number, width: number) =>
  fc
    .array(fc.integer({ min: 1, max: width }), { minLength: 2, maxLength: layers + 1, size: "max" })
    .chain((widths) => fc.record({ widths: fc.constant(widths), rank: fc.nat(Math.min(...widths)) }));

describe("the global coefficient of a deep linear network", () => {
  test.each(TABLE)("of widths %j and rank %i is %f, multiplicity %i", (widths, rank, lambda, multiplicity) => {
    expect(deepLinear(widths, rank)).toEqual({ lambda, multiplicity });
    expect(rankArrayLambda(widths, rank)).toBe(lambda);
  });

  it("is the same by Aoyagi's formula and by minimising over rank arrays: local = global at canonical weights", () => {
    fc.assert(
      fc.property(architecture(10, 100), ({ widths, rank }) => {
        const { lambda } = deepLinear(widths, rank);
        expect(rankArrayLambda(widths, rank)).toBe(lambda);
        expect(localDeepLinear(canonicalRankArray(widths, rank))).toBe(lambda);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it("does not change when widths are reordered with their outer two fixed", () => {
    fc.assert(
      fc.property(architecture(6, 12), ({ widths, rank }) => {
        const inner = widths.slice(1, -1).reverse();
        const turned = [widths[0]!, ...inner, widths.at(-1)!];
        expect(rankArrayLambda(turned, rank)).toBe(rankArrayLambda(widths, rank));
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  it("is the reduced-rank formula for two layers", () => {
    for (let inputs = 1; inputs <= 9; inputs += 1) {
      for (let hidden = 1; hidden <= 9; hidden += 1) {
        for (let outputs = 1; outputs <= 9; outputs += 1) {
          for (let rank = 0; rank <= Math.min(inputs, hidden, outputs); rank += 1) {
            expect(reducedRank(inputs, hidden, outputs, rank)).toEqual(deepLinear([inputs, hidden, outputs], rank));
          }
        }
      }
    }
  });

  it("is half the entries of a single layer, whatever its rank", () => {
    expect(deepLinear([7, 4], 3)).toEqual({ lambda: 14, multiplicity: 1 });
    expect(rankArrayLambda([7, 4], 3)).toBe(14);
  });

  it("refuses a rank that does not fit", () => {
    expect(() => deepLinear([4, 2, 4], 3)).toThrow("no product of widths 4-2-4 has rank 3");
    expect(() => deepLinear([4], 0)).toThrow("at least two");
  });
});

describe("the local coefficient", () => {
  /** All widths 1 .. `widest` of this many nodes. */
  const widthsOf = (nodes: number, widest: number): readonly (readonly number[])[] =>
    Array.from({ length: widest ** nodes }, (_, code) =>
      Array.from({ length: nodes }, (_, i) => (Math.floor(code / widest ** i) % widest) + 1),
    );

  test.each([
    [2, 4, 700],
    [3, 3, 2000],
    [4, 2, 600],
    [5, 2, 2500],
  ])(
    "of %i layers of widths up to %i is the brute-force minimum, at every class of weights",
    (layers, widest, least) => {
      let points = 0;
      for (const widths of widthsOf(layers + 1, widest)) {
        const arrays: RankArray[] = [];
        eachRankArray(widths, (array) => arrays.push(array));
        for (const point of arrays) {
          const rank = point[0]![layers]!;
          const above = arrays.filter((array) => array[0]![layers] === rank && isAbove(array, point));
          const codim = Math.min(...above.map(codimension));
          expect(localDeepLinear(point)).toBe((rank * (widths[0]! + widths[layers]! - rank) + codim) / 2);
        }
        points += arrays.length;
      }
      expect(points).toBeGreaterThan(least);
    },
  );

  it("of two layers is what elimination leaves: a regular part and a smaller network at zero", () => {
    // At A of rank a and B of rank b with B A = 0, K is aN + bM - ab squares of coordinates and the network
    // (M - a, H - a - b, N - b) at 0.
    for (const [inputs, hidden, outputs, a, b] of [
      [5, 6, 4, 2, 1],
      [6, 4, 6, 1, 2],
      [8, 5, 3, 0, 2],
      [4, 7, 4, 3, 3],
    ] as const) {
      const point: RankArray = [
        [inputs, a, 0],
        [0, hidden, b],
        [0, 0, outputs],
      ];
      const rest = [inputs - a, hidden - a - b, outputs - b];
      expect(localDeepLinear(point)).toBe((a * outputs + b * inputs - a * b) / 2 + deepLinear(rest, 0).lambda);
    }
  });

  it("of three layers is what elimination leaves, also where that is no deep linear network", () => {
    // Chains of basis vectors: one at node 0 alone, `through` from node 0 to 2, `first` at node 1, `both` from 1 to 2, `second`
    // at node 2, `outputs` at node 3. Elimination leaves through * outputs squares of coordinates and K = |q A Y + p Z|^2 with q
    // [first], A [first, second], p [both]. Integrating out Y and Z gives E (1 + c (|q A|^2 + |p|^2))^(-outputs/2), whose
    // coefficient is the smaller of outputs/2 and that of |q A|^2 + |p|^2.
    const counts = fc.record({
      through: fc.nat(4),
      first: fc.nat(4),
      both: fc.nat(4),
      second: fc.nat(4),
      outputs: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(counts, ({ through, first, both, second, outputs }) => {
        const point: RankArray = [
          [1 + through, through, through, 0],
          [0, through + first + both, through + both, 0],
          [0, 0, through + both + second, 0],
          [0, 0, 0, outputs],
        ];
        const rest = Math.min(outputs / 2, deepLinear([1, first, second], 0).lambda + both / 2);
        expect(localDeepLinear(point)).toBe((through * outputs) / 2 + rest);
      }),
      { numRuns: 500, seed: 5 },
    );
  });

  it("is never below the global one, and above it at generic points of many networks", () => {
    let above = 0;
    fc.assert(
      fc.property(architecture(4, 30), fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), ({ widths }, draws) => {
        const layerRanks = widths.slice(1).map((width, s) => draws[s]! % (Math.min(width, widths[s]!) + 1));
        const ranks = rankArrayOfLayers(widths, layerRanks);
        const rank = ranks[0]!.at(-1)!;
        const global = deepLinear(widths, rank).lambda;
        const local = localDeepLinear(ranks);
        expect(local).toBeGreaterThanOrEqual(global);
        if (local > global) above += 1;
      }),
      { numRuns: 300, seed: 3 },
    );
    expect(above).toBeGreaterThan(30);
  });

  it("of a network of full rank is half the entries of its product", () => {
    expect(localDeepLinear(rankArrayOfLayers([6, 9, 9, 4], [6, 9, 4]))).toBe(12);
  });

  it("refuses what is no rank array", () => {
    const impossible = [
      [2, 2, 0],
      [0, 2, 2],
      [0, 0, 2],
    ];
    expect(() => localDeepLinear(impossible)).toThrow("rank array");
  });
});
