/**
 * The lazy grid: a mixed-radix number names each point, and its digits are the values of the axes. Nothing is expanded, so a
 * grid of 10^9 points takes the memory of its axes.
 *
 * A sub-grid is a product of factors. A factor is one section, or the sections that a zip ties together; it is a sum of
 * blocks, one for each choice of variants; a block is a product of digits. So an axis inside one variant exists only for
 * that variant, and axes in step share one digit.
 */
import type { AxisValues } from "./axis-values.ts";
import type { Findings } from "./problem.ts";
import type { Seeds } from "./read-seeds.ts";
import { SECTION_NAMES, type SectionName } from "./sections.ts";
import type { FieldAxis, Variant } from "./variant.ts";

type Member = SectionName | "seed";
const MEMBERS: readonly Member[] = [...SECTION_NAMES, "seed"];

export interface Zip {
  readonly offset: number;
  readonly paths: readonly { readonly path: string; readonly offset: number }[];
}

export interface SubGrid {
  readonly offset: number;
  readonly sections: Readonly<Record<SectionName, readonly Variant[]>>;
  readonly seeds: Seeds;
  readonly zips: readonly Zip[];
}

/** One digit: an axis, or several in step. */
interface Digit {
  readonly length: number;
  readonly axes: readonly FieldAxis[];
  readonly seed: AxisValues | undefined;
}

interface Block {
  readonly variants: ReadonlyMap<SectionName, Variant>;
  readonly digits: readonly Digit[];
  readonly size: number;
  /** Points of the factor before this block. */
  readonly before: number;
}

interface Factor {
  readonly blocks: readonly Block[];
  readonly size: number;
}

export interface IndexedSubGrid {
  readonly subGrid: SubGrid;
  readonly factors: readonly Factor[];
  readonly size: number;
  /** Points of the grid before this sub-grid. */
  readonly before: number;
}

/** Variant choices of sections that a zip ties together; more is no sweep that a person wrote. */
const BLOCK_LIMIT = 100_000;
/** Points are numbered by doubles. */
const GRID_LIMIT = Number.MAX_SAFE_INTEGER;

export function indexSubGrid(subGrid: SubGrid, before: number, findings: Findings): IndexedSubGrid {
  const factors = groupsOf(subGrid, findings).map((members) => factorOf(members, subGrid, findings));
  const size = factors.reduce((product, factor) => product * factor.size, 1);
  if (!(before + size <= GRID_LIMIT)) {
    findings.add(subGrid.offset, `the grid has about ${size.toExponential(1)} points`, `at most ${GRID_LIMIT}`);
  }
  return { subGrid, factors, size, before };
}

/** Members of the product, tied together where a zip names paths of more than one. In canonical order. */
function groupsOf(subGrid: SubGrid, findings: Findings): Member[][] {
  const group = new Map<Member, Member[]>(MEMBERS.map((member) => [member, [member]]));
  for (const zip of subGrid.zips) {
    const named = zip.paths.map(({ path }) => memberOf(path)).filter((member) => member !== undefined);
    const joined = [...new Set(named.flatMap((member) => group.get(member)!))];
    joined.sort((left, right) => MEMBERS.indexOf(left) - MEMBERS.indexOf(right));
    for (const member of joined) group.set(member, joined);
    checkZip(zip, subGrid, findings);
  }
  return [...new Set(group.values())];
}

function memberOf(path: string): Member | undefined {
  const head = path.split(".")[0]!;
  return MEMBERS.find((member) => member === head);
}

/** Paths that can be zipped: every axis, every section with several variants, and listed seeds. */
function zippablePaths(subGrid: SubGrid): string[] {
  const paths: string[] = [];
  for (const section of SECTION_NAMES) {
    const variants = subGrid.sections[section];
    if (variants.length > 1) paths.push(section);
    for (const variant of variants) for (const axis of variant.axes) paths.push(`${section}.${axis.field}`);
  }
  if (subGrid.seeds.kind === "shared" && subGrid.seeds.isAxis) paths.push("seed");
  return [...new Set(paths)];
}

function checkZip(zip: Zip, subGrid: SubGrid, findings: Findings): void {
  const zippable = zippablePaths(subGrid);
  for (const { path, offset } of zip.paths) {
    if (!zippable.includes(path)) findings.addUnknown(offset, `zip: "${path}" is no axis of this grid`, path, zippable);
  }
}

function factorOf(members: readonly Member[], subGrid: SubGrid, findings: Findings): Factor {
  const chosen = members.filter((member) => member !== "seed");
  const zips = subGrid.zips.filter((zip) => zip.paths.some(({ path }) => members.includes(memberOf(path)!)));
  const blocks: Block[] = [];
  let before = 0;
  for (const variants of choicesOf(chosen, subGrid, zips, findings)) {
    if (blocks.length === BLOCK_LIMIT) {
      findings.add(subGrid.offset, `zip ties more than ${BLOCK_LIMIT} combinations of variants together`);
      break;
    }
    const digits = digitsOf(members, variants, subGrid.seeds, zips, findings);
    const size = digits.reduce((product, digit) => product * digit.length, 1);
    blocks.push({ variants, digits, size, before });
    before += size;
  }
  return { blocks, size: before };
}

/** Every choice of one variant for each section; sections that are zipped as such advance together. */
function* choicesOf(
  chosen: readonly SectionName[],
  subGrid: SubGrid,
  zips: readonly Zip[],
  findings: Findings,
): Generator<ReadonlyMap<SectionName, Variant>> {
  const lists = chosen.map((section) => subGrid.sections[section]);
  const ties = zips
    .map((zip) => ({
      zip,
      at: chosen.map((_, i) => i).filter((i) => zip.paths.some(({ path }) => path === chosen[i])),
    }))
    .filter(({ at }) => at.length > 1);
  for (const { zip, at } of ties) {
    const lengths = at.map((i) => lists[i]!.length);
    if (new Set(lengths).size > 1) {
      findings.add(
        zip.offset,
        `zip needs lists of one length: ${at.map((i) => `${chosen[i]} has ${lists[i]!.length}`).join(", ")}`,
      );
      return;
    }
  }
  const total = lists.reduce((product, list) => product * list.length, 1);
  for (let number = 0; number < total; number += 1) {
    const picks: number[] = [];
    let rest = number;
    for (let i = lists.length - 1; i >= 0; i -= 1) {
      picks[i] = rest % lists[i]!.length;
      rest = Math.floor(rest / lists[i]!.length);
    }
    if (ties.some(({ at }) => at.some((i) => picks[i] !== picks[at[0]!]))) continue;
    yield new Map(chosen.map((section, i) => [section, lists[i]![picks[i]!]!]));
  }
}

function digitsOf(
  members: readonly Member[],
  variants: ReadonlyMap<SectionName, Variant>,
  seeds: Seeds,
  zips: readonly Zip[],
  findings: Findings,
): Digit[] {
  const digits: Digit[] = [];
  const done = new Set<Zip>();
  const axes = members.flatMap((member) => (member === "seed" ? [] : variants.get(member)!.axes));
  for (const axis of axes) {
    const path = `${axis.section}.${axis.field}`;
    const zip = zips.find((candidate) => candidate.paths.some((each) => each.path === path));
    if (zip === undefined) digits.push({ length: axis.values.length, axes: [axis], seed: undefined });
    else if (!done.has(zip)) digits.push(zippedDigit(zip, axes, seeds, findings));
    if (zip !== undefined) done.add(zip);
  }
  if (!members.includes("seed")) return digits;
  const zipped = [...done].some((zip) => zip.paths.some(({ path }) => path === "seed"));
  if (!zipped) digits.push(seedDigit(seeds));
  return digits;
}

function seedDigit(seeds: Seeds): Digit {
  const values = seeds.kind === "shared" ? seeds.values : undefined;
  return { length: seeds.kind === "shared" ? seeds.values.length : seeds.count, axes: [], seed: values };
}

/** One digit for all axes of a zip that these variants have. */
function zippedDigit(zip: Zip, axes: readonly FieldAxis[], seeds: Seeds, findings: Findings): Digit {
  const named = axes.filter((axis) => zip.paths.some(({ path }) => path === `${axis.section}.${axis.field}`));
  const withSeed = seeds.kind === "shared" && zip.paths.some(({ path }) => path === "seed");
  const lengths = new Map(named.map((axis) => [`${axis.section}.${axis.field}`, axis.values.length]));
  if (withSeed) lengths.set("seed", seeds.values.length);
  if (new Set(lengths.values()).size > 1) {
    const text = [...lengths].map(([path, length]) => `${path} has ${length}`).join(", ");
    findings.add(zip.offset, `zip needs lists of one length: ${text}`);
  }
  return { length: Math.min(...lengths.values()), axes: named, seed: withSeed ? seeds.values : undefined };
}

/** Where an index stands: the variants, and the place on every axis. */
export interface Place {
  readonly subGrid: SubGrid;
  readonly variants: Readonly<Record<SectionName, Variant>>;
  readonly steps: readonly { readonly axes: readonly FieldAxis[]; readonly at: number }[];
  /** The number of the seed on its axis. */
  readonly replicate: number;
  /**
   * How many points that differ in this number alone follow one another here: this is the `replicate`-th of them. 1: the seed
   * is not the innermost digit.
   */
  readonly replicates: number;
}

/** The place of an index of a sub-grid, 0 .. size - 1. Costs the number of axes (and a search in the blocks). */
export function placeOf(grid: IndexedSubGrid, index: number): Place {
  const variants: Partial<Record<SectionName, Variant>> = {};
  const steps: { axes: readonly FieldAxis[]; at: number }[] = [];
  let replicate = 0;
  let replicates: number | undefined;
  let rest = index;
  for (let f = grid.factors.length - 1; f >= 0; f -= 1) {
    const factor = grid.factors[f]!;
    let within = rest % factor.size;
    rest = Math.floor(rest / factor.size);
    const block = blockAt(factor.blocks, within);
    within -= block.before;
    for (const [section, variant] of block.variants) variants[section] = variant;
    for (let d = block.digits.length - 1; d >= 0; d -= 1) {
      const digit = block.digits[d]!;
      const at = within % digit.length;
      within = Math.floor(within / digit.length);
      replicates ??= digit.axes.length === 0 ? digit.length : 1;
      if (digit.axes.length > 0) steps.push({ axes: digit.axes, at });
      if (digit.axes.length === 0 || digit.seed !== undefined) replicate = at;
    }
  }
  return {
    subGrid: grid.subGrid,
    variants: variants as Record<SectionName, Variant>,
    steps,
    replicate,
    replicates: replicates ?? 1,
  };
}

function blockAt(blocks: readonly Block[], within: number): Block {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (blocks[middle]!.before <= within) low = middle;
    else high = middle - 1;
  }
  return blocks[low]!;
}
