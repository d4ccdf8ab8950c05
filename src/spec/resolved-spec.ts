/**
 * The resolved form of a sweep: a plain object with every default filled in and every range listed, which reads as a sweep
 * file again and gives the same cells. Its canonical text is what a sweep's id is the hash of.
 */
import type { Json } from "../core/canonical-json.ts";
import type { SubGrid } from "./grid.ts";
import type { Override } from "./override.ts";
import type { Rules } from "./resolve.ts";
import { SECTION_NAMES, sections } from "./sections.ts";
import type { Seeds } from "./read-seeds.ts";
import { canonicalVariant } from "./variant.ts";

export type ResolvedSpec = { readonly [key: string]: Json };

export function resolvedForm(name: string, subGrids: readonly SubGrid[], rules: Rules): ResolvedSpec {
  return {
    version: 1,
    name,
    grid: subGrids.map(resolvedGrid),
    ...(rules.where.length === 0 ? {} : { where: rules.where.map((expression) => expression.text.trim()) }),
    ...(rules.overrides.length === 0 ? {} : { overrides: rules.overrides.map(resolvedOverride) }),
  };
}

function resolvedGrid(subGrid: SubGrid): Json {
  const grid: Record<string, Json> = {};
  for (const name of SECTION_NAMES) {
    const variants = subGrid.sections[name].map((variant) => canonicalVariant(variant, sections().byName[name].tag));
    if (variants.length > 1) grid[name] = variants;
    else if (variants[0] !== undefined) grid[name] = variants[0];
  }
  grid["seed"] = resolvedSeeds(subGrid.seeds);
  if (subGrid.zips.length > 0) grid["zip"] = subGrid.zips.map((zip) => zip.paths.map(({ path }) => path));
  return grid;
}

function resolvedSeeds(seeds: Seeds): Json {
  if (seeds.kind === "replicates") return { replicates: seeds.count };
  return seeds.isAxis ? seeds.values.canonical : seeds.values.at(0);
}

function resolvedOverride(override: Override): Json {
  const set = override.set.map(({ section, field, value }) => [`${section}.${field}`, value] as const);
  return { when: override.when.text.trim(), set: Object.fromEntries(set) };
}
