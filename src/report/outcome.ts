/** How a cell ended, in one word: the verdict of its estimate, or why it has none. */
import type { ResultRow } from "../result/row.ts";

/** All outcomes, best first. */
export const OUTCOMES = [
  "ok",
  "unconverged",
  "biased",
  "not-a-minimum",
  "over-ceiling",
  "estimate diverged",
  "trained, no estimate",
  "training diverged",
  "quarantined",
  "cancelled",
  "running",
  "pending",
] as const;
export type CellOutcome = (typeof OUTCOMES)[number];

export function outcomeOf(row: ResultRow): CellOutcome {
  if (row.status === "diverged") return "training diverged";
  if (row.status !== "committed") return row.status;
  const verdict = row.result?.estimate?.verdict;
  if (verdict === undefined) return "trained, no estimate";
  return verdict === "diverged" ? "estimate diverged" : verdict;
}

/** Number of rows of each outcome that occurs, in the fixed order. */
export function outcomeCounts(rows: readonly ResultRow[]): ReadonlyMap<CellOutcome, number> {
  const counts = new Map<CellOutcome, number>();
  const outcomes = rows.map(outcomeOf);
  for (const outcome of OUTCOMES) {
    const count = outcomes.filter((other) => other === outcome).length;
    if (count > 0) counts.set(outcome, count);
  }
  return counts;
}
