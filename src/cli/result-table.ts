/** Results on a terminal: the few columns that people look at, and a summary of how cells ended. */
import { shortId } from "../core/ids.ts";
import type { ResultRow } from "../result/row.ts";
import { expectedOf } from "../result/truth-beside.ts";
import { count, formatFigure, printable } from "./output/format.ts";
import type { Paint } from "./output/paint.ts";
import { renderTable, type TableColumn } from "./output/table.ts";

/** Of the second estimate, where there is one. */
const BEHAVIOURAL_TITLES: readonly TableColumn[] = [
  { title: "lambda_B", align: "right" },
  { title: "se_B", align: "right" },
  { title: "verdict_B" },
];

/** Rows in the order given. Axes with one value all over are left out. */
export function resultTable(rows: readonly ResultRow[], axes: readonly string[], width: number): readonly string[] {
  const varying = axes.filter((path) => new Set(rows.map(({ point }) => point[path] ?? null)).size > 1);
  const truths = rows.map(({ config, result }) => (result?.estimate ? expectedOf(config, result.estimate) : undefined));
  const withTruth = truths.some((truth) => truth !== undefined);
  const withBehavioural = rows.some(({ result }) => (result?.behavioural ?? null) !== null);
  const columns: readonly TableColumn[] = [
    { title: "cell" },
    ...varying.map((title) => ({ title })),
    { title: "status" },
    { title: "test loss", align: "right" },
    { title: "test acc", align: "right" },
    { title: "lambda", align: "right" },
    { title: "se", align: "right" },
    { title: "verdict" },
    ...(withTruth ? [{ title: "truth", align: "right" } as const] : []),
    ...(withBehavioural ? BEHAVIOURAL_TITLES : []),
  ];
  const figure = (value: number | null | undefined): string =>
    value === null || value === undefined ? "" : formatFigure(value);
  const lines = rows.map(({ cellId, point, status, result }, index) => [
    shortId(cellId),
    ...varying.map((path) => String(point[path] ?? "")),
    status,
    figure(result?.testLoss),
    figure(result?.testAccuracy),
    figure(result?.estimate?.lambdaHat),
    figure(result?.estimate?.lambdaSe),
    result?.estimate?.verdict ?? "",
    ...(withTruth ? [figure(truths[index])] : []),
    ...(withBehavioural
      ? [
          figure(result?.behavioural?.lambdaHat),
          figure(result?.behavioural?.lambdaSe),
          result?.behavioural?.verdict ?? "",
        ]
      : []),
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
    .flatMap(({ cellId, reason, logTail = [] }) => [
      paint("yellow", `  quarantined ${shortId(cellId)}: ${printable(reason)}`),
      ...logTail.map((line) => paint("dim", `    log: ${printable(line)}`)),
    ]);
  const more = failed.length > MAX_REASONS ? [`  and ${failed.length - MAX_REASONS} more; see results.csv`] : [];
  return [
    `${count(rows.length, "cell")}: ${tally(rows.map(({ status }) => status))}`,
    ...estimateLine(rows),
    ...reasons,
    ...more,
  ];
}

function estimateLine(rows: readonly ResultRow[]): readonly string[] {
  const line = (noun: string, verdicts: readonly string[]): readonly string[] =>
    verdicts.length === 0 ? [] : [`${count(verdicts.length, noun)}: ${tally(verdicts)}`];
  return [
    ...line("estimate", rows.flatMap(({ result }) => result?.estimate?.verdict ?? [])), // prettier-ignore
    ...line("behavioural estimate", rows.flatMap(({ result }) => result?.behavioural?.verdict ?? [])), // prettier-ignore
  ];
}

function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, times]) => `${times} ${word}`).join(", ") || "none";
}

/** Cells of which nothing is known but that they have no result. */
export const missingOf = (rows: readonly ResultRow[]): number =>
  rows.filter(({ result }) => result === undefined).length;
