/**
 * Metric points as they are stored: a chunk is the wire's MetricColumns, so that what a worker sent is what a reader gets and a
 * double keeps every bit (NaN and infinities included, which SQL columns lose).
 */
import { MetricColumns } from "../../proto/gen/occam/v1/common.ts";
import { OccamError } from "../../src/core/errors.ts";

export type { MetricColumns };

/** Number of points. @throws OccamError "protocol" when the columns are not of one length or name a series that is not there */
export function countPoints({ names, name, step, value }: MetricColumns): number {
  if (step.length !== name.length || value.length !== name.length) {
    throw refused(`columns have ${name.length}, ${step.length} and ${value.length} entries`);
  }
  if (name.some((index) => index >= names.length)) throw refused(`a point is of a series that is not named`);
  return name.length;
}

/** A chunk of all points but the first `skip`. */
export function encodeChunk(columns: MetricColumns, skip: number): Uint8Array {
  const rest = skip === 0 ? columns : sliceOf(columns, skip);
  return MetricColumns.encode(rest).finish();
}

export function decodeChunk(data: Uint8Array): MetricColumns {
  return MetricColumns.decode(data);
}

function sliceOf({ names, name, step, value }: MetricColumns, from: number): MetricColumns {
  return { names, name: name.slice(from), step: step.slice(from), value: value.slice(from) };
}

/** The points of series whose name begins so; undefined when there are none. */
export function selectSeries(columns: MetricColumns, prefix: string): MetricColumns | undefined {
  const kept = columns.names.map((name) => name.startsWith(prefix));
  if (kept.every(Boolean)) return columns.name.length === 0 ? undefined : columns;
  const places = [...columns.name.keys()].filter((place) => kept[columns.name[place]!]);
  if (places.length === 0) return undefined;
  return {
    names: columns.names,
    name: places.map((place) => columns.name[place]!),
    step: places.map((place) => columns.step[place]!),
    value: places.map((place) => columns.value[place]!),
  };
}

function refused(why: string): OccamError {
  return new OccamError("protocol", `a batch of metrics is refused: ${why}`);
}
