/**
 * The values of one axis: a list, or a range whose values are made when they are asked for, so that an axis of a million
 * values takes no memory.
 */
import type { Json } from "../core/canonical-json.ts";
import type { FieldValue } from "./field.ts";

export interface AxisValues {
  readonly length: number;
  at(index: number): FieldValue;
  /** One form for the same values: an array, or for a long range the range. */
  readonly canonical: Json;
}

export function listValues(values: readonly FieldValue[]): AxisValues {
  return { length: values.length, at: (index) => values[index]!, canonical: values };
}

export type Spacing = "log" | "linear";

/** Ranges up to this long are the same as the list of their values. */
export const LISTED_RANGE = 1000;
/** The longest range; grids get large by their product, not by one axis. */
export const LONGEST_RANGE = 1_000_000_000;

/**
 * `count` values from `first` to `last`, both included: equal differences (linear) or equal ratios (log). Values are
 * rounded to 12 digits, so that 0.01 to 1 in 3 has exactly 0.1 in the middle, and to integers where the field takes only
 * those.
 */
export function rangeValues(
  spacing: Spacing,
  first: number,
  last: number,
  count: number,
  integer: boolean,
): AxisValues {
  const round = (value: number): number => (integer ? Math.round(value) : Number(value.toPrecision(12)));
  const at = (index: number): number => {
    if (index === 0) return round(first);
    if (index === count - 1) return round(last);
    const part = index / (count - 1);
    return round(spacing === "log" ? first * (last / first) ** part : first + (last - first) * part);
  };
  if (count <= LISTED_RANGE) return listValues(Array.from({ length: count }, (_, index) => at(index)));
  return { length: count, at, canonical: { [spacing]: [first, last, count] } };
}

/** The smallest distance of neighbours of a range, before rounding. */
export function smallestGap(spacing: Spacing, first: number, last: number, count: number): number {
  if (count < 2) return Infinity;
  if (spacing === "linear") return Math.abs(last - first) / (count - 1);
  const ratio = (Math.max(first, last) / Math.min(first, last)) ** (1 / (count - 1));
  return Math.min(first, last) * (ratio - 1);
}
