/** Overrides: fields that are set anew for the points that a condition picks. Later ones see what earlier ones set. */
import type { Expression } from "./expression.ts";
import type { Field, FieldValue } from "./field.ts";
import type { SectionName } from "./sections.ts";

export interface Setting {
  readonly section: SectionName;
  readonly field: string;
  readonly value: FieldValue;
  readonly offset: number;
  /** The fields of that name, by kind: a setting acts on the kinds that accept it. */
  readonly byKind: ReadonlyMap<string, Field>;
}

export interface Override {
  readonly when: Expression;
  readonly set: readonly Setting[];
}
