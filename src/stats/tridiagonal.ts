/**
 * Eigenvalues of a symmetric tridiagonal matrix with the squares of the first components of its normalised eigenvectors: the
 * nodes and weights of Gauss's quadrature that a Lanczos run stands for (Golub & Welsch, Mathematics of Computation 23, 1969).
 * By QL iterations with implicit shifts (Golub & Van Loan, Matrix Computations, section 8.3), of which only the first row of
 * the rotations is kept.
 */
export interface GaussRule {
  readonly nodes: readonly number[];
  /** Of sum 1. */
  readonly weights: readonly number[];
}

/** Iterations for one eigenvalue; two or three are usual. */
const MOST_ITERATIONS = 60;

/**
 * @param diagonal m numbers
 * @param beside m - 1 numbers beside the diagonal
 */
export function gaussRule(diagonal: readonly number[], beside: readonly number[]): GaussRule {
  const d = [...diagonal];
  const e = [...beside, 0];
  const z = d.map((_, i) => (i === 0 ? 1 : 0));
  for (let l = 0; l < d.length; l += 1) {
    for (let iteration = 0; iteration < MOST_ITERATIONS; iteration += 1) {
      const m = blockEnd(d, e, l);
      if (m === l) break;
      sweep(d, e, z, l, m);
    }
  }
  return { nodes: d, weights: z.map((first) => first * first) };
}

/** The last index of the unreduced block that begins at l. */
function blockEnd(d: readonly number[], e: readonly number[], l: number): number {
  let m = l;
  while (m < d.length - 1) {
    const scale = Math.abs(d[m]!) + Math.abs(d[m + 1]!);
    if (Math.abs(e[m]!) <= Number.EPSILON * scale) break;
    m += 1;
  }
  return m;
}

/** One implicit QL step on rows l to m, with Wilkinson's shift. */
function sweep(d: number[], e: number[], z: number[], l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i -= 1) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    [s, c] = [f / r, g / r];
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    const first = z[i + 1]!;
    z[i + 1] = s * z[i]! + c * first;
    z[i] = c * z[i]! - s * first;
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
