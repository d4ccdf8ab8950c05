import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import { rankArrayOfLayers, rankArrayOfWeights, type RankArray } from "../../../src/oracle/deep-linear.ts";
import { canonicalRankArray } from "../../../src/oracle/rank-array.ts";
import { eachRankArray } from "./interval-decompositions.ts";

const KEY = rootKey("rank arrays");

function normals(purpose: string, count: number): Float64Array {
  const out = new Float32Array(count);
  fillNormal(fold(KEY, purpose), { a: 0, b: 0 }, out);
  return Float64Array.from(out);
}

/** [n, k] times [k, m]. */
function product(a: Float64Array, b: Float64Array, k: number): Float64Array {
  const n = a.length / k;
  const m = b.length / k;
  return Float64Array.from({ length: n * m }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < k; i += 1) sum += a[Math.floor(at / m) * k + i]! * b[i * m + (at % m)]!;
    return sum;
  });
}

/** A layer of this rank in general position. */
function layerOfRank(purpose: string, rows: number, columns: number, rank: number): Float64Array {
  if (rank === 0) return new Float64Array(rows * columns);
  return product(normals(`${purpose} left`, rows * rank), normals(`${purpose} right`, rank * columns), rank);
}

/** A rotation of R^n by Householder reflections, and its transpose, which is its inverse. */
function rotation(purpose: string, n: number): { readonly matrix: Float64Array; readonly inverse: Float64Array } {
  const v = normals(purpose, n);
  const square = v.reduce((sum, x) => sum + x * x, 0);
  const matrix = Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return (i === j ? 1 : 0) - (2 * v[i]! * v[j]!) / square;
  });
  return { matrix, inverse: matrix };
}

/** Weights of a class: layer s sends basis vectors of the chains that pass on to their successors; then bases are turned. */
function weightsOf(array: RankArray): readonly Float64Array[] {
  const widths = array.map((row, i) => row[i]!);
  const rank = (i: number, j: number): number => array[i]?.[j] ?? 0;
  const next = widths.map(() => 0);
  const layers = widths.slice(1).map((columns, s) => new Float64Array(widths[s]! * columns));
  for (let i = 0; i < widths.length; i += 1) {
    for (let j = i; j < widths.length; j += 1) {
      const chains = rank(i, j) - rank(i - 1, j) - rank(i, j + 1) + rank(i - 1, j + 1);
      for (let c = 0; c < chains; c += 1) {
        for (let k = i; k < j; k += 1) layers[k]![next[k]! * widths[k + 1]! + next[k + 1]!] = 1;
        for (let k = i; k <= j; k += 1) next[k]! += 1;
      }
    }
  }
  const turns = widths.map((width, k) => rotation(`node ${k}`, width));
  return layers.map((layer, s) =>
    product(product(turns[s]!.inverse, layer, widths[s]!), turns[s + 1]!.matrix, widths[s + 1]!),
  );
}

describe("rank arrays", () => {
  it("are read off weights of every class, in float64 and in float32", () => {
    for (const widths of [
      [3, 4, 2],
      [2, 3, 2, 2],
      [2, 2, 1, 2, 2],
    ]) {
      eachRankArray(widths, (array) => {
        const weights = weightsOf(array);
        expect(rankArrayOfWeights(weights, widths)).toEqual(array);
        const single = weights.map((layer) => Float32Array.from(layer));
        expect(rankArrayOfWeights(single, widths)).toEqual(array);
      });
    }
  });

  it("of generic layers have the least rank of the layers in between", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 6, size: "max" }),
        fc.array(fc.nat(), { minLength: 5, maxLength: 5 }),
        (widths, draws) => {
          const layerRanks = widths.slice(1).map((width, s) => draws[s]! % (Math.min(width, widths[s]!) + 1));
          const layers = layerRanks.map((rank, s) => layerOfRank(`layer ${s}`, widths[s]!, widths[s + 1]!, rank));
          expect(rankArrayOfWeights(layers, widths)).toEqual(rankArrayOfLayers(widths, layerRanks));
        },
      ),
      { numRuns: 150, seed: 4 },
    );
  });

  it("keep the rank of a product of ten layers whose singular values span many decades", () => {
    const widths = Array.from({ length: 11 }, () => 40);
    const layers = widths.slice(1).map((_, s) => Float32Array.from(layerOfRank(`deep ${s}`, 40, 40, 25)));
    expect(rankArrayOfWeights(layers, widths)[0]![10]).toBe(25);
  });

  it("of canonical weights are r off the diagonal", () => {
    const widths = [4, 5, 3];
    const layers = [20, 15].map((size, s) => {
      const layer = new Float32Array(size);
      for (let i = 0; i < 2; i += 1) layer[i * widths[s + 1]! + i] = 1;
      return layer;
    });
    expect(rankArrayOfWeights(layers, widths)).toEqual(canonicalRankArray(widths, 2));
  });

  it("count a direction as present or absent by the tolerance given", () => {
    const nearlyFlat = Float64Array.of(1, 0, 0, 1e-4);
    expect(rankArrayOfWeights([nearlyFlat], [2, 2])[0]![1]).toBe(2);
    expect(rankArrayOfWeights([nearlyFlat], [2, 2], 1e-3)[0]![1]).toBe(1);
  });

  it("refuse layers that do not fit their widths", () => {
    expect(() => rankArrayOfWeights([new Float64Array(5)], [2, 3])).toThrow("not [2, 3]");
    expect(() => rankArrayOfLayers([2, 3, 2], [2])).toThrow("one rank a layer");
  });
});
