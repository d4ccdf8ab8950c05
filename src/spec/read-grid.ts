/** Reads the grid of a sweep file: one mapping of sections, or a list of such, whose union is the grid. */
import type { Zip } from "./grid.ts";
import { shown, type Findings } from "./problem.ts";
import { readSection } from "./read-section.ts";
import { PRESET_SEEDS, readSeeds, type Seeds } from "./read-seeds.ts";
import { SECTION_NAMES, sections, type SectionName } from "./sections.ts";
import { entryOf, nodeText, type Entry, type MapNode, type SourceNode } from "./source-tree.ts";
import type { WrittenVariant } from "./variant.ts";
import type { WrittenSections } from "./complete-variants.ts";

/** A sub-grid as it is written: without defaults. */
export interface WrittenGrid {
  readonly offset: number;
  readonly sections: WrittenSections;
  readonly seeds: Seeds;
  readonly zips: readonly Zip[];
}

const GRID_KEYS: readonly string[] = [...SECTION_NAMES, "seed", "zip"];
/** What a sweep cannot be without; the others have a preset. */
const REQUIRED: readonly SectionName[] = ["data", "architecture", "optimizer"];
/** What a section is when the file has none; of the optimizer, where nothing is trained. */
const PRESET_KINDS: Readonly<Partial<Record<SectionName, string>>> = {
  optimizer: "sgd",
  regulariser: "none",
  estimate: "tiered",
};
/** Sections outside the grid and inside it add up, field by field. */
const MERGED: readonly SectionName[] = ["scale", "train", "estimate"];

/**
 * @param root the file; its sections hold for every sub-grid that does not have its own
 */
export function readGrids(root: MapNode, findings: Findings): WrittenGrid[] {
  const grid = entryOf(root, "grid");
  if (grid === undefined) return [readGrid({ kind: "map", offset: root.offset, entries: [] }, root, findings)];
  const { value } = grid;
  if (value.kind === "map") return [readGrid(value, root, findings)];
  if (value.kind !== "list" || value.items.length === 0) {
    const what = value.kind === "list" ? "an empty list" : nodeText(value);
    findings.add(value.offset, `grid cannot be ${what}`, `a mapping of ${GRID_KEYS.join(", ")}, or a list of such`);
    return [];
  }
  return value.items.flatMap((item) => {
    if (item.kind === "map") return [readGrid(item, root, findings)];
    findings.add(item.offset, `a sub-grid cannot be ${nodeText(item)}`, `a mapping of ${GRID_KEYS.join(", ")}`);
    return [];
  });
}

function readGrid(own: MapNode, root: MapNode, findings: Findings): WrittenGrid {
  for (const { key, keyOffset } of own.entries) {
    if (!GRID_KEYS.includes(key)) findings.addUnknown(keyOffset, `grid has no section "${key}"`, key, GRID_KEYS);
  }
  const written = {} as Record<SectionName, readonly WrittenVariant[]>;
  const train = readGridSection("train", own, root, findings);
  const isNeeded = (section: SectionName): boolean => section !== "optimizer" || !trainsNothing(train);
  for (const section of SECTION_NAMES) {
    written[section] = section === "train" ? train : readGridSection(section, own, root, findings, isNeeded(section));
  }
  const seed = entryOf(own, "seed") ?? entryOf(root, "seed");
  const zip = entryOf(own, "zip");
  return {
    offset: own.offset,
    sections: written,
    seeds: seed === undefined ? PRESET_SEEDS : readSeeds(seed.value, findings),
    zips: zip === undefined ? [] : readZips(zip.value, findings),
  };
}

/** Is `train.steps` 0 and nothing else? */
function trainsNothing(train: readonly WrittenVariant[]): boolean {
  const steps = train.map(({ written }) => written.get("steps"));
  return steps.length > 0 && steps.every((written) => written?.axis === undefined && written?.value === 0);
}

function readGridSection(
  name: SectionName,
  own: MapNode,
  root: MapNode,
  findings: Findings,
  isNeeded = true,
): WrittenVariant[] {
  const section = sections().byName[name];
  const outer = entryOf(root, name);
  const inner = entryOf(own, name);
  if (outer === undefined && inner === undefined) {
    if (isNeeded && REQUIRED.includes(name)) {
      findings.add(own.offset, `the sweep has no ${name}`, `${name}: one of ${[...section.kinds.keys()].join(", ")}`);
      return [];
    }
    const kind = section.kinds.get(PRESET_KINDS[name] ?? "");
    return kind === undefined
      ? []
      : [{ section: name, kind, offset: own.offset, written: new Map(), unreadable: new Set() }];
  }
  const node = inner === undefined ? outer!.value : merged(name, outer, inner);
  return readSection(node, section, findings);
}

/** Train, estimate and scale of a sub-grid add to those outside; the sub-grid's fields win. */
function merged(name: SectionName, outer: Entry | undefined, inner: Entry): SourceNode {
  if (outer?.value.kind !== "map" || !MERGED.includes(name)) return inner.value;
  const base = outer.value;
  const merge = (node: SourceNode): SourceNode => {
    if (node.kind !== "map") return node;
    const tag = entryOf(node, "sampler")?.value;
    if (tag?.kind === "scalar" && tag.value === "none") return node;
    const keys = new Set(node.entries.map((entry) => entry.key));
    return { ...node, entries: [...node.entries, ...base.entries.filter((entry) => !keys.has(entry.key))] };
  };
  return inner.value.kind === "list" ? { ...inner.value, items: inner.value.items.map(merge) } : merge(inner.value);
}

const ZIP_FORMS = "paths of axes that advance in step: [scale.width, train.steps], or a list of such lists";

function readZips(node: SourceNode, findings: Findings): Zip[] {
  if (node.kind !== "list" || node.items.length === 0) {
    findings.add(node.offset, `zip cannot be ${nodeText(node)}`, ZIP_FORMS);
    return [];
  }
  const lists = node.items.every((item) => item.kind === "list") ? node.items : [node];
  const used = new Set<string>();
  return lists.flatMap((list): Zip[] => {
    const paths: { path: string; offset: number }[] = [];
    for (const item of list.items) {
      if (item.kind !== "scalar" || typeof item.value !== "string") {
        findings.add(item.offset, `zip: ${nodeText(item)} is no path`, ZIP_FORMS);
      } else if (used.has(item.value)) findings.add(item.offset, `zip: ${shown(item.value)} is zipped twice`);
      else paths.push({ path: item.value, offset: item.offset });
      if (item.kind === "scalar") used.add(String(item.value));
    }
    if (paths.length < 2) findings.add(list.offset, "zip needs at least two paths", ZIP_FORMS);
    return paths.length < 2 ? [] : [{ offset: list.offset, paths }];
  });
}
