/** Reference values by ArviZ, SciPy, NumPy and mpmath; `reference.py` made them. */
import { readFileSync } from "node:fs";

interface ChainCase {
  readonly name: string;
  readonly chains: readonly (readonly number[])[];
  readonly rHat: number;
  readonly splitRHat: number;
  readonly essBulk: number;
  readonly essTail: number;
  readonly ess: number;
  readonly mcse: number;
  readonly geweke: readonly number[] | null;
}

interface Reference {
  readonly chains: readonly ChainCase[];
  readonly normalCdf: readonly (readonly [number, number])[];
  readonly normalQuantile: readonly (readonly [number, number])[];
  readonly pairs: {
    readonly x: readonly number[];
    readonly y: readonly number[];
    readonly slope: number;
    readonly intercept: number;
    readonly slopeSe: number;
    readonly rSquared: number;
    readonly pearson: number;
    readonly spearman: number;
    readonly quantiles: readonly (readonly [number, number])[];
    readonly variance: number;
  };
}

export const REFERENCE = JSON.parse(readFileSync(new URL("reference.json", import.meta.url), "utf8")) as Reference;

export const chainsOf = (rows: readonly (readonly number[])[]): Float64Array[] =>
  rows.map((row) => Float64Array.from(row));
