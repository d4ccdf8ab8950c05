/**
 * The series of a sweep on their way to metrics.parquet and to the curves of the report: one pass, bounded memory.
 *
 * Invariants:
 * 1. Every point goes to the file, in the order in which it came.
 * 2. A kept curve has at most MAX_CURVE_POINTS points: when it is full, every second one is dropped and from then on only
 *    every second one is taken, so that the points stay evenly spaced.
 */
import type { ParquetColumn, ParquetRows } from "./parquet.ts";

/** Points of one cell, in columns: point i is (names[name[i]], step[i], value[i]). The shape of the wire's MetricColumns. */
export interface SeriesChunk {
  readonly cellId: string;
  readonly names: readonly string[];
  readonly name: readonly number[];
  readonly step: readonly bigint[];
  readonly value: readonly number[];
}

export type SeriesSource = Iterable<SeriesChunk> | AsyncIterable<SeriesChunk>;

export const METRIC_COLUMNS: readonly ParquetColumn[] = [
  { name: "cell_id", type: "string", nullable: false },
  { name: "series", type: "string", nullable: false },
  { name: "step", type: "integer", nullable: false },
  { name: "value", type: "number", nullable: false },
];

/** Points of a row group: some tens of megabytes while it is encoded. */
const GROUP_POINTS = 131_072;

/** Points of a curve that is drawn: more than a panel has pixels are not seen. */
const MAX_CURVE_POINTS = 512;

/** Row groups of all points; `keeper` sees each chunk once. */
export async function* seriesGroups(source: SeriesSource, keeper: CurveKeeper): AsyncGenerator<ParquetRows> {
  let group = new SeriesGroup();
  for await (const chunk of source) {
    keeper.take(chunk);
    for (let i = 0; i < chunk.value.length; i += 1) {
      group.add(chunk.cellId, chunk.names[chunk.name[i]!]!, chunk.step[i]!, chunk.value[i]!);
      if (group.size < GROUP_POINTS) continue;
      yield group.rows();
      group = new SeriesGroup();
    }
  }
  if (group.size > 0) yield group.rows();
}

class SeriesGroup {
  size = 0;
  readonly #cell: string[] = [];
  readonly #series: string[] = [];
  readonly #step = new BigInt64Array(GROUP_POINTS);
  readonly #value = new Float64Array(GROUP_POINTS);

  add(cellId: string, series: string, step: bigint, value: number): void {
    this.#cell.push(cellId);
    this.#series.push(series);
    this.#step[this.size] = step;
    this.#value[this.size] = value;
    this.size += 1;
  }

  rows(): ParquetRows {
    return [this.#cell, this.#series, this.#step.subarray(0, this.size), this.#value.subarray(0, this.size)];
  }
}

interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

/** Six significant digits: a curve's picture needs no more, and the report carries each point. */
export const drawnValue = (value: number): number => Number(value.toPrecision(6));

/** One series of one cell, thinned for drawing. */
export interface Curve {
  readonly cellId: string;
  readonly series: string;
  readonly points: readonly CurvePoint[];
  /** Points that the series has in all. */
  readonly total: number;
}

/** Holds the curves of a few wanted cells. */
export class CurveKeeper {
  readonly #wanted: ReadonlySet<string>;
  readonly #curves = new Map<string, MutableCurve>();

  constructor(wanted: Iterable<string>) {
    this.#wanted = new Set(wanted);
  }

  take(chunk: SeriesChunk): void {
    if (!this.#wanted.has(chunk.cellId)) return;
    for (let i = 0; i < chunk.value.length; i += 1) {
      this.#curveOf(chunk.cellId, chunk.names[chunk.name[i]!]!).add(Number(chunk.step[i]!), chunk.value[i]!);
    }
  }

  /** Curves of a cell whose series name begins so, by name (chain.2 before chain.10). */
  curves(cellId: string, prefix: string): readonly Curve[] {
    return [...this.#curves.values()]
      .filter((curve) => curve.cellId === cellId && curve.series.startsWith(prefix))
      .sort((left, right) => left.series.localeCompare(right.series, "en", { numeric: true }));
  }

  #curveOf(cellId: string, series: string): MutableCurve {
    const key = `${cellId}/${series}`;
    const known = this.#curves.get(key);
    if (known !== undefined) return known;
    const curve = new MutableCurve(cellId, series);
    this.#curves.set(key, curve);
    return curve;
  }
}

class MutableCurve implements Curve {
  readonly cellId: string;
  readonly series: string;
  points: CurvePoint[] = [];
  total = 0;
  #stride = 1;

  constructor(cellId: string, series: string) {
    this.cellId = cellId;
    this.series = series;
  }

  add(step: number, value: number): void {
    if (this.total % this.#stride === 0) this.points.push({ step, value });
    this.total += 1;
    if (this.points.length < MAX_CURVE_POINTS) return;
    this.points = this.points.filter((_, index) => index % 2 === 0);
    this.#stride *= 2;
  }
}
