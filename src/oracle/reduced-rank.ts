/** Reduced-rank regression: the deep linear network of two layers, in its own closed form. */
import { invariant } from "../core/errors.ts";
import type { Coefficient } from "./coefficient.ts";
import { deepLinear } from "./deep-linear.ts";

/**
 * y = B A x, A [H, M], B [N, H], true rank r (Aoyagi and Watanabe, Neural Networks 18(7), 2005):
 * 2 lambda = r(M + N - r) + min over r <= j <= min(N, H) of (N - j)(H - j) + (M - r)(j - r), where j is the rank of B at the
 * point, kept general above r by A's zeros. The multiplicity is that of `deepLinear`.
 */
export function reducedRank(inputs: number, hidden: number, outputs: number, rank: number): Coefficient {
  const { multiplicity } = deepLinear([inputs, hidden, outputs], rank);
  let least = Number.POSITIVE_INFINITY;
  for (let j = rank; j <= Math.min(outputs, hidden); j += 1) {
    least = Math.min(least, (outputs - j) * (hidden - j) + (inputs - rank) * (j - rank));
  }
  invariant(Number.isFinite(least), "a rank that fits through the hidden layer");
  return { lambda: (rank * (inputs + outputs - rank) + least) / 2, multiplicity };
}
