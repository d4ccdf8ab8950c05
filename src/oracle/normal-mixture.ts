import type { Coefficient } from "./coefficient.ts";

/**
 * (1 - a) N(0, 1) + a N(b, 1), truth N(0, 1): K = a^2 (exp(b^2) - 1)/2 to leading order, so K behaves as (a b)^2 at a = b = 0, the
 * deepest point of its zeros, and lambda = 1/2, m = 2 (Yamazaki and Watanabe, Neural Networks 16(7),
 * 2003).
 */
export function twoComponentNormalMixture(): Coefficient {
  return { lambda: 1 / 2, multiplicity: 2 };
}
