/**
 * From a place in the grid to a cell: fold scale, apply overrides, fill in what depends on the data, filter, derive the
 * seed. The same values give the same cell, wherever in the file they were written.
 */
import type { PrefixHash } from "../core/canonical-json.ts";
import type { Config } from "../catalogue/entry.ts";
import { datasetOf } from "../catalogue/registry.ts";
import type { CellConfig } from "./cell.ts";
import { estimateConfigOf } from "./estimate-section.ts";
import type { Expression, PointContext } from "./expression.ts";
import type { FieldValue } from "./field.ts";
import type { Place, SubGrid } from "./grid.ts";
import type { Override } from "./override.ts";
import { replicateSeed } from "./read-seeds.ts";
import { SECTION_NAMES, type ScaleOwner, type SectionName } from "./sections.ts";
import { trainConfigOf } from "./train-section.ts";

type Values = Record<string, FieldValue>;

/** Seedless: what overrides and filters act on. */
export interface Draft {
  readonly place: Place;
  /** By section and field path; scale has null where it does not apply. */
  readonly values: Readonly<Record<SectionName, Values>>;
}

/** What resolving needs to know of a sweep. */
export interface Rules {
  readonly overrides: readonly Override[];
  readonly where: readonly Expression[];
  readonly scaleOwner: ReadonlyMap<string, ScaleOwner>;
  /** By section, null for every field that an expression may name. Undefined: no expression, no contexts are made. */
  readonly nulls: Readonly<Record<SectionName, Values>> | undefined;
}

/**
 * The values of a place, after overrides; undefined when it repeats another place: on the axis of a scale that its
 * architecture does not have, only the first value counts.
 */
export function draftOf(place: Place, rules: Rules): Draft | undefined {
  const values = {} as Record<SectionName, Values>;
  for (const section of SECTION_NAMES) values[section] = { ...place.variants[section].base };
  for (const { axes, at } of place.steps) {
    for (const axis of axes) values[axis.section][axis.field] = axis.values.at(at);
  }
  if (at0Only(place, rules)) return undefined;
  for (const [field, value] of Object.entries(values.scale)) {
    const owner = scaleTarget(place, field, rules);
    if (owner === undefined) values.scale[field] = null;
    else values[owner][field] = value;
  }
  const draft = { place, values };
  for (const override of rules.overrides) applyOverride(draft, override, rules);
  return draft;
}

function scaleTarget(place: Place, field: string, rules: Rules): ScaleOwner | undefined {
  const owner = rules.scaleOwner.get(field);
  return owner !== undefined && place.variants[owner].kind.fields.has(field) ? owner : undefined;
}

/** Is this place a repetition along an axis whose every path is a scale that does not apply? */
function at0Only(place: Place, rules: Rules): boolean {
  return place.steps.some(
    ({ axes, at }) =>
      at > 0 && axes.every((axis) => axis.section === "scale" && scaleTarget(place, axis.field, rules) === undefined),
  );
}

function applyOverride(draft: Draft, override: Override, rules: Rules): void {
  if (!override.when.test(contextOf(draft, rules))) return;
  for (const { section, field, value, byKind } of override.set) {
    if (byKind.has(draft.place.variants[section].kind.kind)) draft.values[section][field] = value;
  }
}

/** The point as expressions read it (see expression.ts). */
export function contextOf(draft: Draft, rules: Rules): PointContext {
  const { place } = draft;
  const context: Record<string, unknown> = { replicate: place.replicate };
  for (const section of SECTION_NAMES) {
    const fields: Record<string, unknown> = {};
    const values = { ...rules.nulls?.[section], ...draft.values[section] };
    for (const [path, value] of Object.entries(values)) {
      putNested(fields, path, value === "auto" ? null : value);
    }
    const kind = place.variants[section].kind.kind;
    if (kind !== "") fields[section === "estimate" ? "sampler" : "kind"] = kind;
    context[section] = fields;
  }
  context["scale"] = { ...rules.nulls?.scale, ...scaleOf(draft, rules) };
  const seeds = place.subGrid.seeds;
  if (seeds.kind === "shared") {
    const seed = Number(seeds.values.at(place.replicate));
    context["seed"] = Number.isSafeInteger(seed) ? seed : String(seeds.values.at(place.replicate));
  }
  return context;
}

function putNested(into: Record<string, unknown>, path: string, value: unknown): void {
  const dot = path.indexOf(".");
  if (dot < 0) {
    into[path] = value;
    return;
  }
  const head = path.slice(0, dot);
  into[head] ??= {};
  putNested(into[head] as Record<string, unknown>, path.slice(dot + 1), value);
}

/** The scale fields as they are after overrides: what they folded into. */
export function scaleOf(draft: Draft, rules: Rules): Values {
  const scale: Values = {};
  for (const field of Object.keys(draft.values.scale)) {
    const owner = scaleTarget(draft.place, field, rules);
    scale[field] = owner === undefined ? null : (draft.values[owner][field] ?? null);
  }
  return scale;
}

function configOf(draft: Draft, section: "data" | "architecture" | "optimizer" | "regulariser"): Config {
  return { kind: draft.place.variants[section].kind.kind, ...(draft.values[section] as Record<string, string>) };
}

export type SeedlessConfig = Omit<CellConfig, "seed">;

/** Throws what the dataset throws when its fields contradict each other. */
export function seedlessConfigOf(draft: Draft): SeedlessConfig {
  const data = configOf(draft, "data");
  const { trainRows } = datasetOf(data).task(data);
  return {
    data,
    architecture: configOf(draft, "architecture"),
    optimizer: configOf(draft, "optimizer"),
    regulariser: configOf(draft, "regulariser"),
    train: trainConfigOf(draft.values.train, trainRows),
    estimate: estimateConfigOf(draft.place.variants.estimate.kind.kind, draft.values.estimate, trainRows),
  };
}

/** Do all filters keep it? */
export function isKept(draft: Draft, rules: Rules): boolean {
  if (rules.where.length === 0) return true;
  const context = contextOf(draft, rules);
  return rules.where.every((expression) => expression.test(context));
}

/**
 * Explicit seeds are shared by all arms; a replicate's seed comes from its point.
 * @param seedless the canonical text of the point without its seed
 */
export function seedOf({ seeds }: SubGrid, replicate: number, seedless: string, hash: PrefixHash): string {
  return seeds.kind === "shared" ? String(seeds.values.at(replicate)) : replicateSeed(seedless, replicate, hash);
}
