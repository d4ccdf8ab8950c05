/** The axes of a sweep as a report shows them: which of them vary, how their values are ordered and drawn. */
import type { Scalar } from "../catalogue/entry.ts";
import type { ResultRow } from "../result/row.ts";

export interface ReportAxis {
  /** As the spec names it: "optimizer.learningRate". */
  readonly path: string;
  /** How its values are laid out: names, numbers, or positive numbers a constant factor apart. */
  readonly scale: "category" | "linear" | "log";
  /** Distinct values that rows have: numbers ascending, others in the order of the grid. */
  readonly values: readonly Scalar[];
}

/** Below this ratio of the largest to the smallest value a logarithmic scale shows nothing. */
const MIN_LOG_RATIO = 4;

/** What tells replicates apart: averaged over, not compared. */
const REPLICATE_AXES: ReadonlySet<string> = new Set(["seed", "replicate"]);

/** Axes with at least two values, in the spec's order, without those of replicates. */
export function varyingAxes(rows: readonly ResultRow[], paths: readonly string[]): readonly ReportAxis[] {
  return paths
    .filter((path) => !REPLICATE_AXES.has(path))
    .map((path) => reportAxis(path, rows))
    .filter((axis) => axis.values.length > 1);
}

function reportAxis(path: string, rows: readonly ResultRow[]): ReportAxis {
  const distinct = new Set<Scalar>();
  for (const row of rows) {
    const value = axisValue(row, path);
    if (value !== null) distinct.add(value);
  }
  const values = [...distinct];
  if (values.length === 0 || !values.every((value) => typeof value === "number"))
    return { path, scale: "category", values };
  const ascending = values.sort((left, right) => left - right);
  return { path, scale: isLogLike(ascending) ? "log" : "linear", values: ascending };
}

export interface Follower {
  readonly axis: ReportAxis;
  /** Path of the kind that fixes its values. */
  readonly follows: string;
}

/**
 * Axes apart from those that only follow a kind, as `train.steps` does when each dataset has its own: cells of one kind that
 * have the axis all have one value of it, so comparing its values would compare the kinds once more under another name.
 */
export function withoutFollowers(
  rows: readonly ResultRow[],
  axes: readonly ReportAxis[],
): { readonly axes: readonly ReportAxis[]; readonly followers: readonly Follower[] } {
  const kinds = axes.filter(({ path }) => path.endsWith(".kind"));
  const followers = axes
    .filter((axis) => !kinds.includes(axis))
    .flatMap((axis): Follower[] => {
      const kind = kinds.find(({ path }) => follows(rows, axis.path, path));
      return kind === undefined ? [] : [{ axis, follows: kind.path }];
    });
  const left = new Set(followers.map(({ axis }) => axis));
  return { axes: axes.filter((axis) => !left.has(axis)), followers };
}

function follows(rows: readonly ResultRow[], path: string, kindPath: string): boolean {
  const valueOfKind = new Map<Scalar | null, Scalar>();
  return rows.every((row) => {
    const value = axisValue(row, path);
    if (value === null) return true;
    const kind = axisValue(row, kindPath);
    if (!valueOfKind.has(kind)) valueOfKind.set(kind, value);
    return valueOfKind.get(kind) === value;
  });
}

export function axisValue(row: ResultRow, path: string): Scalar | null {
  return row.point[path] ?? null;
}

/** All positive, far enough apart, and more evenly spaced as logarithms than as they are. */
function isLogLike(ascending: readonly number[]): boolean {
  const first = ascending[0]!;
  const last = ascending.at(-1)!;
  if (first <= 0 || last / first < MIN_LOG_RATIO) return false;
  return unevenness(ascending.map(Math.log)) <= unevenness(ascending);
}

/** The largest gap over the smallest gap. */
function unevenness(ascending: readonly number[]): number {
  const gaps = ascending.slice(1).map((value, index) => value - ascending[index]!);
  return Math.max(...gaps) / Math.min(...gaps);
}

/** Most colours that are told apart at a glance (and that the palette has). */
const MAX_COLOURS = 7;

/** The axis that points are coloured by: the architecture where it varies, else the first axis of a few names that all have. */
export function colourAxis(rows: readonly ResultRow[], axes: readonly ReportAxis[]): ReportAxis | undefined {
  const usable = axes
    .filter(({ scale, values }) => scale === "category" && values.length <= MAX_COLOURS)
    .filter(({ path }) => rows.every((row) => axisValue(row, path) !== null));
  const byPath = (path: string): ReportAxis | undefined => usable.find((axis) => axis.path === path);
  return byPath("architecture.kind") ?? byPath("optimizer.kind") ?? byPath("regulariser.kind") ?? usable[0];
}

/** Most rows of a count by arm. */
const MAX_ARMS = 16;

/** The parts of a cell that make its arm: as many of the kinds that vary as give a table of at most MAX_ARMS rows. */
export function armAxes(rows: readonly ResultRow[], axes: readonly ReportAxis[]): readonly ReportAxis[] {
  const kinds = axes.filter(({ path }) => path.endsWith(".kind"));
  const chosen = kinds.length > 0 ? kinds : axes.filter(({ scale }) => scale === "category").slice(0, 1);
  for (let count = chosen.length; count > 0; count -= 1) {
    const arm = chosen.slice(0, count);
    if (new Set(rows.map((row) => labelOf(row, arm))).size <= MAX_ARMS) return arm;
  }
  return [];
}

/** Which data a cell was trained on: losses of different data are never put on one scale. */
export function taskOf(row: ResultRow): string {
  return row.config.data.kind;
}

/** A cell or an arm in a few words: the values of these axes, those that it has. */
export function labelOf(row: ResultRow, axes: readonly ReportAxis[]): string {
  const parts = axes.flatMap(({ path, scale }) => {
    const value = axisValue(row, path);
    if (value === null) return [];
    return [scale === "category" && typeof value === "string" ? value : `${lastPart(path)} ${String(value)}`];
  });
  return parts.length === 0 ? "all cells" : parts.join(" · ");
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
