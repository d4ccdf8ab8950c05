/** The columns that a sweep's tables have: which field paths vary, their values, and the value of each at a point. */
import type { FieldValue } from "./field.ts";
import type { Place, SubGrid } from "./grid.ts";
import type { Override } from "./override.ts";
import { scaleOf, type Draft, type Rules } from "./resolve.ts";
import { SECTION_NAMES, type SectionName } from "./sections.ts";
import type { Variant } from "./variant.ts";

/** Flat axis values of a point, for tables: null where the point's variant has no such field. */
export type Point = Readonly<Record<string, FieldValue>>;

export interface AxisInfo {
  /** "architecture.kind", "optimizer.learningRate", "scale.width", "seed", "replicate". */
  readonly path: string;
  /** In the order of the file; left out where they are more than a list should hold, or derived (seeds of replicates). */
  readonly values?: readonly FieldValue[];
}

/** Longer axes list no values. */
const LISTED_VALUES = 1000;

interface Column {
  readonly path: string;
  readonly section: SectionName;
  /** Undefined: the kind. */
  readonly field: string | undefined;
}

/**
 * The kinds of data, architecture, optimizer and regulariser always; every written field that takes more than one value
 * among the variants that have it; every scale; every field that an override sets; then the seed, and the replicate where there are replicates.
 */
export class Columns {
  readonly axes: readonly AxisInfo[];
  readonly #columns: readonly Column[];
  readonly #hasReplicates: boolean;

  constructor(subGrids: readonly SubGrid[], overrides: readonly Override[]) {
    const columns: Column[] = [];
    const axes: AxisInfo[] = [];
    for (const section of SECTION_NAMES) {
      const variants = subGrids.flatMap((subGrid) => subGrid.sections[section]);
      for (const { values, ...column } of columnsOf(section, variants, overrides)) {
        columns.push(column);
        axes.push({ path: column.path, ...(values === undefined ? {} : { values }) });
      }
    }
    this.#hasReplicates = subGrids.some((subGrid) => subGrid.seeds.kind === "replicates");
    axes.push(seedAxis(subGrids));
    if (this.#hasReplicates) axes.push({ path: "replicate" });
    this.#columns = columns;
    this.axes = axes;
  }

  pointOf(draft: Draft, seed: string, rules: Rules): Point {
    const point: Record<string, FieldValue> = {};
    const scale = scaleOf(draft, rules);
    for (const { path, section, field } of this.#columns) {
      if (field === undefined) point[path] = draft.place.variants[section].kind.kind;
      else point[path] = (section === "scale" ? scale : draft.values[section])[field] ?? null;
    }
    point["seed"] = seed;
    if (this.#hasReplicates) point["replicate"] = replicateOf(draft.place);
    return point;
  }
}

function replicateOf(place: Place): number | null {
  return place.subGrid.seeds.kind === "replicates" ? place.replicate : null;
}

function seedAxis(subGrids: readonly SubGrid[]): AxisInfo {
  const values = new Set<string>();
  for (const { seeds } of subGrids) {
    if (seeds.kind === "replicates" || seeds.values.length > LISTED_VALUES) return { path: "seed" };
    for (let i = 0; i < seeds.values.length; i += 1) values.add(String(seeds.values.at(i)));
  }
  return { path: "seed", values: [...values] };
}

interface ValuedColumn extends Column {
  readonly values: readonly FieldValue[] | undefined;
}

function columnsOf(section: SectionName, variants: readonly Variant[], overrides: readonly Override[]): ValuedColumn[] {
  const columns: ValuedColumn[] = [];
  const kinds = [...new Set(variants.map((variant) => variant.kind.kind))];
  const isCatalogue = section !== "scale" && section !== "train" && section !== "estimate";
  if (isCatalogue) columns.push({ path: `${section}.kind`, section, field: undefined, values: kinds });
  else if (kinds.length > 1) columns.push({ path: `${section}.sampler`, section, field: undefined, values: kinds });
  const settings = overrides.flatMap((override) => override.set).filter((setting) => setting.section === section);
  for (const field of new Set(variants.flatMap((variant) => Object.keys(variant.base)))) {
    const set = settings.filter((setting) => setting.field === field);
    // Kinds with different presets make no axis of a field that nobody wrote.
    const isWritten = variants.some((variant) => variant.written.has(field));
    const values = valuesOf(field, variants);
    for (const { value } of set) values?.add(value);
    const varies = isWritten && (values === undefined || values.size > 1);
    if (section !== "scale" && !varies && set.length === 0) continue;
    columns.push({ path: `${section}.${field}`, section, field, values: values && [...values] });
  }
  return columns;
}

/** Values of a field over the variants that have it; undefined when they are too many to list. */
function valuesOf(field: string, variants: readonly Variant[]): Set<FieldValue> | undefined {
  const values = new Set<FieldValue>();
  for (const variant of variants) {
    const axis = variant.axes.find((candidate) => candidate.field === field);
    if (axis === undefined) {
      const value = variant.base[field];
      if (value !== undefined) values.add(value);
    } else if (axis.values.length > LISTED_VALUES) return undefined;
    else for (let i = 0; i < axis.values.length; i += 1) values.add(axis.values.at(i));
  }
  return values;
}
