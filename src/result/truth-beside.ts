/** What is known to be true beside an estimate: of the whole training loss alone, for that is what the oracles are of. */
import type { CellConfig } from "../spec/cell.ts";
import { truthOf, type Truth } from "../oracle/truth.ts";
import type { Estimate } from "./cell-result.ts";

/** The estimand that oracles speak of: nothing held, no row left out. */
const WHOLE_LOSS = "loss";

export function truthBeside(config: CellConfig, { estimand }: Pick<Estimate, "estimand">): Truth | undefined {
  return estimand === WHOLE_LOSS ? truthOf(config) : undefined;
}

/** Exact t E[L(w) - L(w0)] at this t and gamma. */
export function truthAt(
  config: CellConfig,
  estimate: Pick<Estimate, "estimand" | "nBeta" | "gamma">,
): number | undefined {
  const { nBeta, gamma } = estimate;
  return nBeta === null || gamma === null ? undefined : truthBeside(config, estimate)?.atT(nBeta, gamma);
}

/** What this estimate should read: exactly where that is known, else its limit for large t. */
export function expectedOf(
  config: CellConfig,
  estimate: Pick<Estimate, "estimand" | "nBeta" | "gamma">,
): number | undefined {
  return truthAt(config, estimate) ?? truthBeside(config, estimate)?.localLambda;
}
