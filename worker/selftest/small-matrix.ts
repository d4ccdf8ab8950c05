/** Eigenvalues, eigenvectors and solutions of small symmetric matrices in double precision: what the selftest judges by. */

/** Rows. */
export type Matrix = readonly Float64Array[];

export interface Eigen {
  readonly values: readonly number[];
  /** Of unit length, in the order of the values. */
  readonly vectors: readonly Float64Array[];
}

const SWEEPS = 50;

/** Cyclic Jacobi rotations (Golub and Van Loan, "Matrix Computations", section 8.5), until nothing is left off the diagonal. */
export function symmetricEigen(matrix: Matrix): Eigen {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const v = matrix.map((_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  const scale = Math.sqrt(a.reduce((sum, row) => sum + row.reduce((s, value) => s + value * value, 0), 0));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    let off = 0;
    for (let p = 0; p < n; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        off += a[p]![q]! ** 2;
        rotate(a, v, p, q);
      }
    }
    if (Math.sqrt(off) <= 1e-15 * scale) break;
  }
  return { values: a.map((row, i) => row[i]!), vectors: v };
}

/** Makes a_pq zero; the rows of v are the eigenvectors. */
function rotate(a: readonly Float64Array[], v: readonly Float64Array[], p: number, q: number): void {
  if (a[p]![q] === 0) return;
  const tau = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.hypot(1, tau));
  const c = 1 / Math.hypot(1, t);
  const s = t * c;
  for (const row of a) [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
  for (const rows of [a, v]) {
    for (let k = 0; k < a.length; k += 1) {
      const [x, y] = [rows[p]![k]!, rows[q]![k]!];
      rows[p]![k] = c * x - s * y;
      rows[q]![k] = s * x + c * y;
    }
  }
}

/** H^-1 g of a symmetric H of full rank. */
export function solveLeastSquares(hessian: Matrix, moment: Float64Array): Float64Array {
  const { values, vectors } = symmetricEigen(hessian);
  const solution = new Float64Array(moment.length);
  vectors.forEach((vector, k) => {
    const along = vector.reduce((sum, value, i) => sum + value * moment[i]!, 0) / values[k]!;
    vector.forEach((value, i) => (solution[i]! += along * value));
  });
  return solution;
}
