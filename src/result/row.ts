/**
 * One row per cell: what a sweep says of it, and the one table of columns that CSV, Parquet and the documentation are made
 * from.
 *
 * Invariants:
 * 1. Rows are ordered by their place in the grid, so two runs of one spec give the same file but for columns that `varies`.
 * 2. Where there is no value, a column is null: never NaN, never 0.
 * 3. A figure of an estimate stands in a row only together with its verdict.
 */
import type { Scalar } from "../catalogue/entry.ts";
import type { CellId } from "../core/ids.ts";
import type { CellConfig } from "../spec/cell.ts";
import type { Truth } from "../oracle/truth.ts";
import type { CellResult, Estimate } from "./cell-result.ts";
import { column, lifted, type Column, type ColumnType } from "./column.ts";
import { BEHAVIOURAL_COLUMNS, ESTIMATE_FIGURES, ESTIMATE_HEAD } from "./estimate-columns.ts";
import { truthBeside } from "./truth-beside.ts";

/** Values of the sweep's axes by path ("architecture.kind", "scale.width"); missing or null where a cell lacks the axis. */
export type AxisValues = Readonly<Record<string, Scalar | null>>;

/** States of a cell, as the coordinator tells them. */
export type RecordState = "pending" | "leased" | "running" | "committed" | "quarantined" | "cancelled" | "retry-wait";

/** `diverged` is a committed result whose loss was not finite; `pending` and `running` are cells that have not ended. */
const ROW_STATUSES = ["committed", "diverged", "quarantined", "cancelled", "running", "pending"] as const;
type RowStatus = (typeof ROW_STATUSES)[number];

export interface CellFaults {
  /** Its worker died or stood still. */
  readonly lost: number;
  readonly failed: number;
  readonly oom: number;
  /** Its worker gave it back. */
  readonly preempted: number;
}

/** What is known of one cell of a sweep. */
export interface CellRecord {
  readonly cellId: CellId;
  /** Place in the sweep's grid. */
  readonly gridIndex: number;
  readonly point: AxisValues;
  readonly config: CellConfig;
  readonly state: RecordState;
  /** Why it is quarantined or cancelled; empty otherwise. */
  readonly reason: string;
  /** The committed result. */
  readonly result?: CellResult | undefined;
  /** Who committed it; empty when nobody did. */
  readonly workerId: string;
  readonly attempts: number;
  /** How often an attempt ended without a result, by why. */
  readonly faults?: CellFaults;
  /** The last log lines of a quarantined cell. */
  readonly logTail?: readonly string[];
  /** The result stood in the store before the sweep was submitted. */
  readonly cached: boolean;
}

export interface ResultRow extends CellRecord {
  readonly status: RowStatus;
}

export function rowOf(record: CellRecord): ResultRow {
  const status = statusOf(record);
  const reason = record.result?.outcome === "diverged" ? record.result.reason : record.reason;
  return { ...record, status, reason };
}

function statusOf(record: CellRecord): RowStatus {
  if (record.state === "committed") return record.result?.outcome === "diverged" ? "diverged" : "committed";
  // Leased is granted and not accepted yet: no worker runs it, and one that drains never will.
  return record.state === "leased" || record.state === "retry-wait" ? "pending" : record.state;
}

/** A new array, by grid index and then by cell id. */
export function sortRows(rows: Iterable<ResultRow>): readonly ResultRow[] {
  return [...rows].sort(
    (left, right) =>
      left.gridIndex - right.gridIndex || (left.cellId < right.cellId ? -1 : Number(left.cellId > right.cellId)),
  );
}

/** A column of the table of cells. */
export type ResultColumn = Column<ResultRow>;

type Getter<Source> = (source: Source) => Scalar | null | undefined;

/** A column of the committed result. */
function ofResult(
  name: string,
  type: ColumnType,
  unit: string,
  description: string,
  get: Getter<CellResult>,
  varies = false,
): ResultColumn {
  return lifted(column(name, type, unit, description, get, varies), ({ result }) => result);
}

/** A column of what is known to be true of the cell, beside its estimate. */
function ofTruth(
  name: string,
  type: ColumnType,
  description: string,
  get: (truth: Truth, estimate: Estimate) => number | undefined,
): ResultColumn {
  return column(name, type, "", description, ({ config, result }) => {
    const estimate = result?.estimate ?? null;
    const truth = estimate === null ? undefined : truthBeside(config, estimate);
    return estimate === null || truth === undefined ? null : get(truth, estimate);
  });
}

function ofFaults(name: string, description: string, get: (faults: CellFaults) => number): ResultColumn {
  return column(name, "integer", "", description, ({ faults }) => (faults === undefined ? null : get(faults)), true);
}

const ofEstimate = (one: Column<Estimate>): ResultColumn => lifted(one, ({ result }) => result?.estimate);
const ofBehavioural = (one: Column<Estimate>): ResultColumn => lifted(one, ({ result }) => result?.behavioural);

const NATS = "nats per sample";

/** Columns before those of the axes. */
export const LEADING_COLUMNS: readonly ResultColumn[] = [
  column(
    "cell_id",
    "string",
    "",
    "content hash of the cell: SHA-256 of its canonical configuration",
    (row) => row.cellId,
  ),
];

/** Columns after those of the axes. */
export const RESULT_COLUMNS: readonly ResultColumn[] = [
  column("seed", "string", "", "seed of the cell, an unsigned 64-bit integer", (row) => row.config.seed),
  column("status", "string", "", `how the cell ended: ${ROW_STATUSES.join(", ")}`, (row) => row.status),
  column("reason", "string", "", "why it is not committed", (row) => (row.reason === "" ? null : row.reason)),
  ofResult(
    "train_loss",
    "number",
    NATS,
    "mean loss over the training rows, eval mode, without penalties",
    (r) => r.trainLoss,
  ),
  ofResult("test_loss", "number", NATS, "mean loss over the test rows, eval mode", (r) => r.testLoss),
  ofResult(
    "train_accuracy",
    "number",
    "fraction",
    "correct training rows; empty for regression",
    (r) => r.trainAccuracy,
  ),
  ofResult("test_accuracy", "number", "fraction", "correct test rows; empty for regression", (r) => r.testAccuracy),
  ofResult("steps", "integer", "updates", "updates done", (r) => r.steps),
  ofResult("stopped", "string", "", "what ended training: budget, train-loss or diverged", (r) => r.stopped),
  ofResult("parameters", "integer", "", "trainable parameters", (r) => r.parameters),
  ...ESTIMATE_HEAD.map(ofEstimate),
  ofTruth("truth_lambda", "number", "global learning coefficient, where it is known", ({ lambda }) => lambda),
  ofTruth(
    "truth_local_lambda",
    "number",
    "learning coefficient at w0, where it is known: the limit of lambda_hat",
    ({ localLambda }) => localLambda,
  ),
  ofTruth("truth_multiplicity", "integer", "multiplicity of truth_lambda", ({ multiplicity }) => multiplicity),
  ofTruth(
    "truth_at_t",
    "number",
    "exact t E[L(w) - L(w0)] at this n_beta and gamma, where it is known: what lambda_hat estimates",
    (truth, { nBeta, gamma }) => (nBeta === null || gamma === null ? undefined : truth.atT(nBeta, gamma)),
  ),
  ...ESTIMATE_FIGURES.map(ofEstimate),
  ...BEHAVIOURAL_COLUMNS.map(ofBehavioural),
  ofResult(
    "wall_ms",
    "number",
    "ms",
    "wall time of the shard from its start to this result",
    (r) => r.timing.wallMs,
    true,
  ),
  ofResult("compute_ms", "number", "ms", "train_ms + estimate_ms", (r) => r.timing.trainMs + r.timing.estimateMs, true),
  ofResult("train_ms", "number", "ms", "the cell's share of the shard's training time", (r) => r.timing.trainMs, true),
  ofResult(
    "estimate_ms",
    "number",
    "ms",
    "the cell's share of the shard's sampling time",
    (r) => r.timing.estimateMs,
    true,
  ),
  column(
    "worker",
    "string",
    "",
    "who committed the result",
    (row) => (row.workerId === "" ? null : row.workerId),
    true,
  ),
  ofResult("backend", "string", "", "backend that computed it", (r) => r.backend, true),
  ofResult("fuse_width", "integer", "cells", "cells that were trained as one program", (r) => r.fuseWidth, true),
  ofResult(
    "dropped_points",
    "integer",
    "points",
    "metric points that its worker could not keep: its series have a gap, marked in the series stream.dropped",
    (r) => r.dropped?.points ?? 0,
    true,
  ),
  ofResult(
    "dropped_lines",
    "integer",
    "lines",
    "log lines that its worker did not keep, marked in the log",
    (r) => r.dropped?.lines ?? 0,
    true,
  ),
  column("attempts", "integer", "", "times the cell was leased", (row) => row.attempts, true),
  ofFaults("failed", "attempts that ended by an error of the cell", ({ failed }) => failed),
  ofFaults("lost", "attempts that ended with the death of their worker", ({ lost }) => lost),
  ofFaults("out_of_memory", "attempts that ran out of memory", ({ oom }) => oom),
  ofFaults("preempted", "attempts that were handed back unfinished", ({ preempted }) => preempted),
  column("cached", "boolean", "", "the result stood in the store before the sweep", (row) => row.cached, true),
];

/** Axes of these names have no column of their own: a column of the result says the same ("seed", "estimate.batch"). */
const RESULT_NAMES = new Set(RESULT_COLUMNS.map(({ name }) => name));

/** All columns of a table of these rows, in order: the cell's id, one for each axis, the results. No name stands twice. */
export function columnsOf(rows: readonly ResultRow[], axes: readonly string[]): readonly ResultColumn[] {
  return [...LEADING_COLUMNS, ...axisColumns(rows, axes), ...RESULT_COLUMNS];
}

/** Columns of the axes, without those of which a column of the result says the same. */
export function axisColumns(rows: readonly ResultRow[], axes: readonly string[]): readonly ResultColumn[] {
  return axes.filter((path) => !RESULT_NAMES.has(snakeCase(path))).map((path) => axisColumn(path, rows));
}

/** An axis as a column: numbers are doubles, so that the type does not hang on whether the values happen to be whole. */
function axisColumn(path: string, rows: readonly ResultRow[]): ResultColumn {
  const types = new Set(
    rows
      .map(({ point }) => point[path] ?? null)
      .filter((value) => value !== null)
      .map((value) => typeof value),
  );
  const single = types.size === 1 ? [...types][0] : undefined;
  const type: ColumnType = single === "number" || single === "boolean" ? single : "string";
  const text = type === "string";
  return column(snakeCase(path), type, "", `value of the axis ${path}; empty where the cell lacks it`, ({ point }) => {
    const value = point[path] ?? null;
    return text && value !== null ? String(value) : value;
  });
}

/** "optimizer.learningRate" -> "optimizer_learning_rate". */
export function snakeCase(path: string): string {
  return path
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_")
    .toLowerCase();
}
