/** What a cell does to those who run it, and what comes out. */
import type { LeaseToken } from "../../src/core/ids.ts";
import { resultDigest, type CellResult } from "../../src/result/cell-result.ts";
import { wholeEstimate, wholeResult } from "../support/whole-result.ts";
import type { Dice } from "./dice.ts";

export interface CellNature {
  /**
   * "kills": whoever runs it dies; "fails": an error every time; "greedy": no memory for more than `fits` at once;
   * "deaf": the trainer does not heed when it is told to stop; "wedges": it comes to a step that never ends.
   */
  readonly kind: "good" | "kills" | "fails" | "greedy" | "deaf" | "wedges";
  readonly fits: number;
  /** The training ends with a NaN, which is a result. */
  readonly diverges: boolean;
  /** Another result in every attempt. */
  readonly reproduces: boolean;
  readonly points: number;
  readonly lines: number;
}

export const GOOD: CellNature = { kind: "good", fits: 0, diverges: false, reproduces: true, points: 6, lines: 3 };

export function drawNature(dice: Dice): CellNature {
  const kind = dice.chance(0.85) ? "good" : dice.pick(["kills", "fails", "greedy", "deaf"] as const);
  return {
    kind,
    fits: dice.integer(1, 2),
    diverges: dice.chance(0.05),
    reproduces: dice.chance(0.9),
    points: dice.integer(0, 9),
    lines: dice.integer(0, 4),
  };
}

export interface SentResult {
  readonly result: CellResult;
  readonly json: string;
  readonly digest: string;
}

const made = new Map<string, SentResult>();

/** Depends on the cell, and on the token as well when it does not reproduce. */
export function resultOf(number: number, { reproduces, diverges }: CellNature, token: LeaseToken): SentResult {
  const name = `${number}/${reproduces ? "" : token}/${diverges}`;
  const known = made.get(name);
  if (known !== undefined) return known;
  const lambdaHat = reproduces ? number : number + Number(token) / 1000;
  const result = diverges
    ? wholeResult({
        outcome: "diverged",
        reason: "the loss was NaN at step 3",
        stopped: "diverged",
        trainLoss: lambdaHat,
      })
    : wholeResult({ estimate: wholeEstimate({ lambdaHat, quad: lambdaHat }) });
  const sent = { result, json: JSON.stringify(result), digest: resultDigest(result) };
  if (made.size < 10_000) made.set(name, sent);
  return sent;
}
