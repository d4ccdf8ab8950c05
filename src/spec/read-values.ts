/** Reads what stands behind a field: one value, a list, or a range; and checks every value against the field. */
import {
  LISTED_RANGE,
  listValues,
  LONGEST_RANGE,
  rangeValues,
  smallestGap,
  type AxisValues,
  type Spacing,
} from "./axis-values.ts";
import type { Field, FieldValue } from "./field.ts";
import { shown, type Findings } from "./problem.ts";
import { nodeText, type ListNode, type MapNode, type ScalarNode, type SourceNode } from "./source-tree.ts";

/** A field's values as they were written. */
export interface Written {
  readonly offset: number;
  /** Undefined: one fixed value. */
  readonly axis: AxisValues | undefined;
  /** The fixed value; of an axis, the first. */
  readonly value: FieldValue;
}

export const RANGE_KEYS = ["log", "linear", "values"] as const;
const RANGE_FORMS = "{log: [first, last, count]}, {linear: [first, last, count]} or {values: [...]}";

/** @returns undefined when nothing usable stands there (it is reported) */
export function readValues(node: SourceNode, field: Field, path: string, findings: Findings): Written | undefined {
  if (isOneValue(node, field)) {
    const value = readValue(node, field, path, findings, field.numeric ? `; or a list of such, or ${RANGE_FORMS}` : "");
    return value === undefined ? undefined : { offset: node.offset, axis: undefined, value };
  }
  const axis = readAxis(node, field, path, findings);
  return axis === undefined ? undefined : { offset: node.offset, axis, value: axis.at(0) };
}

function readAxis(node: SourceNode, field: Field, path: string, findings: Findings): AxisValues | undefined {
  if (node.kind === "list") return readList(node, field, path, findings);
  return node.kind === "map" ? readRange(node, field, path, findings) : undefined;
}

/** A list of numbers is one value of a field of lists; a list of lists, or of their texts, is an axis of such values. */
function isOneValue(node: SourceNode, field: Field): boolean {
  if (node.kind !== "list" || field.list === undefined) return node.kind === "scalar";
  const isNumber = (item: SourceNode): boolean => item.kind === "scalar" && typeof item.value === "number";
  return node.items.some(isNumber) && node.items.every((item) => item.kind === "scalar");
}

/** What stands there as a plain value, for a check without a report; undefined for what is no value. */
export function plainValue(node: SourceNode): unknown {
  if (node.kind === "map") return undefined;
  return node.kind === "scalar" ? node.value : node.items.map(plainValue);
}

/** One value, checked. */
export function readValue(
  node: SourceNode,
  field: Field,
  path: string,
  findings: Findings,
  alsoAccepted = "",
): FieldValue | undefined {
  if (node.kind === "list" && field.list !== undefined) return readListValue(node, field, path, findings);
  if (node.kind !== "scalar") {
    findings.add(node.offset, `${path} takes one value here, not ${nodeText(node)}`, field.accepted);
    return undefined;
  }
  const isNone = node.value === "none" && field.nullable && !field.words.includes("none");
  const checked = field.check(isNone ? null : node.value);
  if (checked !== undefined) return checked.value;
  reportWrong(node, field, path, findings, alsoAccepted);
  return undefined;
}

/** A list that is one value. Each item that may not stand in it is reported where it stands. */
function readListValue(node: ListNode, field: Field, path: string, findings: Findings): FieldValue | undefined {
  const items = node.items.map(plainValue);
  const checked = field.check(items);
  if (checked !== undefined) return checked.value;
  const wrong = node.items.filter((_, i) => field.list?.takes(items[i]) !== true);
  for (const item of wrong) {
    findings.add(item.offset, `${path} cannot have ${nodeText(item)} in its list`, field.list!.accepted);
  }
  if (wrong.length === 0) findings.add(node.offset, `${path} cannot be ${shown(items)}`, field.accepted);
  return undefined;
}

function reportWrong(node: ScalarNode, field: Field, path: string, findings: Findings, alsoAccepted: string): void {
  const message = `${path} cannot be ${nodeText(node)}`;
  if (typeof node.value === "string" && field.words.length > 0 && !field.numeric && field.list === undefined) {
    findings.addUnknown(node.offset, message, node.value, field.words);
  } else findings.add(node.offset, message, field.accepted + alsoAccepted);
}

function readList(node: ListNode, field: Field, path: string, findings: Findings): AxisValues | undefined {
  if (node.items.length === 0) {
    findings.add(
      node.offset,
      `${path} is an empty list: the grid would have no cell`,
      `at least one of: ${field.accepted}`,
    );
    return undefined;
  }
  const values: FieldValue[] = [];
  const seen = new Set<FieldValue>();
  const add = (value: FieldValue, offset: number): void => {
    if (seen.has(value)) findings.add(offset, `${path} has ${shown(value)} twice`, "each value once");
    else values.push(value);
    seen.add(value);
  };
  for (const item of node.items) {
    const range = item.kind === "map" ? readRange(item, field, path, findings) : undefined;
    if (range !== undefined && range.length > LISTED_RANGE) {
      findings.add(item.offset, `a range inside a list has at most ${LISTED_RANGE} values, not ${range.length}`);
    } else if (range !== undefined) {
      for (let i = 0; i < range.length; i += 1) add(range.at(i), item.offset);
    } else if (item.kind !== "map") {
      const value = readValue(item, field, path, findings);
      if (value !== undefined) add(value, item.offset);
    }
  }
  return values.length === 0 ? undefined : listValues(values);
}

function readRange(node: MapNode, field: Field, path: string, findings: Findings): AxisValues | undefined {
  const entry = node.entries[0];
  for (const other of node.entries) {
    if ((RANGE_KEYS as readonly string[]).includes(other.key)) continue;
    findings.addUnknown(other.keyOffset, `${path}: "${other.key}" is no kind of range`, other.key, RANGE_KEYS);
  }
  if (node.entries.length !== 1 || entry === undefined) {
    findings.add(node.offset, `${path}: a range has exactly one key`, RANGE_FORMS);
    return undefined;
  }
  if (entry.key === "values") {
    if (entry.value.kind === "list") return readList(entry.value, field, path, findings);
    findings.add(entry.value.offset, `${path}: values takes a list, not ${nodeText(entry.value)}`, RANGE_FORMS);
    return undefined;
  }
  if (entry.key !== "log" && entry.key !== "linear") return undefined;
  return readSpacedRange(entry.key, entry.value, field, path, findings);
}

function readSpacedRange(
  spacing: Spacing,
  node: SourceNode,
  field: Field,
  path: string,
  findings: Findings,
): AxisValues | undefined {
  if (!field.numeric) {
    findings.add(node.offset, `${path} takes no range, for it is not numeric`, field.accepted);
    return undefined;
  }
  const numbers = node.kind === "list" ? node.items.map((item) => (item.kind === "scalar" ? item.value : null)) : [];
  const [first, last, count] = numbers;
  if (numbers.length !== 3 || typeof first !== "number" || typeof last !== "number" || typeof count !== "number") {
    findings.add(node.offset, `${path}: ${spacing} takes three numbers`, `${spacing}: [first, last, count]`);
    return undefined;
  }
  const mistake = rangeMistake(spacing, first, last, count, field.integer);
  if (mistake !== undefined) {
    findings.add(node.offset, `${path}: ${spacing}: [${first}, ${last}, ${count}] ${mistake}`);
    return undefined;
  }
  const values = rangeValues(spacing, first, last, count, field.integer);
  return rangeInField(values, node, field, path, findings) ? values : undefined;
}

function rangeMistake(
  spacing: Spacing,
  first: number,
  last: number,
  count: number,
  integer: boolean,
): string | undefined {
  if (!Number.isFinite(first) || !Number.isFinite(last)) return "has an end that is not finite";
  if (!Number.isInteger(count) || count < 1) return "has a count that is no integer of at least 1";
  if (count > LONGEST_RANGE) return `has more than ${LONGEST_RANGE} values`;
  if (count === 1 && first !== last) return "has two ends but one value: the count must be at least 2";
  if (count > 1 && first === last) return "gives the same value more than once: its ends must differ";
  if (spacing === "log" && !(first > 0 && last > 0)) return "needs two ends above 0";
  // Below a gap of 1 two neighbours may round to one integer; short ranges are looked at value by value.
  if (!integer || smallestGap(spacing, first, last, count) >= 1) return undefined;
  if (count > LISTED_RANGE) return "has neighbours that round to the same integer";
  const values = rangeValues(spacing, first, last, count, true);
  const distinct = new Set(Array.from({ length: count }, (_, index) => values.at(index)));
  return distinct.size < count ? "has neighbours that round to the same integer" : undefined;
}

/** A range is monotone: a long one is in a numeric field's bounds when both of its ends are. */
function rangeInField(values: AxisValues, node: SourceNode, field: Field, path: string, findings: Findings): boolean {
  const step = values.length <= LISTED_RANGE ? 1 : values.length - 1;
  for (let i = 0; i < values.length; i += step) {
    if (field.check(values.at(i)) !== undefined) continue;
    findings.add(node.offset, `${path} cannot be ${shown(values.at(i))}, value ${i + 1} of this range`, field.accepted);
    return false;
  }
  return true;
}
