/**
 * Cells that have a lambda-hat, and the scale that it is drawn on.
 *
 * The scale is laid over the cells whose verdict is ok. A bad estimate may be off by orders of magnitude: one that lies far
 * beyond is drawn at the edge, and the caption counts those, so that it is neither hidden nor flattens all the others.
 */
import { VERDICTS, type Estimate, type Verdict } from "../result/cell-result.ts";
import type { ResultRow } from "../result/row.ts";
import { countText } from "./number-text.ts";

export interface Estimated {
  readonly row: ResultRow;
  readonly lambdaHat: number;
  /** null where there is none. */
  readonly lambdaSe: number | null;
  readonly verdict: Verdict;
}

/** A cell's estimates: what they are called in ids of plots and in words. */
export interface Coefficient {
  readonly id: string;
  readonly symbol: string;
  readonly of: (row: ResultRow) => Estimate | null | undefined;
}

export const LAMBDA: Coefficient = { id: "lambda", symbol: "λ̂", of: ({ result }) => result?.estimate };
/** Of the behavioural loss, where it stands beside that of the training loss. */
export const LAMBDA_B: Coefficient = { id: "lambda-b", symbol: "λ̂_B", of: ({ result }) => result?.behavioural };

/** Rows with a lambda-hat. */
export function estimatedCells(rows: readonly ResultRow[], { of }: Coefficient = LAMBDA): readonly Estimated[] {
  return rows.flatMap((row) => {
    const estimate = of(row);
    if (estimate === undefined || estimate === null || estimate.lambdaHat === null) return [];
    return [{ row, lambdaHat: estimate.lambdaHat, lambdaSe: estimate.lambdaSe, verdict: estimate.verdict }];
  });
}

/** Has any cell a second estimate? */
export function hasBehavioural(rows: readonly ResultRow[]): boolean {
  return rows.some((row) => (LAMBDA_B.of(row) ?? null) !== null);
}

/** Verdicts that occur, in their fixed order. */
export function verdictsOf(cells: readonly Estimated[]): readonly Verdict[] {
  return VERDICTS.filter((verdict) => cells.some((cell) => cell.verdict === verdict));
}

export const isOk = ({ verdict }: Estimated): boolean => verdict === "ok";

/** "48 cells, 45 of them ok". */
export function countsText(cells: readonly Estimated[]): string {
  const ok = cells.filter(isOk).length;
  return `n = ${countText(cells.length, "cell")}, ${ok === cells.length ? "all" : `${ok} of them`} ok`;
}

/** Marks of a plot at the most: past this they cover each other, and the file grows. */
const MAX_MARKS = 1000;

export interface Sample<T> {
  readonly drawn: readonly T[];
  /** A sentence when not all are drawn, else empty. */
  readonly note: string;
}

/** All, or so many that are evenly spaced over the order that they come in. */
export function sampled<T>(items: readonly T[], noun = "cell", limit = MAX_MARKS): Sample<T> {
  if (items.length <= limit) return { drawn: items, note: "" };
  const drawn = Array.from({ length: limit }, (_, index) => items[Math.floor((index * items.length) / limit)]!);
  return { drawn, note: `Drawn: ${limit} of ${countText(items.length, noun)}, evenly over the grid.` };
}

/** One axis of a plot. */
export interface ValueScale {
  readonly type: "linear" | "log";
  readonly domain: readonly [number, number];
  /** Where a value is drawn: itself, or the edge that it lies beyond. */
  place(value: number): number;
}

/** From this ratio of the largest to the smallest on, values are drawn on a logarithmic scale. */
const LOG_RATIO = 30;

/** How far past the trusted values the scale may reach, as a share of their span, or as a factor. */
const REACH_SHARE = 0.5;
const REACH_FACTOR = 3;

/**
 * The scale that shows all of `trusted`, and of `others` what is not far beyond.
 * With nothing trusted, all others are taken for trusted.
 */
export function scaleOver(trusted: readonly number[], others: readonly number[] = []): ValueScale {
  const base = trusted.length > 0 ? trusted : others;
  const low = least(base);
  const high = greatest(base);
  return low > 0 && high / low >= LOG_RATIO ? logScale(low, high, others) : linearScale(low, high, others);
}

function logScale(low: number, high: number, others: readonly number[]): ValueScale {
  const near = others.filter((value) => value >= low / REACH_FACTOR && value <= high * REACH_FACTOR);
  return bounded("log", Math.min(low, least(near)) / 1.15, Math.max(high, greatest(near)) * 1.15);
}

function linearScale(low: number, high: number, others: readonly number[]): ValueScale {
  const reach = REACH_SHARE * Math.max(high - low, 0.2 * Math.abs(high), Number.MIN_VALUE);
  const near = others.filter((value) => value >= low - reach && value <= high + reach);
  const from = Math.min(low, least(near));
  const to = Math.max(high, greatest(near));
  const margin = 0.06 * (to - from) || 0.1 * Math.abs(to) || 1;
  // A scale of amounts starts at 0 where 0 is near.
  const start = from >= 0 && from - margin < 0.35 * to ? 0 : from - margin;
  return bounded("linear", start, to + margin);
}

function bounded(type: ValueScale["type"], low: number, high: number): ValueScale {
  return { type, domain: [low, high], place: (value) => Math.min(high, Math.max(low, value)) };
}

/** A logarithmic scale over these positive values. */
export function logScaleOver(values: readonly number[]): ValueScale {
  return logScale(least(values), greatest(values), []);
}

/** Loops, for a spread of a hundred thousand arguments overflows the stack. */
function least(values: readonly number[]): number {
  return values.reduce((found, value) => Math.min(found, value), Infinity);
}

function greatest(values: readonly number[]): number {
  return values.reduce((found, value) => Math.max(found, value), -Infinity);
}

/** The scale of the lambda-hats of these cells. */
export function lambdaScale(cells: readonly Estimated[]): ValueScale {
  const values = (wanted: boolean): readonly number[] =>
    cells.filter((cell) => isOk(cell) === wanted).map(({ lambdaHat }) => lambdaHat);
  return scaleOver(values(true), values(false));
}

/** A sentence on the cells that are drawn at the edge, or empty. */
export function edgeNote(cells: readonly Estimated[], scale: ValueScale): string {
  const beyond = cells.filter(({ lambdaHat }) => scale.place(lambdaHat) !== lambdaHat).length;
  if (beyond === 0) return "";
  return `${countText(beyond, "cell")} of bad verdict ${beyond === 1 ? "lies" : "lie"} beyond the axis, drawn at its edge.`;
}

/** What colours and shapes say, for a caption. */
export function keyText(colour?: { readonly path: string }): string {
  return colour === undefined
    ? "Colour and shape: verdict, hollow when bad."
    : `Colour: ${colour.path}; shape: verdict, hollow when bad.`;
}

/** A caption of those sentences that are not empty. */
export function sentences(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
