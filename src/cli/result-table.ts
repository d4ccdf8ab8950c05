/** Results on a terminal: the few columns that people look at, and a summary of how cells ended. */
import { shortId } from "../core/ids.ts";
import type { ResultRow } from "../result/row.ts";
import { count, formatFigure, printable } from "./output/format.ts";
import type { Paint } from "./output/paint.ts";
import { renderTable, type TableColumn } from "./output/table.ts";

/** Rows in the order given. Axes with one value all over are left out. */
export function resultTable(rows: readonly ResultRow[], axes: readonly string[], width: number): readonly string[] {
  const varying = axes.filter((path) => new Set(rows.map(({ point }) => point[path] ?? null)).size > 1);
  const columns: readonly TableColumn[] = [
    { title: "cell" },
    ...varying.map((title) => ({ title })),
    { title: "status" },
    { title: "test loss", align: "right" },
    { title: "test acc", align: "right" },
    { title: "lambda", align: "right" },
    { title: "se", align: "right" },
    { title: "verdict" },
  ];
  const figure = (value: number | null | undefined): string =>
    value === null || value === undefined ? "" : formatFigure(value);
  const lines = rows.map(({ cellId, point, status, result }) => [
    shortId(cellId),
    ...varying.map((path) => String(point[path] ?? "")),
    status,
    figure(result?.testLoss),
    figure(result?.testAccuracy),
    figure(result?.estimate?.lambdaHat),
    figure(result?.estimate?.lambdaSe),
    result?.estimate?.verdict ?? "",
  ]);
  return renderTable(columns, lines, width);
}

/** Reasons that are listed; results.csv has all. */
const MAX_REASONS = 10;

/** How many cells ended how, and why some have no result. */
export function summaryLines(rows: readonly ResultRow[], paint: Paint): readonly string[] {
  const failed = rows.filter(({ status }) => status === "quarantined");
  const reasons = failed
    .slice(0, MAX_REASONS)
    .map(({ cellId, reason }) => paint("yellow", `  quarantined ${shortId(cellId)}: ${printable(reason)}`));
  const more = failed.length > MAX_REASONS ? [`  and ${failed.length - MAX_REASONS} more; see results.csv`] : [];
  return [
    `${count(rows.length, "cell")}: ${tally(rows.map(({ status }) => status))}`,
    ...estimateLine(rows),
    ...reasons,
    ...more,
  ];
}

function estimateLine(rows: readonly ResultRow[]): readonly string[] {
  const verdicts = rows.flatMap(({ result }) => result?.estimate?.verdict ?? []);
  return verdicts.length === 0 ? [] : [`${count(verdicts.length, "estimate")}: ${tally(verdicts)}`];
}

function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, times]) => `${times} ${word}`).join(", ") || "none";
}

/** Cells of which nothing is known but that they have no result. */
export const missingOf = (rows: readonly ResultRow[]): number =>
  rows.filter(({ result }) => result === undefined).length;
