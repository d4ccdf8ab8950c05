/**
 * Writes the files of a sweep's results: results.csv, results.parquet, metrics.parquet, report.html and report.md; and
 * estimates.csv and estimates.parquet where cells have more than one estimate.
 *
 * Invariants:
 * 1. Each file is replaced whole or left as it was; the same input gives the same bytes.
 * 2. Rows are held in memory, series are not: they pass through once.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceText } from "./atomic-file.ts";
import { csvLines } from "./csv.ts";
import { composeReport, focusOf } from "./compose.ts";
import { htmlOf } from "./html.ts";
import { writeJsonLines } from "./json-lines.ts";
import { markdownOf } from "./markdown.ts";
import { writeParquet, writeResultsParquet } from "./parquet.ts";
import type { Provenance } from "./provenance.ts";
import { CurveKeeper, METRIC_COLUMNS, seriesGroups, type SeriesSource } from "./series.ts";
import { estimateColumns, estimateRowsOf, hasFurtherEstimates } from "../result/estimate-row.ts";
import { columnsOf, sortRows, type ResultRow } from "../result/row.ts";

export interface ReportInput {
  /** The sweep's name. */
  readonly name: string;
  /** The sweep's axes, in the spec's order. */
  readonly axes: readonly { readonly path: string }[];
  /** One row per cell, in any order. */
  readonly rows: Iterable<ResultRow> | AsyncIterable<ResultRow>;
  /** The series of committed cells. Read once, to the end. */
  readonly series: SeriesSource;
  readonly provenance: Provenance;
}

/** Names of the files in the output folder. */
export const REPORT_FILES = {
  csv: "results.csv",
  parquet: "results.parquet",
  estimatesCsv: "estimates.csv",
  estimatesParquet: "estimates.parquet",
  metrics: "metrics.parquet",
  html: "report.html",
  markdown: "report.md",
  logs: "logs.jsonl",
} as const;

/**
 * Writes all but the logs. Makes the folder if it is not there; a re-run replaces the files.
 * @returns names of the files that stand there now, the report first
 */
export async function writeReport(outDir: string, input: ReportInput): Promise<readonly string[]> {
  await mkdir(outDir, { recursive: true });
  const at = (file: string): string => join(outDir, file);
  const rows = sortRows(await collected(input.rows));
  const axes = axisPaths(rows, input.axes);
  const columns = columnsOf(rows, axes);
  await replaceText(at(REPORT_FILES.csv), csvLines(columns, rows));
  await writeResultsParquet(at(REPORT_FILES.parquet), columns, rows);
  const estimates = await writeEstimates(outDir, rows, axes);
  const focus = focusOf(rows);
  const keeper = new CurveKeeper(focus.cellIds);
  await writeParquet(at(REPORT_FILES.metrics), METRIC_COLUMNS, seriesGroups(input.series, keeper));
  const facts = { name: input.name, axes, provenance: input.provenance };
  const report = await composeReport(facts, rows, focus, keeper);
  await replaceText(at(REPORT_FILES.html), htmlOf(report));
  await replaceText(at(REPORT_FILES.markdown), markdownOf(report));
  const { html, markdown, csv, parquet, metrics } = REPORT_FILES;
  return [html, markdown, csv, parquet, ...estimates, metrics];
}

/** Only where they say more than the table of cells; what an earlier sweep left there goes. */
async function writeEstimates(
  outDir: string,
  rows: readonly ResultRow[],
  axes: readonly string[],
): Promise<readonly string[]> {
  const files = [REPORT_FILES.estimatesCsv, REPORT_FILES.estimatesParquet] as const;
  const [csv, parquet] = [join(outDir, files[0]), join(outDir, files[1])];
  if (!hasFurtherEstimates(rows)) {
    await Promise.all([csv, parquet].map((path) => rm(path, { force: true })));
    return [];
  }
  const columns = estimateColumns(rows, axes);
  const estimates = rows.flatMap(estimateRowsOf);
  await replaceText(csv, csvLines(columns, estimates));
  await writeResultsParquet(parquet, columns, estimates);
  return files;
}

/** Writes logs.jsonl: one JSON object a line, in the order given. */
export async function writeLogs(outDir: string, entries: Iterable<object> | AsyncIterable<object>): Promise<void> {
  await mkdir(outDir, { recursive: true });
  await writeJsonLines(join(outDir, REPORT_FILES.logs), entries);
}

async function collected(rows: ReportInput["rows"]): Promise<readonly ResultRow[]> {
  const all: ResultRow[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

/** The spec's axes, then whatever else the points name, sorted: columns do not depend on the order of the rows. */
function axisPaths(rows: readonly ResultRow[], axes: ReportInput["axes"]): readonly string[] {
  const named = axes.map(({ path }) => path);
  const others = new Set(rows.flatMap(({ point }) => Object.keys(point)));
  for (const path of named) others.delete(path);
  return [...named, ...[...others].sort()];
}
