/**
 * The JSON Schema of a sweep file, for completion and checks in an editor. It is made from the schemas of the catalogue; the
 * copy beside this file is committed, and a test says when it is stale (and, run with `-u`, writes it anew).
 *
 * It knows every kind and field, not what takes a whole point: zips, conditions, what an architecture can learn. `occam plan`
 * checks those.
 */
import type { Json } from "../core/canonical-json.ts";
import type { Field } from "./field.ts";
import { SECTION_NAMES, sections, type Kind, type Section, type SectionName } from "./sections.ts";

type Schema = { readonly [key: string]: Json };

const ABOUT: Readonly<Record<SectionName, string>> = {
  data: "what is learned",
  architecture: "what learns",
  optimizer: "the update rule",
  regulariser: "explicit pressure towards simple solutions; none by default",
  scale:
    "sizes; each folds into the architecture's or the data's field of its name, and does not apply to one without it",
  train: "how a cell is trained",
  estimate: "how the learning coefficient of a trained cell is estimated, or none",
};

export function sweepSchema(): Schema {
  const definitions: Record<string, Json> = {
    range: rangeSchema(),
    values: mapping("values", { type: "array", minItems: 1 }),
    seed: seedSchema(),
  };
  for (const name of SECTION_NAMES) {
    definitions[`${name}Variant`] = { anyOf: variantsOf(sections().byName[name]) };
    definitions[name] = sectionSchema(name);
  }
  definitions["grid"] = gridSchema();
  const outside = Object.fromEntries([...SECTION_NAMES, "seed"].map((name) => [name, reference(name)]));
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    $id: "urn:occam:sweep:1",
    title: "Occam sweep",
    description: "A sweep over architecture x optimizer x regulariser x scale",
    type: "object",
    required: ["version", "name"],
    additionalProperties: false,
    properties: {
      version: { const: 1, description: "version of this format" },
      name: {
        type: "string",
        pattern: "^[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?$",
        description: "lower-case letters, digits and hyphens; sweeps and result folders are named after it",
      },
      description: { type: "string", description: "for people" },
      defaults: defaultsSchema(),
      ...outside,
      grid: {
        description: "the axes; a list is a union of sub-grids",
        anyOf: [reference("grid"), { type: "array", minItems: 1, items: reference("grid") }],
      },
      where: {
        description: "CEL: points for which this is false are left out; of a list, all must hold",
        anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
      },
      overrides: overridesSchema(),
    },
    definitions,
  };
}

/** As it is committed. */
export function sweepSchemaText(): string {
  return `${formatted(sweepSchema(), 0, 0)}\n`;
}

const reference = (name: string): Schema => ({ $ref: `#/definitions/${name}` });

function gridSchema(): Schema {
  const named = Object.fromEntries([...SECTION_NAMES, "seed"].map((name) => [name, reference(name)]));
  const paths = { type: "array", minItems: 2, items: { type: "string" } };
  return {
    type: "object",
    additionalProperties: false,
    properties: {
      ...named,
      zip: {
        description: "paths of axes that advance in step: [scale.width, train.steps], or a list of such lists",
        anyOf: [paths, { type: "array", minItems: 1, items: paths }],
      },
    },
  };
}

function sectionSchema(name: SectionName): Schema {
  const one = reference(`${name}Variant`);
  return { description: ABOUT[name], anyOf: [one, { type: "array", minItems: 1, items: one }] };
}

function variantsOf(section: Section): Schema[] {
  const kinds = [...section.kinds.values()];
  const names = section.tag === undefined ? [] : kinds.map(nameSchema);
  return [...names, ...kinds.map((kind) => variantSchema(section, kind))];
}

/** A kind by its name alone. */
function nameSchema({ kind, summary }: Kind): Schema {
  return { const: kind, description: summary };
}

function variantSchema(section: Section, kind: Kind): Schema {
  const properties: Record<string, Json> = {};
  const { tag } = section;
  if (tag !== undefined) {
    const kinds = {
      type: "array",
      minItems: 1,
      items: { enum: [...section.kinds.keys()] },
      contains: { const: kind.kind },
    };
    properties[tag] = { description: kind.summary, anyOf: [{ const: kind.kind }, kinds] };
  }
  for (const field of kind.fields.values()) place(properties, field.name.split("."), fieldSchema(field));
  return {
    type: "object",
    description: kind.summary,
    ...(tag === undefined || kind.kind === section.presetKind ? {} : { required: [tag] }),
    additionalProperties: false,
    properties,
  };
}

/** "stop.trainLoss" is a mapping in a mapping. */
function place(properties: Record<string, Json>, path: readonly string[], schema: Schema): void {
  const [head, ...rest] = path;
  if (rest.length === 0) {
    properties[head!] = schema;
    return;
  }
  const known = properties[head!] as { anyOf: [{ properties: Record<string, Json> }, Json] } | undefined;
  const inner = known?.anyOf[0].properties ?? {};
  place(inner, rest, schema);
  properties[head!] = {
    anyOf: [{ type: "object", additionalProperties: false, properties: inner }, { enum: ["none", null] }],
  };
}

/** One value, a list of values, or a range. */
function fieldSchema(field: Field): Schema {
  const one = field.json as Schema;
  const range = reference(field.numeric ? "range" : "values");
  const items = field.numeric ? { anyOf: [one, range] } : one;
  return {
    ...(field.description === "" ? {} : { description: field.description }),
    ...(field.preset === undefined ? {} : { default: field.preset }),
    anyOf: [one, { type: "array", minItems: 1, items }, range],
  };
}

function mapping(key: string, value: Json): Schema {
  return { type: "object", required: [key], additionalProperties: false, properties: { [key]: value } };
}

function rangeSchema(): Schema {
  const ends = { type: "array", minItems: 3, maxItems: 3, items: { type: "number" } };
  return {
    description: "first value, last value, count: equal ratios (log) or equal differences (linear)",
    anyOf: [mapping("log", ends), mapping("linear", ends), reference("values")],
  };
}

function seedSchema(): Schema {
  const seed = {
    anyOf: [
      { type: "integer", minimum: 0 },
      { type: "string", pattern: "^[0-9]{1,20}$" },
    ],
  };
  const ends = { type: "array", minItems: 3, maxItems: 3, items: { type: "integer", minimum: 0 } };
  return {
    description:
      "explicit seeds are the same in every arm (common random numbers); replicates are derived from the point",
    anyOf: [
      seed,
      { type: "array", minItems: 1, items: seed },
      mapping("linear", ends),
      mapping("values", { type: "array", minItems: 1, items: seed }),
      mapping("replicates", {
        type: "integer",
        minimum: 1,
        description: "seeds for each point, derived from the point",
      }),
    ],
  };
}

function defaultsSchema(): Schema {
  const properties = Object.fromEntries(SECTION_NAMES.map((name) => [name, { type: "object" }]));
  return {
    type: "object",
    description: "values of fields that a variant leaves out, by section",
    additionalProperties: false,
    properties,
  };
}

function overridesSchema(): Schema {
  const item = {
    type: "object",
    required: ["when", "set"],
    additionalProperties: false,
    properties: {
      when: { type: "string", description: "CEL" },
      set: { type: "object", minProperties: 1, description: "values by path: {train.steps: 300}" },
    },
  };
  return { type: "array", description: "fields set anew for the points that a condition picks", items: item };
}

/** As prettier writes JSON: two spaces, and a list of plain values in one line where it fits. */
function formatted(value: Json, indent: number, used: number): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = " ".repeat(indent + 2);
  const close = " ".repeat(indent);
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    const flat = `[${items.map((item) => JSON.stringify(item)).join(", ")}]`;
    const isPlain = items.every((item) => item === null || typeof item !== "object");
    if (isPlain && indent + used + flat.length < PRINT_WIDTH) return flat;
    return `[\n${items.map((item) => inner + formatted(item, indent + 2, 0)).join(",\n")}\n${close}]`;
  }
  const entries = Object.entries(value as { readonly [key: string]: Json });
  if (entries.length === 0) return "{}";
  const lines = entries.map(([key, item]) => {
    const head = `${JSON.stringify(key)}: `;
    return `${inner}${head}${formatted(item, indent + 2, head.length)}`;
  });
  return `{\n${lines.join(",\n")}\n${close}}`;
}

const PRINT_WIDTH = 120;
