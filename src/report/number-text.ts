/** Numbers, times and lambda-hats as people read them in a report. CSV and Parquet hold the exact ones. */
import type { Estimate } from "../result/cell-result.ts";
import type { ResultRow } from "../result/row.ts";

/** What stands where there is no value. */
export const NO_VALUE = "—";

/** Four significant digits; powers of ten below 0.001 and from 100,000. */
export function figureText(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3)
    return value
      .toExponential(digits - 2)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e");
  const text = value.toPrecision(digits);
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : String(Number(text));
}

/** 0.912 -> "91.2 %". */
export function percentText(fraction: number | null | undefined): string {
  return fraction === null || fraction === undefined ? NO_VALUE : `${(100 * fraction).toFixed(1)} %`;
}

/** "850 ms", "12.3 s", "4 min 10 s", "2 h 5 min". */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function timeText(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "1 cell", "2 cells". */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** lambda-hat with its standard error and, always, its verdict: "12.3 ± 0.4 (ok)". */
export function lambdaText({ result }: ResultRow): string {
  return estimateText(result?.estimate);
}

type Stated = Pick<Estimate, "lambdaHat" | "lambdaSe" | "verdict">;

export function estimateText(estimate: Stated | null | undefined): string {
  if (estimate === null || estimate === undefined) return NO_VALUE;
  const verdict = estimate.verdict === "ok" ? "(ok)" : `(${estimate.verdict}!)`;
  if (estimate.lambdaHat === null) return `${NO_VALUE} ${verdict}`;
  const error = estimate.lambdaSe === null ? "" : ` ± ${figureText(estimate.lambdaSe, 2)}`;
  return `${figureText(estimate.lambdaHat)}${error} ${verdict}`;
}
