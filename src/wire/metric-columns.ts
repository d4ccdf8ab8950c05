/** Metric points <-> the columns that they travel in: names once, indexes after that. */
import type { MetricColumns } from "../../proto/gen/occam/v1/common.ts";
import { OccamError } from "../core/errors.ts";

export interface SeriesPoint {
  readonly series: string;
  readonly step: number;
  /** May be NaN or infinite. */
  readonly value: number;
}

/**
 * The series of gaps: a point (step, n) says that a worker could not keep n points of any series before it, the last of them of
 * this step. Where there is none, nothing is missing.
 */
export const DROPPED_SERIES = "stream.dropped";

/** Names are repeated in every batch, and shown in tables. */
export const SERIES_NAME_CHARS = 256;

/** Why a point can never be sent: the wire has whole steps, and readers hold them as doubles. "" when it can. */
export function whyUnsendable({ series, step }: SeriesPoint): string {
  if (!Number.isSafeInteger(step) || step < 0) return `step ${step} is no whole number from 0 to 2^53 - 1`;
  if (series.length > SERIES_NAME_CHARS)
    return `its name has ${series.length} characters, more than ${SERIES_NAME_CHARS}`;
  return "";
}

export function pointsToColumns(points: readonly SeriesPoint[]): MetricColumns {
  const indexes = new Map<string, number>();
  const name: number[] = [];
  const step: bigint[] = [];
  const value: number[] = [];
  for (const point of points) {
    let index = indexes.get(point.series);
    if (index === undefined) indexes.set(point.series, (index = indexes.size));
    name.push(index);
    step.push(BigInt(point.step));
    value.push(point.value);
  }
  return { names: [...indexes.keys()], name, step, value };
}

/** Throws "protocol" for columns of unequal length, a name that is missing or a step that no number holds exactly. */
export function columnsToPoints({ names, name, step, value }: MetricColumns): readonly SeriesPoint[] {
  if (name.length !== step.length || name.length !== value.length) {
    throw new OccamError("protocol", `columns of ${name.length} names, ${step.length} steps, ${value.length} values`);
  }
  return name.map((index, i) => {
    const series = names[index];
    const at = step[i]!;
    if (series === undefined) throw new OccamError("protocol", `point ${i} has name ${index} of ${names.length}`);
    if (at > BigInt(Number.MAX_SAFE_INTEGER)) throw new OccamError("protocol", `point ${i} has step ${at}`);
    return { series, step: Number(at), value: value[i]! };
  });
}
