/**
 * Fills in what a variant leaves out: from the file's `defaults`, then from the field's preset. What scale supplies stays
 * out; a field that is written in the variant and in scale is a mistake, for one of them would have no effect.
 */
import type { FieldValue } from "./field.ts";
import type { Findings } from "./problem.ts";
import { readValue, type Written } from "./read-values.ts";
import { SECTION_NAMES, type Kind, type ScaleOwner, type SectionName } from "./sections.ts";
import { nodeText, type Entry, type SourceNode } from "./source-tree.ts";
import type { FieldAxis, Variant, WrittenVariant } from "./variant.ts";

export type WrittenSections = Readonly<Record<SectionName, readonly WrittenVariant[]>>;

/** The `defaults` of a file: by section, values by field path. */
export type Defaults = ReadonlyMap<SectionName, ReadonlyMap<string, Entry>>;

export function readDefaults(node: SourceNode | undefined, findings: Findings): Defaults {
  const defaults = new Map<SectionName, Map<string, Entry>>();
  if (node === undefined) return defaults;
  if (node.kind !== "map") {
    findings.add(node.offset, `defaults cannot be ${nodeText(node)}`, "a mapping of sections: {train: {steps: 500}}");
    return defaults;
  }
  for (const { key, keyOffset, value } of node.entries) {
    const section = SECTION_NAMES.find((name) => name === key);
    if (section === undefined)
      findings.addUnknown(keyOffset, `defaults: no section is named "${key}"`, key, SECTION_NAMES);
    else if (value.kind !== "map") {
      findings.add(value.offset, `defaults.${key} cannot be ${nodeText(value)}`, "a mapping of fields");
    } else {
      const fields = new Map<string, Entry>();
      flatten(value.entries, "", fields);
      defaults.set(section, fields);
    }
  }
  return defaults;
}

function flatten(entries: readonly Entry[], prefix: string, into: Map<string, Entry>): void {
  for (const entry of entries) {
    if (entry.value.kind === "map") flatten(entry.value.entries, `${prefix}${entry.key}.`, into);
    else into.set(prefix + entry.key, entry);
  }
}

/** A default that no variant of the whole file could use is a mistake. */
export function checkDefaults(defaults: Defaults, grids: readonly WrittenSections[], findings: Findings): void {
  for (const [section, fields] of defaults) {
    const kinds = new Set(grids.flatMap((grid) => grid[section].map((variant) => variant.kind)));
    const known = [...new Set([...kinds].flatMap((kind) => [...kind.fields.keys()]))];
    for (const [path, { keyOffset }] of fields) {
      if (known.includes(path) || known.length === 0) continue;
      findings.addUnknown(keyOffset, `defaults: no ${section} of this sweep has a field "${path}"`, path, known);
    }
  }
}

export function completeVariants(
  written: WrittenSections,
  defaults: Defaults,
  scaleOwner: ReadonlyMap<string, ScaleOwner>,
  findings: Findings,
): Readonly<Record<SectionName, readonly Variant[]>> {
  const scale = scaleFieldsOf(written, defaults, findings);
  checkScaleIsUsed(scale, written, scaleOwner, findings);
  const completed = {} as Record<SectionName, Variant[]>;
  for (const section of SECTION_NAMES) {
    const supplied = new Map([...scale].filter(([field]) => scaleOwner.get(field) === section));
    completed[section] = written[section].map((variant) => complete(variant, defaults, supplied, findings));
    if (completed[section].length === 0 && section !== "data" && section !== "architecture") {
      completed[section].push(standIn(section));
    }
  }
  return completed;
}

/** In place of a section that could not be read (which is reported), so that the checks of the others go on. */
function standIn(section: SectionName): Variant {
  const kind: Kind = { kind: "", summary: "", fields: new Map(), schema: undefined };
  return { section, kind, offset: 0, written: new Map(), unreadable: new Set(), base: {}, axes: [], isComplete: true };
}

/** Every scale variant has the same fields, so that each point has a value for each scale. */
function scaleFieldsOf(written: WrittenSections, defaults: Defaults, findings: Findings): Map<string, number> {
  const offsets = new Map<string, number>();
  for (const [field, { value }] of defaults.get("scale") ?? []) offsets.set(field, value.offset);
  for (const variant of written.scale) for (const [field, { offset }] of variant.written) offsets.set(field, offset);
  for (const variant of written.scale) {
    for (const field of offsets.keys()) {
      const has = variant.written.has(field) || defaults.get("scale")?.has(field) === true;
      if (has || variant.unreadable.has(field)) continue;
      findings.add(
        variant.offset,
        `this scale has no ${field}, which another one has`,
        `each of ${[...offsets.keys()].join(", ")}`,
      );
    }
  }
  return offsets;
}

function checkScaleIsUsed(
  scale: ReadonlyMap<string, number>,
  written: WrittenSections,
  scaleOwner: ReadonlyMap<string, ScaleOwner>,
  findings: Findings,
): void {
  for (const [field, offset] of scale) {
    const owner = scaleOwner.get(field);
    if (owner === undefined || written[owner].length === 0) continue;
    if (written[owner].some((variant) => variant.kind.fields.has(field))) continue;
    const used = new Set(written[owner].map((variant) => variant.kind.kind));
    findings.add(offset, `scale.${field} has no effect: no ${owner} of this grid has it (${[...used].join(", ")})`);
  }
}

function complete(
  variant: WrittenVariant,
  defaults: Defaults,
  supplied: ReadonlyMap<string, number>,
  findings: Findings,
): Variant {
  const base: Record<string, FieldValue> = {};
  const written = new Map<string, Written>(variant.written);
  let isComplete = true;
  for (const field of variant.kind.fields.values()) {
    const path = `${variant.section}.${field.name}`;
    const own = written.get(field.name);
    if (supplied.has(field.name)) {
      if (own !== undefined)
        findings.add(own.offset, `${path} is set here and by scale.${field.name}`, "one of the two");
      continue;
    }
    const preset = own ?? writtenDefault(variant, field.name, path, defaults, findings);
    if (preset !== undefined) written.set(field.name, preset);
    const value = preset === undefined ? field.preset : preset.value;
    if (value !== undefined) base[field.name] = value;
    else if (variant.section !== "scale") {
      isComplete = false;
      if (!variant.unreadable.has(field.name)) {
        findings.add(variant.offset, `${variant.section} ${variant.kind.kind} needs ${field.name}`, field.accepted);
      }
    }
  }
  return { ...variant, written, base, axes: axesOf(variant, written), isComplete };
}

function writtenDefault(
  variant: WrittenVariant,
  name: string,
  path: string,
  defaults: Defaults,
  findings: Findings,
): Written | undefined {
  const entry = defaults.get(variant.section)?.get(name);
  const field = variant.kind.fields.get(name);
  if (entry === undefined || field === undefined) return undefined;
  const value = readValue(entry.value, field, path, findings);
  return value === undefined ? undefined : { offset: entry.value.offset, axis: undefined, value };
}

function axesOf(variant: WrittenVariant, written: ReadonlyMap<string, Written>): FieldAxis[] {
  return [...written]
    .flatMap(([field, { axis }]) => (axis === undefined ? [] : [{ section: variant.section, field, values: axis }]))
    .sort((left, right) => (left.field < right.field ? -1 : 1));
}
