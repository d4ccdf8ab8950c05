/**
 * Reads one section of a sweep file: a kind by name, a mapping, or a list of both. Every field is checked by itself, so a
 * large grid is checked without being visited.
 */
import type { Field } from "./field.ts";
import { shown, type Findings } from "./problem.ts";
import { readValues, type Written } from "./read-values.ts";
import type { Kind, Section } from "./sections.ts";
import { entryOf, nodeText, type Entry, type MapNode, type SourceNode } from "./source-tree.ts";
import type { WrittenVariant } from "./variant.ts";

export function readSection(node: SourceNode, section: Section, findings: Findings): WrittenVariant[] {
  if (node.kind !== "list") return readVariant(node, section, findings);
  if (node.items.length === 0) {
    findings.add(node.offset, `${section.name} is an empty list: the grid would have no cell`, formsOf(section));
  }
  return node.items.flatMap((item) => readVariant(item, section, findings));
}

/** @returns more than one for a list of kinds with the same fields, none where it cannot be read */
function readVariant(node: SourceNode, section: Section, findings: Findings): WrittenVariant[] {
  if (node.kind === "map") {
    const kinds = kindsOfMap(node, section, findings);
    return kinds.map(({ kind, offset }) => readFields(node, section, kind, offset, findings));
  }
  if (node.kind === "scalar" && section.tag !== undefined && typeof node.value === "string") {
    const kind = section.kinds.get(node.value);
    if (kind !== undefined)
      return [{ section: section.name, kind, offset: node.offset, written: new Map(), unreadable: new Set() }];
    reportKind(node.offset, node.value, section, findings);
    return [];
  }
  findings.add(node.offset, `${section.name} cannot be ${nodeText(node)}`, formsOf(section));
  return [];
}

function formsOf(section: Section): string {
  const [kind] = section.kinds.values();
  if (section.tag === undefined) return `a mapping of ${[...kind!.fields.keys()].join(", ")}`;
  const names = [...section.kinds.keys()].join(", ");
  return `a kind (${names}), a mapping {${section.tag}: ..., field: ...}, or a list of such`;
}

function reportKind(offset: number, name: string, section: Section, findings: Findings): void {
  findings.addUnknown(offset, `no ${section.name} has the kind ${shown(name)}`, name, [...section.kinds.keys()]);
}

interface FoundKind {
  readonly kind: Kind;
  readonly offset: number;
}

function kindsOfMap(node: MapNode, section: Section, findings: Findings): FoundKind[] {
  const entry = section.tag === undefined ? undefined : entryOf(node, section.tag);
  if (entry === undefined) {
    if (section.presetKind !== undefined) {
      return [{ kind: section.kinds.get(section.presetKind)!, offset: node.offset }];
    }
    reportMissingKind(node, section, findings);
    return [];
  }
  const items = entry.value.kind === "list" ? entry.value.items : [entry.value];
  return items.flatMap((item): FoundKind[] => {
    const kind = item.kind === "scalar" && typeof item.value === "string" ? section.kinds.get(item.value) : undefined;
    if (kind !== undefined) return [{ kind, offset: item.offset }];
    reportKind(item.offset, item.kind === "scalar" ? String(item.value) : nodeText(item), section, findings);
    return [];
  });
}

/** Without a kind the fields cannot be checked, but a mistyped `kind` can be seen. */
function reportMissingKind(node: MapNode, section: Section, findings: Findings): void {
  const names = [...section.kinds.keys()].join(", ");
  findings.add(node.offset, `this ${section.name} has no kind`, `${section.tag}: one of ${names}`);
  const known = new Set([...section.kinds.values()].flatMap((kind) => [...kind.fields.keys()]));
  for (const { key, keyOffset } of node.entries) {
    if (known.has(key)) continue;
    findings.addUnknown(keyOffset, `no ${section.name} has a field "${key}"`, key, [section.tag!, ...known]);
  }
}

function readFields(node: MapNode, section: Section, kind: Kind, offset: number, findings: Findings): WrittenVariant {
  const reader: FieldReader = { section, kind, written: new Map(), unreadable: new Set(), findings };
  for (const entry of node.entries) {
    if (entry.key !== section.tag) readField(entry, "", reader);
  }
  return { section: section.name, kind, offset, written: reader.written, unreadable: reader.unreadable };
}

interface FieldReader {
  readonly section: Section;
  readonly kind: Kind;
  readonly written: Map<string, Written>;
  readonly unreadable: Set<string>;
  readonly findings: Findings;
}

function readField(entry: Entry, prefix: string, reader: FieldReader): void {
  const { section, kind, findings } = reader;
  const name = prefix + entry.key;
  const path = `${section.name}.${name}`;
  const field = kind.fields.get(name);
  if (field !== undefined) {
    const values = readValues(entry.value, field, path, findings);
    if (values === undefined) reader.unreadable.add(name);
    else reader.written.set(name, values);
    return;
  }
  const inner = [...kind.fields.values()].filter((candidate) => candidate.name.startsWith(`${name}.`));
  if (inner.length === 0) reportUnknownField(entry, prefix, reader);
  else readNested(entry.value, name, inner, reader);
}

function reportUnknownField(entry: Entry, prefix: string, reader: FieldReader): void {
  const { section, kind } = reader;
  const noun = kind.kind === "" ? section.name : `${section.name} ${kind.kind}`;
  const names = [...kind.fields.keys()].filter((field) => field.startsWith(prefix));
  const accepted = withNested(names.map((field) => field.slice(prefix.length)));
  const tag = prefix === "" && section.tag !== undefined ? [section.tag] : [];
  const message = `${noun} has no field "${prefix}${entry.key}"`;
  const meant = reader.findings.addUnknown(entry.keyOffset, message, entry.key, [...tag, ...accepted]);
  // The field that was meant is misspelt, not missing.
  if (meant !== undefined) reader.unreadable.add(prefix + meant);
}

/** A field of fields, such as `stop`; `none` leaves all of it open. */
function readNested(node: SourceNode, name: string, inner: readonly Field[], reader: FieldReader): void {
  if (node.kind === "map") {
    for (const each of node.entries) readField(each, `${name}.`, reader);
  } else if (node.kind === "scalar" && (node.value === null || node.value === "none")) {
    for (const field of inner) reader.written.set(field.name, { offset: node.offset, axis: undefined, value: null });
  } else {
    const accepted = `a mapping of ${inner.map((field) => field.name.slice(name.length + 1)).join(", ")}, or none`;
    reader.findings.add(node.offset, `${reader.section.name}.${name} cannot be ${nodeText(node)}`, accepted);
  }
}

/** "stop.trainLoss" is written as `stop`, so both are worth naming. */
function withNested(names: readonly string[]): string[] {
  return [...new Set(names.flatMap((name) => (name.includes(".") ? [name.split(".")[0]!, name] : [name])))];
}
