/** Reads a sweep file, YAML or JSON, and reports all of its mistakes at once. */
import { checkDefaults, completeVariants, readDefaults } from "./complete-variants.ts";
import { checkPoints } from "./deep-check.ts";
import { indexSubGrid, type IndexedSubGrid, type SubGrid } from "./grid.ts";
import { Findings, SpecError, type Finding, type SpecProblem } from "./problem.ts";
import { readGrids, type WrittenGrid } from "./read-grid.ts";
import { readRules } from "./read-rules.ts";
import type { Rules } from "./resolve.ts";
import { SECTION_NAMES, sections } from "./sections.ts";
import { entryOf, nodeText, readSource, type MapNode, type SourceTree } from "./source-tree.ts";
import { LazySweep, type Arm, type GridPoint, type SweepSpec } from "./lazy-sweep.ts";
import type { ResolvedSpec } from "./resolved-spec.ts";
import { sha256Hex } from "../core/canonical-json.ts";
import { asSweepId, type SweepId } from "../core/ids.ts";

export type { Arm, GridPoint, SweepSpec };

const SPEC_VERSION = 1;
/** Names go into ids, file names and Kubernetes labels (63 characters with the id's suffix). */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?$/u;
const NAME_ACCEPTED = "lower-case letters, digits and hyphens, at most 52, a letter or digit first and last";
const TOP_KEYS = [
  "version",
  "name",
  "description",
  "defaults",
  ...SECTION_NAMES,
  "seed",
  "grid",
  "where",
  "overrides",
] as const;

/** @throws SpecError with every problem of the file, each with its line and column */
export function parseSweep(text: string, fileName: string): SweepSpec {
  const findings = new Findings();
  const source = readSource(text, findings);
  const spec = source.root?.kind === "map" ? readSpec(source.root, findings) : undefined;
  if (source.root?.kind !== "map" && findings.count === 0) {
    const what = source.root === undefined ? "empty" : nodeText(source.root);
    findings.add(source.root?.offset ?? 0, `a sweep file cannot be ${what}`, `a mapping of ${TOP_KEYS.join(", ")}`);
  }
  if (findings.count > 0 || spec === undefined) throw new SpecError(fileName, problemsOf(findings, source));
  return spec;
}

function readSpec(root: MapNode, findings: Findings): SweepSpec | undefined {
  for (const { key, keyOffset } of root.entries) {
    if (!(TOP_KEYS as readonly string[]).includes(key)) {
      findings.addUnknown(keyOffset, `a sweep has no field "${key}"`, key, TOP_KEYS);
    }
  }
  checkVersion(root, findings);
  const name = readName(root, findings);
  checkDescription(root, findings);
  const written = readGrids(root, findings);
  const defaults = readDefaults(entryOf(root, "defaults")?.value, findings);
  checkDefaults(
    defaults,
    written.map((grid) => grid.sections),
    findings,
  );
  const subGrids = written.map((grid: WrittenGrid): SubGrid => {
    const completed = completeVariants(grid.sections, defaults, sections().scaleOwner, findings);
    return { ...grid, sections: completed };
  });
  const rules = readRules(root, written, findings);
  return buildSweep(name, subGrids, rules, entryOf(root, "where")?.value.offset ?? root.offset, findings);
}

function buildSweep(
  name: string,
  subGrids: readonly SubGrid[],
  rules: Rules,
  whereAt: number,
  findings: Findings,
): SweepSpec | undefined {
  const grids: IndexedSubGrid[] = [];
  let before = 0;
  for (const subGrid of subGrids) {
    const grid = indexSubGrid(subGrid, before, findings);
    grids.push(grid);
    before += grid.size;
  }
  checkPoints(grids, rules, findings, whereAt);
  return findings.count === 0 ? new LazySweep(name, grids, rules) : undefined;
}

function checkVersion(root: MapNode, findings: Findings): void {
  const entry = entryOf(root, "version");
  if (entry === undefined) findings.add(root.offset, "the sweep has no version", `version: ${SPEC_VERSION}`);
  else if (entry.value.kind !== "scalar" || entry.value.value !== SPEC_VERSION) {
    findings.add(entry.value.offset, `version cannot be ${nodeText(entry.value)}`, String(SPEC_VERSION));
  }
}

function readName(root: MapNode, findings: Findings): string {
  const entry = entryOf(root, "name");
  if (entry === undefined) findings.add(root.offset, "the sweep has no name", `name: ${NAME_ACCEPTED}`);
  else {
    const { value } = entry;
    const text = value.kind === "scalar" && typeof value.value !== "boolean" ? value.text : "";
    if (NAME.test(text)) return text;
    findings.add(value.offset, `name cannot be ${nodeText(value)}`, NAME_ACCEPTED);
  }
  return "unnamed";
}

function checkDescription(root: MapNode, findings: Findings): void {
  const value = entryOf(root, "description")?.value;
  if (value !== undefined && (value.kind !== "scalar" || typeof value.value !== "string")) {
    findings.add(value.offset, `description cannot be ${nodeText(value)}`, "a text");
  }
}

/** In the order of the file. What stands behind a syntax error is not judged: the reader may have lost the thread there. */
function problemsOf(findings: Findings, source: SourceTree): SpecProblem[] {
  return findings.all
    .filter((finding) => finding.offset <= source.brokenFrom || isSyntax(finding))
    .map((finding): Finding & SpecProblem => ({ ...finding, ...source.lineColumn(finding.offset) }))
    .sort((left, right) => left.offset - right.offset)
    .map(({ offset: _offset, ...problem }) => problem);
}

function isSyntax(finding: Finding): boolean {
  return finding.message.startsWith("not valid YAML") || finding.message.includes("stands twice in one mapping");
}

/**
 * `<name>-<10 hex digits>`: the same spec is the same sweep. A request that wants every cell trained anew is a sweep of its
 * own, so its id is mixed in.
 */
export function sweepIdOf(spec: SweepSpec, options: { readonly noCacheRequestId?: string } = {}): SweepId {
  const request = options.noCacheRequestId === undefined ? "" : `\nno-cache ${options.noCacheRequestId}`;
  return asSweepId(`${spec.name}-${sha256Hex(spec.canonical + request).slice(0, 10)}`);
}

/** A plain object with every default filled in, for a frozen sweep file. */
export function resolvedSpec(spec: SweepSpec): ResolvedSpec {
  return spec.resolved;
}
