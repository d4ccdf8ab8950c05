/**
 * The stages of a run of adjusted chains, by shares of its budget. Three of them warm up, and nothing of these is recorded:
 *
 *  - find, up to 5 %: the first step size.
 *  - explore, up to 25 %: trajectories of five times the length. Where the loss does not hold a chain, at a degenerate w0, a
 *    trajectory goes straight, so that n gradients in pieces of l steps reach a distance of sqrt(n l) steps.
 *  - settle, up to 40 %: the step size again, from there, for the lengths to come.
 *
 * Deep linear networks at t = 10^5 / ln 10^5, 4 chains of 2,500 gradients, with no exploring and with it, mean absolute relative
 * error: 24 of about 1,000 parameters at canonical weights 1.8 and 1.2 to 1.5 %; five of about 10,000, canonical 1.3 and 0.6 to
 * 0.9 %, generic 1.2 and 0.5 to 0.9 %. Pure.
 */

export type Stage = "find" | "explore" | "settle" | "sample";

const ENDS: readonly (readonly [Stage, number])[] = [
  ["find", 0.05],
  ["explore", 0.25],
  ["settle", 0.4],
];
const EXPLORING_LENGTH = 5;

/** @param gradients of each chain so far */
export function stageAt(gradients: number, budget: number): Stage {
  return ENDS.find(([, share]) => gradients < share * budget)?.[0] ?? "sample";
}

/** Leapfrog steps of a transition, from those that it would have at the end: exploring stays within its stage. */
export function stepsAt(gradients: number, budget: number, steps: number): number {
  if (stageAt(gradients, budget) !== "explore") return steps;
  const left = Math.ceil(ENDS[1]![1] * budget) - gradients;
  return Math.min(EXPLORING_LENGTH * steps, Math.max(steps, left));
}
