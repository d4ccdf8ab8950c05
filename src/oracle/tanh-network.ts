import { invariant } from "../core/errors.ts";
import type { Coefficient } from "./coefficient.ts";

/**
 * y = sum_{k<=H} a_k tanh(b_k x), truth 0, at w* = 0: with i = floor(sqrt H), lambda = (i^2 + i + H)/(4i + 2), and m = 2 where
 * i^2 = H, else 1 (Aoyagi and Watanabe, "Resolution of singularities and the generalization error with Bayesian estimation for
 * layered neural network", 2005).
 */
export function tanhAtZero(hidden: number): Coefficient {
  invariant(Number.isInteger(hidden) && hidden > 0, `${hidden} is no count of hidden units`);
  const i = Math.floor(Math.sqrt(hidden));
  return { lambda: (i * i + i + hidden) / (4 * i + 2), multiplicity: i * i === hidden ? 2 : 1 };
}
