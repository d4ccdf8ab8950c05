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
import { truthOf, type Truth } from "../oracle/truth.ts";
import type { CellResult, Estimate } from "./cell-result.ts";

/** Values of the sweep's axes by path ("architecture.kind", "scale.width"); missing or null where a cell lacks the axis. */
export type AxisValues = Readonly<Record<string, Scalar | null>>;

/** States of a cell, as the coordinator tells them. */
export type RecordState = "pending" | "leased" | "running" | "committed" | "quarantined" | "cancelled";

/** `diverged` is a committed result whose loss was not finite; `pending` and `running` are cells that have not ended. */
const ROW_STATUSES = ["committed", "diverged", "quarantined", "cancelled", "running", "pending"] as const;
type RowStatus = (typeof ROW_STATUSES)[number];

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
  return record.state === "leased" ? "pending" : record.state;
}

/** A new array, by grid index and then by cell id. */
export function sortRows(rows: Iterable<ResultRow>): readonly ResultRow[] {
  return [...rows].sort(
    (left, right) =>
      left.gridIndex - right.gridIndex || (left.cellId < right.cellId ? -1 : Number(left.cellId > right.cellId)),
  );
}

export type ColumnType = "string" | "integer" | "number" | "boolean";

export interface ResultColumn {
  /** snake_case. */
  readonly name: string;
  readonly type: ColumnType;
  /** Unit of the value, "" for a pure number or a text. */
  readonly unit: string;
  /** One line for the documentation. */
  readonly description: string;
  /** May differ between two runs of one spec: times, workers, how cells were packed. */
  readonly varies: boolean;
  get(row: ResultRow): Scalar | null;
}

type Getter<Source> = (source: Source) => Scalar | null | undefined;

function column(
  name: string,
  type: ColumnType,
  unit: string,
  description: string,
  get: Getter<ResultRow>,
  varies = false,
): ResultColumn {
  return { name, type, unit, description, varies, get: (row) => finiteOrNull(get(row)) };
}

/** A column of the committed result. */
function ofResult(
  name: string,
  type: ColumnType,
  unit: string,
  description: string,
  get: Getter<CellResult>,
  varies = false,
) {
  return column(name, type, unit, description, ({ result }) => (result === undefined ? null : get(result)), varies);
}

/** A column of the estimate. */
function ofEstimate(name: string, type: ColumnType, unit: string, description: string, get: Getter<Estimate>) {
  return ofResult(name, type, unit, description, ({ estimate }) => (estimate === null ? null : get(estimate)));
}

/** A column of what is known to be true of the cell, beside its estimate. */
function ofTruth(
  name: string,
  type: ColumnType,
  description: string,
  get: (truth: Truth, estimate: Estimate) => number | undefined,
) {
  return column(name, type, "", description, ({ config, result }) => {
    const estimate = result?.estimate ?? null;
    const truth = estimate === null ? undefined : truthOf(config);
    return estimate === null || truth === undefined ? null : get(truth, estimate);
  });
}

function finiteOrNull(value: Scalar | null | undefined): Scalar | null {
  if (value === undefined || value === null) return null;
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}

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
  ofEstimate("lambda_hat", "number", "", "local learning coefficient; read it with its verdict", (e) => e.lambdaHat),
  ofEstimate("lambda_se", "number", "", "standard error of lambda_hat", (e) => e.lambdaSe),
  ofEstimate("verdict", "string", "", "health of the estimate", (e) => e.verdict),
  ofEstimate("verdict_reason", "string", "", "the numbers behind the verdict", (e) => e.verdictReason),
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
  ofEstimate("r_hat", "number", "", "rank-normalised split R-hat (Vehtari et al. 2021)", (e) => e.rHat),
  ofEstimate("ess", "number", "draws", "effective sample size, bulk", (e) => e.essBulk),
  ofEstimate("ess_tail", "number", "draws", "effective sample size, tail", (e) => e.essTail),
  ofEstimate("geweke_z", "number", "", "largest |z| over chains (Geweke 1992)", (e) => e.gewekeZ),
  ofEstimate("var_over_mean", "number", "", "var(x) / mean(x); 1 when x is Gamma(lambda, 1)", (e) => e.varOverMean),
  ofEstimate("quad", "number", "", "closed form 1/2 sum_i t s_i / (t s_i + gamma)", (e) => e.quad),
  ofEstimate("ceiling", "number", "", "min(parameters, rank J) / 2", (e) => e.ceiling),
  ofEstimate("displacement", "number", "", "mean |w - w0| over draws", (e) => e.displacement),
  ofEstimate("base_loss", "number", NATS, "loss at w0 over the training rows", (e) => e.baseLoss),
  ofEstimate("n_beta", "number", "", "inverse temperature times samples, t = n beta", (e) => e.nBeta),
  ofEstimate("gamma", "number", "", "strength of the pull to w0", (e) => e.gamma),
  ofEstimate("step_size", "number", "", "step size epsilon of the sampler", (e) => e.stepSize),
  ofEstimate("n", "integer", "samples", "samples the estimate is over: training rows x positions", (e) => e.n),
  ofEstimate("chains", "integer", "", "sampling chains", (e) => e.chains),
  ofEstimate("draws", "integer", "", "recorded draws of each chain", (e) => e.draws),
  ofEstimate("burn_in", "integer", "steps", "steps before the first draw", (e) => e.burnIn),
  ofEstimate("estimate_batch", "integer", "rows", "rows of a sampler's minibatch", (e) => e.batch),
  ofEstimate(
    "kernel_rows",
    "integer",
    "rows",
    "rows of the kernel matrix behind quad and ceiling",
    (e) => e.kernelRows,
  ),
  ofEstimate("kernel_top", "number", "", "largest eigenvalue of the kernel", (e) => e.kernelTop),
  ofEstimate("gradients", "integer", "", "minibatch gradients spent on the estimate", (e) => e.gradients),
  ofEstimate("non_finite", "integer", "draws", "draws that were not finite", (e) => e.nonFinite),
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
  column("attempts", "integer", "", "times the cell was leased", (row) => row.attempts, true),
  column("cached", "boolean", "", "the result stood in the store before the sweep", (row) => row.cached, true),
];

/** Axes of these names have no column of their own: a column of the result says the same ("seed", "estimate.batch"). */
const RESULT_NAMES = new Set(RESULT_COLUMNS.map(({ name }) => name));

/** All columns of a table of these rows, in order: the cell's id, one for each axis, the results. No name stands twice. */
export function columnsOf(rows: readonly ResultRow[], axes: readonly string[]): readonly ResultColumn[] {
  return [
    ...LEADING_COLUMNS,
    ...axes.filter((path) => !RESULT_NAMES.has(snakeCase(path))).map((path) => axisColumn(path, rows)),
    ...RESULT_COLUMNS,
  ];
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
