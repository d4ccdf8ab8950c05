/**
 * Rank arrays: the discrete shape of a deep linear network's weights. For layers W_1 .. W_L of widths d_0 .. d_L, r_ij is the
 * rank of the product of layers i+1 .. j, and r_ii = d_i. Two weights that a change of basis at the hidden and outer nodes
 * takes into each other have the same array and the other way round (type A quivers: Abeasis and Del Fra, "Degenerations for
 * the representations of an equioriented quiver of type A_m", 1980, who also show that the closure of a class holds exactly the
 * arrays below it entrywise).
 */
import { invariant, OccamError } from "../core/errors.ts";
import { imageOf, identityBasis, type Matrix } from "./row-space.ts";

/** `array[i][j]` = r_ij for 0 <= i <= j <= L, and 0 for j < i; a square of L + 1 rows. */
export type RankArray = readonly (readonly number[])[];

/** The array of these ranks for i <= j. */
function arrayOf(last: number, rank: (i: number, j: number) => number): RankArray {
  const indices = Array.from({ length: last + 1 }, (_, i) => i);
  return indices.map((i) => indices.map((j) => (j < i ? 0 : rank(i, j))));
}

/** The array of canonical weights: every layer zero but an identity of size `rank` in its top-left corner. */
export function canonicalRankArray(widths: readonly number[], rank: number): RankArray {
  checkWidths(widths, rank);
  return arrayOf(widths.length - 1, (i, j) => (i === j ? widths[i]! : rank));
}

/**
 * The array of a generic point whose layer s has rank `layerRanks[s]` (s from 0): images and kernels are then in general
 * position, and the rank of a product is the least rank of its layers.
 */
export function rankArrayOfLayers(widths: readonly number[], layerRanks: readonly number[]): RankArray {
  invariant(layerRanks.length === widths.length - 1, "one rank a layer");
  layerRanks.forEach((rank, s) => checkWidths([widths[s]!, widths[s + 1]!], rank));
  return arrayOf(widths.length - 1, (i, j) => (i === j ? widths[i]! : Math.min(...layerRanks.slice(i, j))));
}

/** Relative size below which a direction of a layer's image counts as rounding: float32 and float64 weights. */
const TOLERANCE = { float32: 1e-6, float64: 1e-12 } as const;

/**
 * The array of given weights; layer s is [d_s, d_s+1], row-major, applied from the right (x W_1 W_2 ...). A direction counts
 * when what the layer makes of it exceeds `tolerance` times the layer's Frobenius norm. Images are followed layer by layer as
 * orthonormal bases, so a product of many layers loses no rank to its small singular values.
 */
export function rankArrayOfWeights(
  layers: readonly (Float64Array | Float32Array)[],
  widths: readonly number[],
  tolerance: number = TOLERANCE[layers.some((layer) => layer instanceof Float32Array) ? "float32" : "float64"],
): RankArray {
  invariant(layers.length === widths.length - 1, "one layer between two widths");
  const matrices = layers.map((values, s) => matrixOf(values, widths[s]!, widths[s + 1]!));
  const rows = widths.map((width, i) => {
    const ranks = widths.map((_, j) => (j === i ? width : 0));
    let image = identityBasis(width);
    for (let j = i + 1; j < widths.length; j += 1) {
      image = imageOf(image, matrices[j - 1]!, tolerance);
      ranks[j] = image.rows;
    }
    return ranks;
  });
  if (isRankArray(rows)) return rows;
  throw new OccamError(
    "internal",
    `at tolerance ${tolerance} the ranks of the layers' products contradict each other`,
    {
      hint: "Some product is near a lower rank: take a larger tolerance, or weights closer to their limit.",
    },
  );
}

function matrixOf(values: Float64Array | Float32Array, rows: number, columns: number): Matrix {
  invariant(values.length === rows * columns, `a layer of ${values.length} values is not [${rows}, ${columns}]`);
  return { values: Float64Array.from(values), rows, columns };
}

/**
 * Is it the array of some weights? m_ij = r_ij - r_i-1,j - r_i,j+1 + r_i-1,j+1 counts the chains of basis vectors that start at
 * node i and end at node j; the array is one exactly when every m_ij is an integer >= 0.
 */
export function isRankArray(array: RankArray): boolean {
  const rank = (i: number, j: number): number => array[i]?.[j] ?? 0;
  return array.every((row, i) =>
    row.every((r, j) => {
      const chains = r - rank(i - 1, j) - rank(i, j + 1) + rank(i - 1, j + 1);
      return j < i ? r === 0 : Number.isInteger(chains) && chains >= 0;
    }),
  );
}

/** Widths of a network of at least one layer, and a rank that fits through all of them. */
export function checkWidths(widths: readonly number[], rank: number): void {
  const counts = [...widths, rank].every((count) => Number.isInteger(count) && count >= 0);
  invariant(
    counts && widths.length >= 2,
    `widths ${widths.join("-")} and rank ${rank} must be at least two counts and one`,
  );
  invariant(rank <= Math.min(...widths), `no product of widths ${widths.join("-")} has rank ${rank}`);
}
