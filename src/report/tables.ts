/** The tables of a report. A lambda-hat stands in none of them without its verdict, a mean of them not without its count. */
import { labelOf, type ReportAxis } from "./axis.ts";
import { estimatedCells, hasBehavioural, isOk, LAMBDA, LAMBDA_B, type Estimated } from "./estimated.ts";
import { intervalText, type AxisGroup, type MeanInterval } from "./group.ts";
import { countText, durationText, estimateText, figureText, lambdaText, NO_VALUE, percentText } from "./number-text.ts";
import { outcomeCounts, outcomeOf } from "./outcome.ts";
import type { Table } from "./table.ts";
import { snakeCase, type ResultRow } from "../result/row.ts";

/** Rows of the tables of lowest and highest cells, each. */
const EXTREME_CELLS = 5;
/** Rows of the tables of failed cells and of bad verdicts; results.csv has all. */
const MAX_LISTED = 50;
/** Values of an axis that a table lists. */
const MAX_VALUES = 40;

/** Wall time is the sweep's and is left out when unknown. */
export function summaryTable(rows: readonly ResultRow[], wallMs: number | undefined): Table {
  const line = (name: string, value: string): readonly string[] => [name, value];
  const timings = rows.flatMap(({ result }) => (result === undefined ? [] : [result.timing]));
  const trainMs = timings.reduce((sum, timing) => sum + timing.trainMs, 0);
  const estimateMs = timings.reduce((sum, timing) => sum + timing.estimateMs, 0);
  const compute = `${durationText(trainMs + estimateMs)} (training ${durationText(trainMs)}, estimation ${durationText(estimateMs)})`;
  const workers = new Set(rows.map(({ workerId }) => workerId).filter((id) => id !== ""));
  const backends = new Set(rows.flatMap(({ result }) => (result === undefined ? [] : [result.backend])));
  const cached = rows.filter((row) => row.cached).length;
  return {
    id: "summary",
    title: "Cells, time and workers",
    caption: "",
    columns: [{ title: "" }, { title: "", wraps: true }],
    rows: [
      line("cells", String(rows.length)),
      ...[...outcomeCounts(rows)].map(([outcome, count]) => line(`cells: ${outcome}`, String(count))),
      ...(cached > 0 ? [line("taken from the results cache", String(cached))] : []),
      ...(wallMs === undefined ? [] : [line("wall time, from submission to end", durationText(wallMs))]),
      line("compute time", compute),
      line("workers", workers.size === 0 ? NO_VALUE : `${workers.size}: ${[...workers].sort().join(", ")}`),
      line("backends", backends.size === 0 ? NO_VALUE : [...backends].sort().join(", ")),
    ],
    absent: "",
  };
}

export function axisTable(axis: ReportAxis, groups: readonly AxisGroup[]): Table {
  const listed = groups.slice(0, MAX_VALUES);
  const rest = groups.length > listed.length ? ` The first ${listed.length} of ${groups.length} values.` : "";
  const behavioural = groups.some(({ lambdaB }) => lambdaB !== undefined);
  return {
    id: `by-${snakeCase(axis.path).replaceAll("_", "-")}`,
    title: `By ${axis.path}`,
    caption: `Mean [${intervalText(groups)}] over cells; λ̂${behavioural ? " and λ̂_B" : ""} over the ok cells alone.${rest}`,
    columns: [
      { title: axis.path, numeric: axis.scale !== "category" },
      { title: "cells", numeric: true },
      { title: "ok", numeric: true },
      { title: "mean λ̂ of the ok cells", numeric: true },
      ...(behavioural
        ? [
            { title: "ok λ̂_B", numeric: true },
            { title: "mean λ̂_B of the ok", numeric: true },
          ]
        : []),
      { title: "mean test loss", numeric: true },
      { title: "mean test accuracy", numeric: true },
    ],
    rows: listed.map((group) => [
      String(group.value),
      String(group.rows.length),
      String(group.lambdaHat?.n ?? 0),
      meanText(group.lambdaHat, figureText),
      ...(behavioural ? [String(group.lambdaB?.n ?? 0), meanText(group.lambdaB, figureText)] : []),
      meanText(group.testLoss, figureText),
      meanText(group.testAccuracy, percentText),
    ]),
    absent: "",
  };
}

function meanText(interval: MeanInterval | undefined, text: (value: number) => string): string {
  if (interval === undefined) return NO_VALUE;
  const { mean, low, high } = interval;
  return low === null || high === null ? text(mean) : `${text(mean)} [${text(low)}, ${text(high)}]`;
}

/** The ok cells with the least and with the greatest lambda-hat. */
export function extremeTables(rows: readonly ResultRow[], axes: readonly ReportAxis[]): readonly Table[] {
  const ascending = estimatedCells(rows)
    .filter(isOk)
    .sort((left, right) => left.lambdaHat - right.lambdaHat);
  return [
    extremeTable("lowest", ascending.slice(0, EXTREME_CELLS), axes),
    extremeTable("highest", ascending.slice(-EXTREME_CELLS).toReversed(), axes),
  ];
}

function extremeTable(which: string, cells: readonly Estimated[], axes: readonly ReportAxis[]): Table {
  const behavioural = hasBehavioural(cells.map(({ row }) => row));
  return {
    id: which,
    title: `Cells with the ${which} λ̂`,
    caption: "Of those whose verdict is ok; ± one standard error.",
    columns: [
      { title: "λ̂", numeric: true },
      ...(behavioural ? [{ title: "λ̂_B", numeric: true }] : []),
      { title: "cell", wraps: true },
      { title: "test loss", numeric: true },
      { title: "test accuracy", numeric: true },
      { title: "R̂", numeric: true },
      { title: "ESS", numeric: true },
      { title: "id" },
    ],
    rows: cells.map(({ row }) => [
      lambdaText(row),
      ...(behavioural ? [estimateText(LAMBDA_B.of(row))] : []),
      labelOf(row, axes),
      figureText(row.result?.testLoss),
      percentText(row.result?.testAccuracy),
      figureText(row.result?.estimate?.rHat),
      figureText(row.result?.estimate?.essBulk, 3),
      row.cellId.slice(0, 12),
    ]),
    absent: "No cell has an estimate whose verdict is ok.",
  };
}

/** Cells that gave no result, with the reason. */
export function failedTable(rows: readonly ResultRow[], axes: readonly ReportAxis[]): Table {
  const failed = rows.filter(({ status }) => status !== "committed");
  const withLog = failed.some(({ logTail = [] }) => logTail.length > 0);
  return {
    id: "failed",
    title: "Cells without a result",
    caption: moreText(failed.length),
    columns: [
      { title: "status" },
      { title: "cell", wraps: true },
      { title: "reason", wraps: true },
      ...(withLog ? [{ title: "last log lines", wraps: true }] : []),
      { title: "attempts", numeric: true },
      { title: "id" },
    ],
    rows: failed
      .slice(0, MAX_LISTED)
      .map((row) => [
        outcomeOf(row),
        labelOf(row, axes),
        row.reason || NO_VALUE,
        ...(withLog ? [row.logTail?.join(" / ") || NO_VALUE] : []),
        String(row.attempts),
        row.cellId.slice(0, 12),
      ]),
    absent: "None: every cell trained to its end.",
  };
}

/** Estimates that are not to be trusted, with the numbers that say so. */
export function badVerdictTable(rows: readonly ResultRow[], axes: readonly ReportAxis[]): Table {
  const behavioural = hasBehavioural(rows);
  const bad = [LAMBDA, LAMBDA_B].flatMap(({ symbol, of }) =>
    rows.flatMap((row) => {
      const estimate = of(row);
      return estimate === null || estimate === undefined || estimate.verdict === "ok"
        ? []
        : [{ row, estimate, symbol }];
    }),
  );
  return {
    id: "bad-verdicts",
    title: "Estimates with a bad verdict",
    caption: moreText(bad.length, behavioural ? "estimate" : "cell"),
    columns: [
      ...(behavioural ? [{ title: "of" }] : []),
      { title: behavioural ? "estimate" : "λ̂", numeric: true },
      { title: "cell", wraps: true },
      { title: "why", wraps: true },
      { title: "id" },
    ],
    rows: bad
      .slice(0, MAX_LISTED)
      .map(({ row, estimate, symbol }) => [
        ...(behavioural ? [symbol] : []),
        estimateText(estimate),
        labelOf(row, axes),
        estimate.verdictReason || NO_VALUE,
        row.cellId.slice(0, 12),
      ]),
    absent: rows.some(({ result }) => result?.estimate !== undefined && result.estimate !== null)
      ? "None: the verdict of every estimate is ok."
      : "No cell has an estimate.",
  };
}

function moreText(count: number, noun = "cell"): string {
  return count <= MAX_LISTED ? "" : `The first ${MAX_LISTED} of ${countText(count, noun)}; results.csv has all.`;
}
