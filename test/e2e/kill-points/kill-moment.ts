/** When the coordinator is killed: drawn from the seed, uniform in time or tied to a moment of its write path. */
import type { Dice } from "../../simulation/dice.ts";
import type { Moment } from "./ledger.ts";

export type KillMoment =
  /** So long after it was told to open its store: in the middle of the recovery, or later. */
  | { readonly kind: "time"; readonly afterMs: number }
  /** So long after its callers sent, or heard of, the n-th of these since it serves. */
  | { readonly kind: Moment; readonly nth: number; readonly delayMs: number };

const MOMENTS: readonly Moment[] = [
  "sync",
  "push",
  "acked-push",
  "commit",
  "acked-commit",
  "submit",
  "acked-submit",
  "cancel",
];

/** @param startMs what an opening takes here */
export function drawMoment(dice: Dice, startMs: number): KillMoment {
  if (dice.chance(0.4)) return { kind: "time", afterMs: dice.next() * (2 * startMs + 400) };
  const kind = dice.pick(MOMENTS);
  const rare = ["submit", "acked-submit", "cancel"].includes(kind);
  // A transaction gathers for 2 ms and takes about as long.
  return { kind, nth: rare ? 1 : dice.integer(1, 30), delayMs: dice.chance(0.3) ? 0 : dice.next() * 6 };
}
