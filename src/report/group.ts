/** Cells grouped by the value of one axis, with means and intervals from src/stats. */
import { axisValue, type ReportAxis } from "./axis.ts";
import { estimatedCells, isOk, LAMBDA, LAMBDA_B, type Coefficient } from "./estimated.ts";
import type { Scalar } from "../catalogue/entry.ts";
import { rootKey } from "../core/random.ts";
import { bootstrapMeanInterval } from "../stats/bootstrap.ts";
import { mean, standardError } from "../stats/moments.ts";
import type { ResultRow } from "../result/row.ts";

/** A mean with its 95 % interval; no interval for a single value. */
export interface MeanInterval {
  readonly n: number;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface AxisGroup {
  readonly value: Scalar;
  readonly rows: readonly ResultRow[];
  /** Over the cells whose verdict is ok; undefined when there are none. */
  readonly lambdaHat: MeanInterval | undefined;
  /** The same of the behavioural estimates, where they stand beside. */
  readonly lambdaB: MeanInterval | undefined;
  readonly testLoss: MeanInterval | undefined;
  readonly testAccuracy: MeanInterval | undefined;
}

/** One group for each value of the axis, in its order. Rows that lack the axis are in none. */
export function groupByAxis(rows: readonly ResultRow[], axis: ReportAxis): readonly AxisGroup[] {
  const groups = new Map<Scalar, ResultRow[]>(axis.values.map((value) => [value, []]));
  for (const row of rows) {
    const value = axisValue(row, axis.path);
    if (value !== null) groups.get(value)?.push(row);
  }
  return [...groups].map(([value, members]) => ({
    value,
    rows: members,
    lambdaHat: lambdaInterval(`${axis.path}/${String(value)}/lambda-hat`, members, LAMBDA),
    lambdaB: lambdaInterval(`${axis.path}/${String(value)}/lambda-b`, members, LAMBDA_B),
    testLoss: meanInterval(
      `${axis.path}/${String(value)}/loss`,
      numbers(members, (row) => row.result?.testLoss),
    ),
    testAccuracy: meanInterval(
      `${axis.path}/${String(value)}/accuracy`,
      numbers(members, (row) => row.result?.testAccuracy),
    ),
  }));
}

function lambdaInterval(name: string, rows: readonly ResultRow[], coefficient: Coefficient): MeanInterval | undefined {
  const ok = estimatedCells(rows, coefficient).filter(isOk);
  return meanInterval(
    name,
    ok.map(({ lambdaHat }) => lambdaHat),
  );
}

function numbers(rows: readonly ResultRow[], of: (row: ResultRow) => number | null | undefined): readonly number[] {
  return rows.map(of).filter((value) => value !== null && value !== undefined);
}

/** Means of lambda-hat over ok cells at each value of an axis, for each value of another axis where one is given. */
export interface LambdaMean {
  readonly value: Scalar;
  /** The value of the other axis. */
  readonly split: Scalar | null;
  readonly interval: MeanInterval;
}

export function lambdaMeans(
  groups: readonly AxisGroup[],
  split: ReportAxis | undefined,
  coefficient: Coefficient,
): readonly LambdaMean[] {
  const meanOf = (group: AxisGroup): MeanInterval | undefined =>
    coefficient === LAMBDA_B ? group.lambdaB : group.lambdaHat;
  return groups.flatMap((group): readonly LambdaMean[] => {
    const { value, rows } = group;
    const parts = split === undefined ? [group] : groupByAxis(rows, split);
    return parts.flatMap((part) => {
      const interval = meanOf(part);
      return interval === undefined ? [] : [{ value, split: split === undefined ? null : part.value, interval }];
    });
  });
}

/** Resamples of a bootstrap interval. */
const RESAMPLES = 1000;

/** Over more values than this the mean is normal for all that a plot can show, and resampling would take minutes. */
const MAX_RESAMPLED = 500;

/** The 97.5 % quantile of a standard normal. */
const NORMAL_975 = 1.959963984540054;

/** @param name tells this interval's draws from all others' */
function meanInterval(name: string, numbers: readonly number[]): MeanInterval | undefined {
  if (numbers.length === 0) return undefined;
  const values = Float64Array.from(numbers);
  const n = values.length;
  const centre = mean(values);
  if (n > MAX_RESAMPLED) {
    const half = NORMAL_975 * standardError(values);
    return { n, mean: centre, low: finiteOrNull(centre - half), high: finiteOrNull(centre + half) };
  }
  const { low, high } = bootstrapMeanInterval(values, { key: rootKey(`report/${name}`), resamples: RESAMPLES });
  return { n, mean: centre, low: finiteOrNull(low), high: finiteOrNull(high) };
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** What the intervals of these groups are, for a caption. */
export function intervalText(groups: readonly AxisGroup[]): string {
  const resampled = groups.every(({ rows }) => rows.length <= MAX_RESAMPLED);
  return resampled ? "95 % bootstrap interval" : `95 % interval (bootstrap; normal from ${MAX_RESAMPLED + 1} cells on)`;
}
