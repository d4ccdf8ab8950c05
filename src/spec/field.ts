/** One field of a variant: what its zod schema accepts, in words for a message and in a form that checks single values. */
import { z } from "zod";
import type { Scalar } from "../catalogue/entry.ts";
import { listText } from "../catalogue/number-list.ts";

/** A value of a field. Null where a field may be left open ("no target loss"), and where a field does not apply. */
export type FieldValue = Scalar | null;

interface JsonType {
  readonly type?: string | readonly string[];
  readonly enum?: readonly Scalar[];
  readonly const?: Scalar;
  readonly anyOf?: readonly JsonType[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly items?: JsonType;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly [other: string]: unknown;
}

/** What a list of numbers must be that is one value of a field. */
interface ListForm {
  /** What each of its numbers may be, for a message. */
  readonly accepted: string;
  /** May a list have this item? */
  takes(item: unknown): boolean;
}

export interface Field {
  /** Its path in its section: "learningRate", "stop.trainLoss". */
  readonly name: string;
  readonly description: string;
  /** Undefined: the user must give it. */
  readonly preset: FieldValue | undefined;
  /** Every number it takes is an integer. */
  readonly integer: boolean;
  /** Takes numbers, perhaps beside words; a field of lists does not. */
  readonly numeric: boolean;
  /** The only texts that it takes. */
  readonly words: readonly string[];
  readonly takesTrueFalse: boolean;
  readonly nullable: boolean;
  /** Its value is a list of numbers (`number-list.ts`), so that a list is one value and a list of lists an axis. */
  readonly list: ListForm | undefined;
  /** What it takes, for a message. */
  readonly accepted: string;
  /** JSON Schema of one value. */
  readonly json: Readonly<Record<string, unknown>>;
  /** The value as the schema gives it back, or undefined. */
  check(value: unknown): { readonly value: FieldValue } | undefined;
}

/** The fields of a strict zod object of flat scalars. `names` maps the object's keys to other paths. */
export function fieldsOf(
  schema: z.ZodObject,
  names: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, Field> {
  const json = z.toJSONSchema(schema, { io: "input" }) as { properties?: Record<string, JsonType> };
  const fields = new Map<string, Field>();
  for (const [key, type] of Object.entries(json.properties ?? {})) {
    const name = names[key] ?? key;
    fields.set(name, fieldOf(name, type, schema.shape[key] as z.ZodType));
  }
  return fields;
}

function fieldOf(name: string, type: JsonType, schema: z.ZodType): Field {
  const { default: _preset, description, ...json } = type;
  const arms = armsOf(type);
  const array = arms.find((arm) => arm.type === "array");
  // The other ways to write a list are no forms of their own.
  const forms = array === undefined ? arms : arms.filter((arm) => arm === array || wordsOf(arm).length > 0);
  const types = new Set(forms.flatMap((arm) => arm.type ?? []));
  const preset = schema.safeParse(undefined);
  return {
    name,
    description: description ?? "",
    preset: preset.success ? (preset.data as FieldValue) : undefined,
    integer: types.has("integer") && !types.has("number"),
    numeric: types.has("integer") || types.has("number"),
    words: arms.flatMap(wordsOf),
    takesTrueFalse: types.has("boolean"),
    nullable: types.has("null"),
    list: array === undefined ? undefined : listForm(array, schema),
    accepted: forms.map(inWords).join(", or "),
    json,
    check: (value) => {
      const parsed = schema.safeParse(value);
      return parsed.success && value !== undefined ? { value: parsed.data as FieldValue } : undefined;
    },
  };
}

function armsOf(type: JsonType): readonly JsonType[] {
  return type.anyOf?.flatMap(armsOf) ?? [type];
}

function listForm(array: JsonType, schema: z.ZodType): ListForm {
  const length = Math.max(1, array.minItems ?? 1);
  return {
    accepted: inWords(array.items ?? {}),
    // A list of nothing but this item is a value exactly where the item may stand in a list.
    takes: (item) => schema.safeParse(Array.from({ length }, () => item)).success,
  };
}

function wordsOf(arm: JsonType): string[] {
  const values = arm.enum ?? (arm.const === undefined ? [] : [arm.const]);
  return values.filter((value) => typeof value === "string");
}

function inWords(arm: JsonType): string {
  const words = wordsOf(arm);
  if (words.length === 1) return JSON.stringify(words[0]);
  if (words.length > 1) return `one of ${words.join(", ")}`;
  const types = [arm.type ?? []].flat();
  const texts = types.map((type) => {
    if (type === "integer") return `an integer${bounds(arm)}`;
    if (type === "number") return `a number${bounds(arm)}`;
    if (type === "boolean") return "true or false";
    if (type === "array") return listInWords(arm);
    return type === "string" ? "a text" : type;
  });
  return texts.join(" or ");
}

function listInWords({ items = {}, minItems = 0, maxItems = Infinity }: JsonType): string {
  const example = Array.from({ length: Math.max(2, minItems) }, (_, i) => i + 1);
  const each = `each ${inWords(items)}`;
  return `a list of ${minItems} to ${maxItems} numbers, ${each}: [${example.join(", ")}] or ${listText(example)}`;
}

function bounds(arm: JsonType): string {
  const low = safe(arm.minimum);
  const high = safe(arm.maximum);
  const parts: string[] = [];
  if (low !== undefined && high !== undefined) parts.push(`from ${low} to ${high}`);
  else if (low !== undefined) parts.push(`not below ${low}`);
  else if (high !== undefined) parts.push(`not above ${high}`);
  if (safe(arm.exclusiveMinimum) !== undefined) parts.push(`above ${arm.exclusiveMinimum}`);
  if (safe(arm.exclusiveMaximum) !== undefined) parts.push(`below ${arm.exclusiveMaximum}`);
  return parts.length === 0 ? "" : ` ${parts.join(" and ")}`;
}

/** zod writes the range of safe integers as bounds; a reader learns nothing from them. */
function safe(bound: number | undefined): number | undefined {
  return bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? undefined : bound;
}
