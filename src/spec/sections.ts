/**
 * The sections of a sweep file and the kinds of variant that each may hold. Data, architecture, optimizer and regulariser
 * come from the catalogue; train and estimate have their schemas here; scale has the fields that it can fold into.
 */
import { z } from "zod";
import { ARCHITECTURES, DATASETS, OPTIMIZERS, REGULARISERS } from "../catalogue/registry.ts";
import type { Architecture } from "../catalogue/entry.ts";
import {
  ESTIMATE_NAMES,
  noEstimateSchema,
  rmspropSgldSchema,
  sgldSchema,
  sgnhtSchema,
  tieredSchema,
} from "./estimate-section.ts";
import { fieldsOf, type Field } from "./field.ts";
import { TRAIN_NAMES, trainSchema } from "./train-section.ts";

/** In the order of a grid's digits, the slowest first; the seed is the fastest. */
export const SECTION_NAMES = [
  "data",
  "architecture",
  "optimizer",
  "regulariser",
  "scale",
  "train",
  "estimate",
] as const;
export type SectionName = (typeof SECTION_NAMES)[number];

export interface Kind {
  /** "" for a section that has only one. */
  readonly kind: string;
  readonly summary: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Checks that span fields, if the schema has any. Undefined where the file's fields are not the schema's keys. */
  readonly schema: z.ZodObject | undefined;
}

export interface Section {
  readonly name: SectionName;
  /** The key that names a variant's kind: "kind", "sampler", or none where there is only one. */
  readonly tag: "kind" | "sampler" | undefined;
  /** The tag as a field, which conditions may name. */
  readonly tagField: Field | undefined;
  readonly kinds: ReadonlyMap<string, Kind>;
  /** The kind of a mapping without a tag. */
  readonly presetKind: string | undefined;
}

/** Which section a scale field folds into. */
export type ScaleOwner = "architecture" | "data";

export interface Sections {
  readonly byName: Readonly<Record<SectionName, Section>>;
  readonly scaleOwner: ReadonlyMap<string, ScaleOwner>;
}

/** What any entry of the catalogue says of itself. */
type CatalogueEntry = Pick<Architecture, "kind" | "summary" | "schema">;

function catalogueSection(name: SectionName, entries: readonly CatalogueEntry[]): Section {
  const kinds = entries.map(({ kind, summary, schema }): [string, Kind] => [
    kind,
    { kind, summary, fields: fieldsOf(schema), schema },
  ]);
  return { name, ...tagged("kind", kinds), presetKind: undefined };
}

function tagged(
  tag: NonNullable<Section["tag"]>,
  kinds: readonly [string, Kind][],
): Pick<Section, "tag" | "tagField" | "kinds"> {
  const words = z.enum(kinds.map(([kind]) => kind));
  return { tag, tagField: fieldsOf(z.strictObject({ [tag]: words })).get(tag), kinds: new Map(kinds) };
}

/**
 * The numeric fields of architectures, and those of datasets that no architecture has (`train`, `test`, `n`, ...). A dataset's
 * own seed is no scale. Each takes what at least one owner takes; the value is checked again where it is folded.
 */
function scaleFields(architecture: Section, data: Section): { owner: Map<string, ScaleOwner>; kind: Kind } {
  const owner = new Map<string, ScaleOwner>();
  const fields = new Map<string, Field>();
  for (const section of [architecture, data]) {
    for (const kind of section.kinds.values()) {
      for (const field of kind.fields.values()) {
        if (!field.numeric || field.name === "seed") continue;
        const claimed = owner.get(field.name);
        if (claimed !== undefined && claimed !== section.name) continue;
        owner.set(field.name, section.name as ScaleOwner);
        fields.set(field.name, widened(fields.get(field.name), field));
      }
    }
  }
  return {
    owner,
    kind: { kind: "", summary: "sizes that fold into architectures and data", fields, schema: undefined },
  };
}

/** A scale field has no default, and takes a value that either owner takes. */
function widened(known: Field | undefined, field: Field): Field {
  if (known === undefined) return { ...field, preset: undefined };
  const isNew = !known.accepted.includes(field.accepted);
  return {
    ...known,
    accepted: isNew ? `${known.accepted}, or ${field.accepted}` : known.accepted,
    integer: known.integer && field.integer,
    json: isNew ? { anyOf: [known.json, field.json].flatMap(armsOf) } : known.json,
    check: (value) => known.check(value) ?? field.check(value),
  };
}

function armsOf(json: Field["json"]): readonly unknown[] {
  return Array.isArray(json["anyOf"]) ? json["anyOf"] : [json];
}

function build(): Sections {
  const data = catalogueSection("data", DATASETS);
  const architecture = catalogueSection("architecture", ARCHITECTURES);
  const scale = scaleFields(architecture, data);
  const single = (name: SectionName, kind: Kind): Section => ({
    name,
    tag: undefined,
    tagField: undefined,
    kinds: new Map([[kind.kind, kind]]),
    presetKind: kind.kind,
  });
  const summary = "how a cell is trained";
  const train: Kind = { kind: "", summary, fields: fieldsOf(trainSchema, TRAIN_NAMES), schema: undefined };
  const samplers: [string, Kind][] = [
    sampler("tiered", "adjusted HMC on a fixed subset, or corrected minibatch Langevin", tieredSchema),
    sampler("sgld", "localised SGLD as published", sgldSchema),
    sampler("rmsprop-sgld", "RMSProp-preconditioned SGLD as published", rmspropSgldSchema),
    sampler("sgnht", "stochastic gradient Nose-Hoover thermostat as published", sgnhtSchema),
    ["none", { kind: "none", summary: "train only", fields: new Map(), schema: noEstimateSchema }],
  ];
  return {
    byName: {
      data,
      architecture,
      optimizer: catalogueSection("optimizer", OPTIMIZERS),
      regulariser: catalogueSection("regulariser", REGULARISERS),
      scale: single("scale", scale.kind),
      train: single("train", train),
      estimate: { name: "estimate", ...tagged("sampler", samplers), presetKind: "tiered" },
    },
    scaleOwner: scale.owner,
  };
}

function sampler(kind: string, summary: string, schema: z.ZodObject): [string, Kind] {
  // A field whose path is not its key has no check that spans fields.
  const renamed = kind === "tiered" ? ESTIMATE_NAMES : {};
  return [kind, { kind, summary, fields: fieldsOf(schema, renamed), schema: kind === "tiered" ? undefined : schema }];
}

let built: Sections | undefined;

/** Built once: the catalogue does not change while a process runs. */
export function sections(): Sections {
  built ??= build();
  return built;
}
