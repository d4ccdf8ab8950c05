/** The driver's sweeps, and what its workers say of their cells: no training, but every record can be told from every other. */
import { resultDigest } from "../../../src/result/cell-result.ts";
import { wholeEstimate, wholeResult } from "../../support/whole-result.ts";
import { Dice } from "../../simulation/dice.ts";

/** Seeds of one sweep's cells; they say which sweep a cell is of. */
const SEEDS = 1_000;

export function specOf(name: string, sweep: number, cells: number): string {
  const seeds = Array.from({ length: cells }, (_, index) => sweep * SEEDS + index);
  return `version: 1
name: ${name}
data: { kind: moons, train: 32, test: 16 }
grid:
  architecture: { kind: mlp, depth: 1, width: 4 }
  optimizer: { kind: sgd, learningRate: 0.1 }
  regulariser: none
  seed: [${seeds.join(", ")}]
train: { steps: 10, batch: 8 }
`;
}

export const sweepOf = (configJson: string): number =>
  Math.floor(Number((JSON.parse(configJson) as { readonly seed: string }).seed) / SEEDS);

export interface CellScript {
  readonly points: number;
  readonly lines: number;
  /** What its attempts come to, in turn; the last is a result. */
  readonly faults: readonly ("failure" | "handback")[];
  readonly result: { readonly json: string; readonly digest: string };
}

/** The same at every attempt and in every process. */
export function scriptOf(cellId: string): CellScript {
  const dice = new Dice(Number.parseInt(cellId.slice(0, 8), 16));
  const points = dice.integer(5, 60);
  const lines = dice.integer(1, 6);
  const faults = dice.chance(0.1) ? [dice.pick(["failure", "handback"] as const)] : [];
  const lambdaHat = dice.next();
  const result = wholeResult({ estimate: wholeEstimate({ lambdaHat, quad: lambdaHat }) });
  return { points, lines, faults, result: { json: JSON.stringify(result), digest: resultDigest(result) } };
}

/** The value of point `index` of an attempt. */
export const valueOf = (token: bigint, index: number): number => Number(token) + index / 1_000;

/** The text of line `index` of an attempt, or of a worker's own log. */
export const lineOf = (owner: string, index: number): string => `${owner} line ${index}`;
