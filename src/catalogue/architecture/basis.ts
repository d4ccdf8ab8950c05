/**
 * One-dimensional polynomial bases, by their three-term recurrences, in double precision.
 *
 * | basis     | p_0, p_1        | recurrence                                        | orthonormal on [-1, 1] for  |
 * | monomial  | 1, x            | x^k                                               | -                           |
 * | legendre  | 1, sqrt 3 x     | (k+1) P_{k+1} = (2k+1) x P_k - k P_{k-1};         | the uniform distribution    |
 * |           |                 | p_k = sqrt(2k+1) P_k                              |                             |
 * | chebyshev | 1, sqrt 2 x     | T_{k+1} = 2 x T_k - T_{k-1}; p_k = sqrt 2 T_k     | dx / (pi sqrt(1 - x^2))     |
 * | walsh     | 1, x            | x^k with k <= 1                                   | the uniform one on {-1, 1}  |
 *
 * Recurrences: Abramowitz and Stegun, Handbook of Mathematical Functions, table 22.7; norms: table 22.2.
 */
import { z } from "zod";

export const basisSchema = z
  .enum(["monomial", "legendre", "chebyshev", "walsh"])
  .describe(
    "Basis in each coordinate: monomial; legendre or chebyshev (orthonormal, for inputs in [-1, 1]); " +
      "walsh (products over subsets, for inputs that are -1 or 1).",
  );

export type Basis = z.infer<typeof basisSchema>;

/** Writes p_1(x) .. p_degree(x) to `out[at .. at + degree - 1]`. */
export function evaluateBasis(basis: Basis, degree: number, x: number, out: Float64Array, at: number): void {
  let before = 1;
  let current = x;
  for (let k = 1; k <= degree; k += 1) {
    out[at + k - 1] = normOf(basis, k) * current;
    const next = nextOf(basis, k, x, current, before);
    before = current;
    current = next;
  }
}

/** The unnormalised polynomial of degree k + 1 from those of degrees k and k - 1. */
function nextOf(basis: Basis, k: number, x: number, current: number, before: number): number {
  switch (basis) {
    case "monomial":
    case "walsh":
      return x * current;
    case "legendre":
      return ((2 * k + 1) * x * current - k * before) / (k + 1);
    case "chebyshev":
      return 2 * x * current - before;
  }
}

/** Divides out the polynomial's norm; k >= 1. */
function normOf(basis: Basis, k: number): number {
  if (basis === "legendre") return Math.sqrt(2 * k + 1);
  return basis === "chebyshev" ? Math.SQRT2 : 1;
}
