/**
 * Metric points as they are stored: a chunk is the wire's MetricColumns, so that what a worker sent is what a reader gets and a
 * double keeps every bit (NaN and infinities included, which SQL columns lose).
 */
import { MetricColumns } from "../../proto/gen/occam/v1/common.ts";

export type { MetricColumns };

/** Readers hold steps as doubles. */
const STEP_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** Why these columns are no points; "" when they are. */
export function whyNoPoints({ names, name, step, value }: MetricColumns): string {
  if (step.length !== name.length || value.length !== name.length) {
    return `columns have ${name.length}, ${step.length} and ${value.length} entries`;
  }
  if (name.some((index) => index >= names.length)) return "a point is of a series that is not named";
  const tooFar = step.find((each) => each > STEP_MAX);
  return tooFar === undefined ? "" : `a point is of step ${tooFar}; the last that there can be is ${STEP_MAX}`;
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
