/**
 * The files that a sweep leaves: tables, series and report (src/report), logs.jsonl, and sweep.yaml, which pins what was run.
 * Made anew from the store each time, so they hold whatever is there: cells without a result are marked as pending.
 */
import { join } from "node:path";
import type { Sweep } from "../../proto/gen/occam/v1/operator.ts";
import { LogLevel } from "../../proto/gen/occam/v1/common.ts";
import type { SeriesChunk } from "../report/series.ts";
import type { ResultRow } from "../result/row.ts";
import type { SweepSpec } from "../spec/sweep.ts";
import { frozenSweep } from "./frozen-sweep.ts";
import { logJson } from "./log-text.ts";
import type { Operator } from "./operator.ts";
import { provenanceOf } from "./provenance.ts";
import { listRows, specOf } from "./records.ts";

export interface Artifacts {
  readonly sweep: Sweep;
  readonly rows: readonly ResultRow[];
  /** File names in the folder, the report first. */
  readonly files: readonly string[];
}

/** Loads what writes a report, while its caller waits for something else. A failure shows when it is needed. */
export async function loadReport(): Promise<void> {
  const { loadPlotting } = await import("../report/figure.ts");
  await Promise.allSettled([loadPlotting(), import("../report/write-report.ts")]);
}

export async function writeArtifacts(
  operator: Operator,
  sweepId: string,
  outDir: string,
  revision: string | null,
): Promise<Artifacts> {
  // Vega takes half a second to load; only a report needs it.
  const { REPORT_FILES, writeLogs, writeReport } = await import("../report/write-report.ts");
  const { replaceText } = await import("../report/atomic-file.ts");
  const sweep = await operator.sweep(sweepId);
  const spec = specOf(sweep);
  const rows = await collectRows(operator, sweep, spec);
  const written = await writeReport(outDir, {
    name: spec.name,
    axes: spec.axes,
    rows,
    series: seriesOf(operator, sweepId),
    provenance: provenanceOf(sweep, revision),
  });
  await writeLogs(outDir, logLines(operator, sweep, rows));
  await replaceText(join(outDir, FROZEN_FILE), [frozenSweep(sweep, spec, rows, revision)]);
  return { sweep, rows, files: [...written, REPORT_FILES.logs, FROZEN_FILE] };
}

const FROZEN_FILE = "sweep.yaml";

export async function collectRows(operator: Operator, sweep: Sweep, spec: SweepSpec): Promise<readonly ResultRow[]> {
  const rows: ResultRow[] = [];
  for await (const row of listRows(operator, sweep, spec)) rows.push(row);
  return rows;
}

async function* seriesOf(operator: Operator, sweepId: string): AsyncGenerator<SeriesChunk> {
  for await (const { cellId, metrics } of operator.series(sweepId)) {
    if (metrics !== undefined) yield { cellId, ...metrics };
  }
}

/** The sweep's cells' own lines, and those of the workers since it was submitted. */
async function* logLines(operator: Operator, sweep: Sweep, rows: readonly ResultRow[]): AsyncGenerator<object> {
  const cells = new Set<string>(rows.map(({ cellId }) => cellId));
  const request = {
    sweep: "",
    cellId: "",
    workerId: "",
    minLevel: LogLevel.LOG_LEVEL_DEBUG,
    text: "",
    sinceMs: 0n,
    follow: false,
    resumeToken: "",
    last: 0,
  };
  for await (const line of operator.logs(request)) {
    const concerns = line.cellId === "" ? (line.record?.timeMs ?? 0n) >= sweep.createdMs : cells.has(line.cellId);
    if (concerns) yield logJson(line);
  }
}
