/**
 * One row per estimate: (cell, estimand, t, gamma). Cells have several where the loss and the behavioural loss are both estimated,
 * or where a curve over t or gamma was asked for; without either the table says nothing that results.csv does not.
 *
 * Invariant: rows come in the order of the cells; of each cell the estimate first, then its curve, then the second estimand.
 */
import type { CurvePointResult, Estimate } from "./cell-result.ts";
import { column, lifted, type Column } from "./column.ts";
import { axisColumns, LEADING_COLUMNS, type ResultRow } from "./row.ts";
import { truthAt, truthBeside } from "./truth-beside.ts";

export interface EstimateRow {
  readonly cell: ResultRow;
  /** What its curve belongs to. */
  readonly main: Estimate;
  readonly point: CurvePointResult;
}

/** Has any cell more than one estimate? */
export function hasFurtherEstimates(rows: readonly ResultRow[]): boolean {
  return rows.some(({ result }) => {
    const { estimate, behavioural } = result ?? {};
    return [estimate, behavioural].some((one) => (one?.curve.length ?? 0) > 0) || (behavioural ?? null) !== null;
  });
}

/** The estimates of one cell: the main one of each estimand, and every point of its curve. */
export function estimateRowsOf(cell: ResultRow): readonly EstimateRow[] {
  const { estimate, behavioural } = cell.result ?? {};
  return [estimate, behavioural].flatMap((main) => {
    if (main === undefined || main === null) return [];
    return [main, ...main.curve].map((point) => ({ cell, main, point }));
  });
}

export function estimateColumns(rows: readonly ResultRow[], axes: readonly string[]): readonly Column<EstimateRow>[] {
  const ofCell = [...LEADING_COLUMNS, ...axisColumns(rows, axes)].map((one) =>
    lifted(one, ({ cell }: EstimateRow) => cell),
  );
  return [...ofCell, ...OWN_COLUMNS];
}

const at = ({ main, point }: EstimateRow) => ({ estimand: main.estimand, nBeta: point.nBeta, gamma: point.gamma });

const ratio = (value: number | null, to: number | null): number | null =>
  value === null || to === null || to === 0 ? null : Number((value / to).toPrecision(12));

const OWN_COLUMNS: readonly Column<EstimateRow>[] = [
  column("seed", "string", "", "seed of the cell, an unsigned 64-bit integer", ({ cell }) => cell.config.seed),
  column("estimand", "string", "", "whose coefficient it is", ({ main }) => main.estimand),
  column("sampler", "string", "", "what sampled it", ({ main }) => main.sampler),
  column("t_factor", "number", "", "t over that of the cell's estimate; both factors are 1 for the estimate itself", ({ main, point }) => ratio(point.nBeta, main.nBeta)),
  column("gamma_factor", "number", "", "gamma over that of the cell's estimate", ({ main, point }) => ratio(point.gamma, main.gamma)),
  column("n_beta", "number", "", "t = n beta", ({ point }) => point.nBeta),
  column("gamma", "number", "", "strength of the pull to w0", ({ point }) => point.gamma),
  column("lambda_hat", "number", "", "local learning coefficient; read it with its verdict", ({ point }) => point.lambdaHat),
  column("lambda_se", "number", "", "standard error of lambda_hat", ({ point }) => point.lambdaSe),
  column("verdict", "string", "", "health of this estimate", ({ point }) => point.verdict),
  column("truth_at_t", "number", "", "exact at this t and gamma, where it is known", (row) => truthAt(row.cell.config, at(row))),
  column("truth_local_lambda", "number", "", "its limit for large t, where it is known", (row) => truthBeside(row.cell.config, row.main)?.localLambda),
]; // prettier-ignore
