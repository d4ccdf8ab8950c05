/** Reads what acts on points: the conditions of `where`, and `overrides`. */
import { ExpressionReader, type Expression, type Vocabulary } from "./expression.ts";
import type { Field, FieldValue } from "./field.ts";
import type { Override, Setting } from "./override.ts";
import { shown, type Findings } from "./problem.ts";
import { plainValue, readValue } from "./read-values.ts";
import type { Rules } from "./resolve.ts";
import { SECTION_NAMES, sections, type SectionName } from "./sections.ts";
import { entryOf, nodeText, type Entry, type MapNode, type SourceNode } from "./source-tree.ts";
import type { WrittenGrid } from "./read-grid.ts";

export function readRules(root: MapNode, grids: readonly WrittenGrid[], findings: Findings): Rules {
  const [conditions, settings] = [entryOf(root, "where")?.value, entryOf(root, "overrides")?.value];
  const { scaleOwner } = sections();
  if (conditions === undefined && settings === undefined)
    return { where: [], overrides: [], scaleOwner, nulls: undefined };
  const fields = usedFields(grids);
  const hasReplicates = grids.some((grid) => grid.seeds.kind === "replicates");
  const variables = hasReplicates ? ["replicate"] : ["seed", "replicate"];
  const reader = new ExpressionReader({ fields: withTags(fields), variables }, findings);
  const where = readConditions(conditions, "where", reader, findings);
  const overrides = readOverrides(settings, fields, reader, findings);
  const used = where.length + overrides.length > 0;
  return { where, overrides, scaleOwner, nulls: used ? nullsOf(fields) : undefined };
}

type UsedFields = ReadonlyMap<SectionName, ReadonlyMap<string, ReadonlyMap<string, Field>>>;

/** By section and field path: its definitions, by the kinds of this sweep that have it. */
function usedFields(grids: readonly WrittenGrid[]): UsedFields {
  const used = new Map<SectionName, Map<string, Map<string, Field>>>();
  for (const section of SECTION_NAMES) {
    const fields = new Map<string, Map<string, Field>>();
    for (const variant of grids.flatMap((grid) => grid.sections[section])) {
      for (const field of variant.kind.fields.values()) {
        // A scale has the fields that are written; every other kind has all of its own.
        if (section === "scale" && !variant.written.has(field.name)) continue;
        const byKind = fields.get(field.name) ?? new Map<string, Field>();
        fields.set(field.name, byKind.set(variant.kind.kind, field));
      }
    }
    used.set(section, fields);
  }
  return used;
}

/** Expressions may also name a variant's kind; a kind that this sweep lacks is no mistake there. */
function withTags(used: UsedFields): Vocabulary["fields"] {
  const fields = new Map<string, Map<string, readonly Field[]>>();
  for (const [section, byPath] of used) {
    const paths = new Map([...byPath].map(([path, byKind]) => [path, [...byKind.values()] as readonly Field[]]));
    const { tagField } = sections().byName[section];
    if (tagField !== undefined) paths.set(tagField.name, [tagField]);
    fields.set(section, paths);
  }
  return fields;
}

function nullsOf(used: UsedFields): Rules["nulls"] {
  const nulls = {} as Record<SectionName, Record<string, FieldValue>>;
  for (const section of SECTION_NAMES) {
    nulls[section] = Object.fromEntries([...used.get(section)!.keys()].map((path) => [path, null]));
  }
  return nulls;
}

function readConditions(
  node: SourceNode | undefined,
  name: string,
  reader: ExpressionReader,
  findings: Findings,
): Expression[] {
  if (node === undefined) return [];
  const items = node.kind === "list" ? node.items : [node];
  return items.flatMap((item) => {
    if (item.kind !== "scalar") {
      findings.add(item.offset, `${name} cannot be ${nodeText(item)}`, "a CEL expression, or a list of expressions");
      return [];
    }
    return reader.read(item, name) ?? [];
  });
}

const OVERRIDE_FORM = "a list of {when: expression, set: {train.steps: 300}}";

function readOverrides(
  node: SourceNode | undefined,
  fields: UsedFields,
  reader: ExpressionReader,
  findings: Findings,
): Override[] {
  if (node === undefined) return [];
  if (node.kind !== "list") {
    findings.add(node.offset, `overrides cannot be ${nodeText(node)}`, OVERRIDE_FORM);
    return [];
  }
  return node.items.flatMap((item, index): Override[] => {
    const name = `overrides[${index}]`;
    if (item.kind !== "map") {
      findings.add(item.offset, `${name} cannot be ${nodeText(item)}`, OVERRIDE_FORM);
      return [];
    }
    return readOverride(item, name, fields, reader, findings);
  });
}

function readOverride(
  node: MapNode,
  name: string,
  fields: UsedFields,
  reader: ExpressionReader,
  findings: Findings,
): Override[] {
  for (const { key, keyOffset } of node.entries) {
    if (key !== "when" && key !== "set")
      findings.addUnknown(keyOffset, `${name} has no field "${key}"`, key, ["when", "set"]);
  }
  const when = entryOf(node, "when")?.value;
  const set = entryOf(node, "set")?.value;
  if (when === undefined) findings.add(node.offset, `${name} has no condition`, OVERRIDE_FORM);
  else if (when.kind !== "scalar")
    findings.add(when.offset, `${name}.when cannot be ${nodeText(when)}`, "a CEL expression");
  if (set?.kind !== "map" || set.entries.length === 0) {
    findings.add(set?.offset ?? node.offset, `${name} sets nothing`, OVERRIDE_FORM);
  }
  const expression = when?.kind === "scalar" ? reader.read(when, `${name}.when`) : undefined;
  const settings = set?.kind === "map" ? readSettings(set.entries, "", fields, findings) : [];
  return expression === undefined ? [] : [{ when: expression, set: settings }];
}

/** `train.steps: 300` and `train: {steps: 300}` are the same. */
function readSettings(entries: readonly Entry[], prefix: string, fields: UsedFields, findings: Findings): Setting[] {
  return entries.flatMap((entry): Setting[] => {
    const path = prefix + entry.key;
    if (entry.value.kind === "map") return readSettings(entry.value.entries, `${path}.`, fields, findings);
    const setting = readSetting(path, entry, fields, findings);
    return setting === undefined ? [] : [setting];
  });
}

function readSetting(path: string, entry: Entry, fields: UsedFields, findings: Findings): Setting | undefined {
  const dot = path.indexOf(".");
  const field = path.slice(dot + 1);
  const named = SECTION_NAMES.find((name) => name === path.slice(0, dot));
  const section = named === "scale" ? (sections().scaleOwner.get(field) ?? named) : named;
  const byKind = section === undefined ? undefined : fields.get(section)?.get(field);
  if (section === undefined || byKind === undefined) {
    const known = [...fields].flatMap(([name, paths]) => [...paths.keys()].map((known) => `${name}.${known}`));
    const ofSection = known.filter((each) => named !== undefined && each.startsWith(`${named}.`));
    const message = `overrides: no variant of this sweep has ${shown(path)}`;
    findings.addUnknown(entry.keyOffset, message, path, ofSection.length > 0 ? ofSection : known);
    return undefined;
  }
  return acceptingKinds(section, field, path, entry, byKind, findings);
}

function acceptingKinds(
  section: SectionName,
  field: string,
  path: string,
  entry: Entry,
  byKind: ReadonlyMap<string, Field>,
  findings: Findings,
): Setting | undefined {
  const raw = plainValue(entry.value);
  const accepting = new Map([...byKind].filter(([, definition]) => definition.check(raw) !== undefined));
  const definition = [...(accepting.size > 0 ? accepting : byKind).values()][0]!;
  const value = readValue(entry.value, definition, path, findings);
  return value === undefined ? undefined : { section, field, value, offset: entry.value.offset, byKind: accepting };
}
