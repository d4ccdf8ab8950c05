/** A variant: one kind of a section with a value, or an axis of values, for each of its fields. */
import type { Json } from "../core/canonical-json.ts";
import type { AxisValues } from "./axis-values.ts";
import type { FieldValue } from "./field.ts";
import type { Written } from "./read-values.ts";
import type { Kind, SectionName } from "./sections.ts";

export interface FieldAxis {
  readonly section: SectionName;
  readonly field: string;
  readonly values: AxisValues;
}

/** As a file writes it: only the fields that stand there. */
export interface WrittenVariant {
  readonly section: SectionName;
  readonly kind: Kind;
  readonly offset: number;
  readonly written: ReadonlyMap<string, Written>;
  /** Fields that stand there but cannot be read: reported, and not to be reported as missing too. */
  readonly unreadable: ReadonlySet<string>;
}

/** With every field that it has: written, from `defaults`, or preset. Fields that scale supplies are left out. */
export interface Variant extends WrittenVariant {
  /** One value of each field, by path; of an axis, its first. */
  readonly base: Readonly<Record<string, FieldValue>>;
  /** By field name, so that the order of a file's keys does not show. */
  readonly axes: readonly FieldAxis[];
  /** False: a field has no value, which is reported; no cell can be made of it. */
  readonly isComplete: boolean;
}

/** Where a field's value stands, or the variant itself when it is written nowhere. */
export function offsetOfField(variant: WrittenVariant, field: string): number {
  return variant.written.get(field)?.offset ?? variant.offset;
}

/** How a resolved spec writes it: every field, axes as lists. */
export function canonicalVariant(variant: Variant, tag: string | undefined): Json {
  const out: Record<string, Json> = tag === undefined ? {} : { [tag]: variant.kind.kind };
  for (const [field, value] of Object.entries(variant.base)) {
    const axis = variant.axes.find((candidate) => candidate.field === field);
    put(out, field.split("."), axis === undefined ? value : axis.values.canonical);
  }
  return out;
}

function put(into: Record<string, Json>, path: readonly string[], value: Json): void {
  const [head, ...rest] = path;
  if (rest.length === 0) {
    into[head!] = value;
    return;
  }
  const inner = (into[head!] ?? {}) as Record<string, Json>;
  into[head!] = inner;
  put(inner, rest, value);
}
