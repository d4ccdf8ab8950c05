/**
 * The total-degree product basis in n coordinates: phi_alpha(x) = prod_j p_{alpha_j}(x_j) over all multi-indices alpha with
 * |alpha| = alpha_1 + ... + alpha_n <= degree. Pure shapes: which terms there are, and how each extends a shorter one.
 *
 * Coordinates come in blocks. A block of one coordinate is a number. A larger block is the one-hot code of a token, of
 * which one term uses at most one coordinate: indicators of two values of one token multiply to zero.
 *
 * Terms are in graded order: by degree, and within a degree as the recursion below yields them; the first is the constant.
 */

/** What a family of terms depends on. */
export interface ProductBasis {
  readonly blocks: number;
  readonly blockSize: number;
  /** Each exponent is 0 or 1, for coordinates of two values: x^2 adds nothing. Blocks of more than one are multilinear. */
  readonly multilinear: boolean;
  /** The largest total degree. */
  readonly degree: number;
}

/** Term t > 0 is term `parent[t]` times p_{exponent[t]} of coordinate `coordinate[t]`. */
export interface Terms {
  readonly count: number;
  readonly degree: Int32Array;
  readonly parent: Int32Array;
  readonly coordinate: Int32Array;
  readonly exponent: Int32Array;
}

/** The largest exponent of one coordinate. */
export function maxExponent({ multilinear, degree }: ProductBasis): number {
  return multilinear ? 1 : Math.max(1, degree);
}

/**
 * Number of terms of each degree d = 0 .. degree: C(n + d - 1, d) multisets of coordinates, or, multilinear, C(n, d) m^d sets
 * of blocks with one coordinate of each, for n blocks of m coordinates. Infinity past what a double holds.
 */
export function countTerms({ blocks, blockSize, multilinear, degree }: ProductBasis): readonly number[] {
  const counts = [1];
  for (let d = 1; d <= degree; d += 1) {
    const choices = multilinear ? (blocks - d + 1) * blockSize : blocks + d - 1;
    counts.push(choices <= 0 ? 0 : Math.round(counts[d - 1]! * (choices / d)));
  }
  return counts;
}

/** All terms, in graded order. Their number must have been checked against a limit first. */
export function enumerateTerms(basis: ProductBasis): Terms {
  const count = countTerms(basis).reduce((sum, terms) => sum + terms, 0);
  const terms: Terms = {
    count,
    degree: new Int32Array(count),
    parent: new Int32Array(count),
    coordinate: new Int32Array(count).fill(-1),
    exponent: new Int32Array(count),
  };
  let end = 1;
  for (let degree = 1; degree <= basis.degree; degree += 1) end = appendDegree(basis, terms, degree, end);
  return terms;
}

/** A term extends, by a coordinate of a later block, the one term that it is without that coordinate. */
function appendDegree(basis: ProductBasis, terms: Terms, degree: number, from: number): number {
  const { blocks, blockSize } = basis;
  const largest = maxExponent(basis);
  let at = from;
  for (let parent = 0; parent < from; parent += 1) {
    const exponent = degree - terms.degree[parent]!;
    if (exponent > largest) continue;
    const last = terms.coordinate[parent]!;
    const firstBlock = last < 0 ? 0 : Math.floor(last / blockSize) + 1;
    for (let coordinate = firstBlock * blockSize; coordinate < blocks * blockSize; coordinate += 1) {
      terms.degree[at] = degree;
      terms.parent[at] = parent;
      terms.coordinate[at] = coordinate;
      terms.exponent[at] = exponent;
      at += 1;
    }
  }
  return at;
}
