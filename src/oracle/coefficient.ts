/**
 * What singular learning theory says of a model at a point of its parameter space: the free energy there grows as
 * lambda ln t - (m - 1) ln ln t (Watanabe, "Algebraic Geometry and Statistical Learning Theory", 2009), so that
 * t E_t[K] -> lambda as t grows, K = L - L(w0).
 */
export interface Coefficient {
  /** The learning coefficient (real log canonical threshold): half an effective number of parameters. */
  readonly lambda: number;
  /** m >= 1, the order of the pole at -lambda of the zeta function of K. */
  readonly multiplicity: number;
}
