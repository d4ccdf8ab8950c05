/**
 * Learning coefficients of deep linear networks, y = x W_1 .. W_L, widths d_0 .. d_L, K = |W_1 .. W_L - W|_F^2 up to bounds, for
 * a truth W of rank r. The global one is the least over all weights that fit; chains that start at w* see the local one.
 */
import { invariant } from "../core/errors.ts";
import type { Coefficient } from "./coefficient.ts";
import { leastCut, UNCUTTABLE } from "./least-cut.ts";
import { canonicalRankArray, checkWidths, isRankArray, type RankArray } from "./rank-array.ts";

export { rankArrayOfLayers, rankArrayOfWeights, type RankArray } from "./rank-array.ts";

/**
 * The global coefficient (Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks with linear
 * units", Neural Networks 172, 2024). With D ascending d_s - r, l the largest with (sum of the l+1 smallest) >=
 * l * (the l+1-th smallest), S that sum and a = S - (ceil(S/l) - 1) l:
 * lambda = (r(d_0 + d_L) - r^2)/2 + a(l-a)/(4l) - (l-1)S^2/(4l) + (S^2 - sum D_i^2)/4, m = a(l-a) + 1.
 */
export function deepLinear(widths: readonly number[], rank: number): Coefficient {
  checkWidths(widths, rank);
  const smallest = bindingWidths(widths.map((width) => width - rank));
  const l = smallest.length - 1;
  const sum = total(smallest);
  const a = sum - (Math.ceil(sum / l) - 1) * l;
  const squares = total(smallest.map((width) => width * width));
  const outer = rank * (widths[0]! + widths.at(-1)! - rank);
  // 4 l (lambda - outer / 2) is an integer, so the quotient is the only rounding.
  const fourL = a * (l - a) - (l - 1) * sum * sum + l * (sum * sum - squares);
  return { lambda: outer / 2 + fourL / (4 * l), multiplicity: a * (l - a) + 1 };
}

/** The l + 1 smallest excess widths D_i that enter the formula. */
function bindingWidths(excess: readonly number[]): readonly number[] {
  const ascending = [...excess].sort((x, y) => x - y);
  for (let l = ascending.length - 1; l > 1; l -= 1) {
    const smallest = ascending.slice(0, l + 1);
    if (total(smallest) >= l * smallest[l]!) return smallest;
  }
  return ascending.slice(0, 2);
}

/**
 * The same coefficient from the geometry of the fibre: 2 lambda = r(d_0 + d_L - r) + the least codimension of a class of
 * weights whose product has rank r, which is the local one at the point that lies in the closure of every such class.
 */
export function rankArrayLambda(widths: readonly number[], rank: number): number {
  return localDeepLinear(canonicalRankArray(widths, rank));
}

/**
 * The local coefficient at weights w* with this rank array: 2 lambda = r(d_0 + d_L - r) + min over rank arrays r_ij >= those of
 * w*, r_0L = r, of sum_{i<j} (r_i,j-1 - r_ij)(r_i+1,j - r_ij), the codimension of the class (Lehalleur and Rimanyi, "Geometry of
 * fibers of the multiplication map of deep linear neural networks", arXiv 2411.19920, for the fibre as a whole).
 *
 * The search runs over e_k = r_0k alone. Of all classes with the same image dimensions e, the largest one has
 * r_ij = e_j + min_{i<=k<=j} (d_k - e_k): its closure holds all others and its codimension is the least,
 * f(e) = sum_k (e_k-1 - e_k)(d_k - e_k). It lies above w* exactly when e_k - e_j <= d_k - r*_kj for all k < j. In the steps
 * g_k = e_k-1 - e_k >= 0, f = sum_k (g_k^2/2 + d_k g_k) + constant: convex and separable in differences of e, under bounds on
 * differences, hence L-natural-convex. The image dimensions of w* itself are the least e that the bounds allow, and steepest
 * ascent from below, by the smallest best set X of nodes in e + 1_X, ends in the least minimiser (Murota, "Discrete Convex
 * Analysis", 2003, sections 7.3 and 10.3). Each X is a minimum cut, so the minimum is exact, in polynomial time.
 */
export function localDeepLinear(ranks: RankArray): number {
  invariant(
    ranks.length >= 2 && isRankArray(ranks),
    "a rank array of at least one layer, with no negative multiplicity",
  );
  const widths = ranks.map((row, i) => row[i]!);
  const images = [...ranks[0]!];
  const last = images.length - 1;
  while (raise(images, ranks));
  const codimension = total(widths.slice(1).map((d, k) => (images[k]! - images[k + 1]!) * (d - images[k + 1]!)));
  const rank = images[last]!;
  return (rank * (widths[0]! + widths[last]! - rank) + codimension) / 2;
}

/**
 * Adds 1 to the image dimensions of the best set X of inner nodes; false, and no change, where no set lowers f. X costs
 * 2 df = sum_k 2 (g_k + d_k)(x_k-1 - x_k) + |x_k - x_k-1|, x its indicator.
 */
function raise(images: number[], ranks: RankArray): boolean {
  const source = images.length - 1;
  const capacities = barriers(images, ranks);
  const slope = (k: number): number => images[k - 1]! - images[k]! + ranks[k]![k]!;
  let gain = 0;
  for (let k = 1; k < source; k += 1) {
    const cost = 2 * (slope(k + 1) - slope(k));
    if (cost > 0) capacities[k]![SINK]! += cost;
    else capacities[source]![k]! -= cost;
    gain -= Math.min(0, cost);
  }
  const cut = leastCut(capacities, source, SINK);
  if (cut.capacity >= gain) return false;
  for (let k = 1; k < source; k += 1) images[k]! += cut.sourceSide[k]! ? 1 : 0;
  return true;
}

/** The outer nodes 0 and L, which never move, are one node: the sink. The source takes the index of node L. */
const SINK = 0;

/** Capacities of 1 between neighbours, and barriers where a bound on a difference is met, so that one must follow the other. */
function barriers(images: readonly number[], ranks: RankArray): number[][] {
  const last = images.length - 1;
  const capacities = images.map(() => images.map(() => 0));
  const tie = (mover: number, follower: number, capacity: number): void => {
    if (mover % last !== 0) capacities[mover]![follower % last]! += capacity;
  };
  for (let k = 0; k < last; k += 1) {
    tie(k, k + 1, 1);
    tie(k + 1, k, 1);
    if (images[k + 1] === images[k]) tie(k + 1, k, UNCUTTABLE);
    for (let j = k + 1; j <= last; j += 1) {
      if (ranks[k]![k]! - ranks[k]![j]! <= images[k]! - images[j]!) tie(k, j, UNCUTTABLE);
    }
  }
  return capacities;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
