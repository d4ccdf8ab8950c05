/**
 * A sweep: a validated file, as a lazy grid of cells. `parseSweep` is the only way to make one.
 *
 * Invariants
 * 1. A cell depends on its fields alone: not on the order of axes, the formatting, or whether a default was written.
 * 2. `at(i)` costs the number of axes; nothing of the grid is expanded.
 * 3. `points()` gives each cell once.
 */
import { canonicalJson } from "../core/canonical-json.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import type { FuseKey } from "../core/ids.ts";
import { NUMERICS_VERSION } from "../core/version.ts";
import { CanonicalSections, cellOfTexts, configFields, seedlessText, type SectionTexts } from "./canonical-sections.ts";
import type { Cell } from "./cell.ts";
import { architectureOf, datasetOf } from "../catalogue/registry.ts";
import { Columns, type AxisInfo, type Point } from "./columns.ts";
import { EXACT_CHECK_POINTS } from "./deep-check.ts";
import { placeOf, type IndexedSubGrid, type Place } from "./grid.ts";
import { draftOf, isKept, seedlessConfigOf, seedOf, type Draft, type Rules, type SeedlessConfig } from "./resolve.ts";
import { SECTION_NAMES } from "./sections.ts";
import { startOf, startProblem } from "./start.ts";
import { resolvedForm, type ResolvedSpec } from "./resolved-spec.ts";

export interface GridPoint {
  readonly index: number;
  readonly cell: Cell;
  readonly fuseKey: FuseKey;
  /** `canonicalJson` of the cell's configuration, cut before each of its fields. */
  readonly config: readonly string[];
  readonly point: Point;
}

export interface SweepSpec {
  readonly name: string;
  /** The columns of the sweep's tables: paths that vary, and the kinds. */
  readonly axes: readonly AxisInfo[];
  /** Points before filters and before repetitions fall together. */
  readonly gridSize: number;
  /** Could two points be one cell? If not, `points()` remembers nothing. */
  readonly mayRepeat: boolean;
  /** The point of an index 0 .. gridSize - 1; undefined: filtered out, or a repetition along a scale that does not apply. */
  at(index: number): GridPoint | undefined;
  /** Every distinct cell, in the order of the grid. */
  points(): Generator<GridPoint, void, undefined>;
  /** With every default filled in; reads as a sweep file again. */
  readonly resolved: ResolvedSpec;
  /** What the sweep's id is the hash of. */
  readonly canonical: string;
}

/**
 * Cells that `points()` remembers to give each once: 2 million take about 150 MB. Behind it repetitions are given again,
 * with the same id.
 */
const DISTINCT_LIMIT = 2_000_000;

/** Pairs of architecture and data that are remembered as checked; behind it they are checked again. */
const LEARNABLE_LIMIT = 100_000;

/** What the points share that differ in their replicate alone. */
interface Arm {
  readonly draft: Draft;
  /** Made when a filter has let a point through. */
  made: MadeArm | undefined;
}

interface MadeArm {
  readonly seedless: SeedlessConfig;
  readonly texts: SectionTexts;
  readonly fuseKey: FuseKey;
}

export class LazySweep implements SweepSpec {
  readonly name: string;
  readonly axes: readonly AxisInfo[];
  readonly gridSize: number;
  readonly mayRepeat: boolean;
  readonly resolved: ResolvedSpec;
  readonly canonical: string;
  readonly #grids: readonly IndexedSubGrid[];
  readonly #rules: Rules;
  readonly #columns: Columns;
  readonly #canonical = new CanonicalSections();
  #lastArm: Arm | undefined;
  /** Only some points were checked when the file was read. */
  readonly #wasSampled: boolean;
  /** Pairs of architecture and data that were checked since. */
  readonly #learnable = new Set<string>();

  constructor(name: string, grids: readonly IndexedSubGrid[], rules: Rules) {
    this.name = name;
    this.#grids = grids;
    this.#rules = rules;
    const subGrids = grids.map((grid) => grid.subGrid);
    this.#columns = new Columns(subGrids, rules.overrides);
    this.axes = this.#columns.axes;
    this.gridSize = grids.reduce((sum, grid) => sum + grid.size, 0);
    this.#wasSampled = this.gridSize > EXACT_CHECK_POINTS;
    this.mayRepeat = mayRepeat(grids, rules);
    this.resolved = resolvedForm(name, subGrids, rules);
    this.canonical = canonicalJson({ occam: NUMERICS_VERSION, ...this.resolved });
  }

  at(index: number): GridPoint | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= this.gridSize) {
      throw new OccamError("not-found", `the grid has no point ${index}: it has ${this.gridSize}`);
    }
    const grid = this.#grids.findLast((candidate) => candidate.before <= index)!;
    try {
      const place = placeOf(grid, index - grid.before);
      const arm = this.#armOf(place);
      if (arm === undefined) return undefined;
      const draft = { place, values: arm.draft.values };
      return isKept(draft, this.#rules) ? this.#pointOf(index, draft, arm) : undefined;
    } catch (error) {
      if (error instanceof OccamError && error.code === "internal") throw error;
      // A combination that the checks of a large grid did not visit.
      throw new OccamError("bad-spec", `point ${index} of the sweep "${this.name}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Points that differ in their replicate alone follow one another: what they share is made once. */
  #armOf(place: Place): Arm | undefined {
    const { overrides } = this.#rules;
    const last = this.#lastArm;
    if (last !== undefined && overrides.length === 0 && isSameArm(last.draft.place, place)) return last;
    const draft = draftOf(place, this.#rules);
    this.#lastArm = draft === undefined ? undefined : { draft, made: undefined };
    return this.#lastArm;
  }

  #makeArm(draft: Draft): MadeArm {
    const seedless = seedlessConfigOf(draft);
    const texts = this.#canonical.textsOf(seedless);
    const learns = texts.architecture + texts.data + startOf(seedless.train);
    if (this.#wasSampled) this.#checkLearnable(draft, seedless, learns);
    return { seedless, texts, fuseKey: this.#canonical.fuseKeyOf(texts, { ...seedless, seed: "0" }) };
  }

  #pointOf(index: number, draft: Draft, arm: Arm): GridPoint {
    const { seedless, texts, fuseKey } = (arm.made ??= this.#makeArm(draft));
    const seed = seedOf(draft.place, () => seedlessText(texts));
    const cell = cellOfTexts(texts, seedless, seed);
    const point = this.#columns.pointOf(draft, seed, this.#rules);
    return { index, cell, fuseKey, config: configFields(texts, seed), point };
  }

  /** What `checkPoints` does for every point of a small grid, for those of a large one as they are reached. */
  #checkLearnable(draft: Draft, { architecture, data, train }: SeedlessConfig, key: string): void {
    if (this.#learnable.has(key)) return;
    for (const section of ["architecture", "data"] as const) {
      draft.place.variants[section].kind.schema?.parse(draft.values[section]);
    }
    const reason = architectureOf(architecture).unsupported(architecture, datasetOf(data).task(data));
    const problem = reason ?? startProblem(architecture, data, startOf(train))?.message;
    if (problem !== undefined) throw new OccamError("bad-spec", problem);
    if (this.#learnable.size < LEARNABLE_LIMIT) this.#learnable.add(key);
  }

  *points(): Generator<GridPoint, void, undefined> {
    const given = new Set<string>();
    for (let index = 0; index < this.gridSize; index += 1) {
      const point = this.at(index);
      if (point === undefined) continue;
      if (this.mayRepeat) {
        // 128 bits of the id, as 16 characters of one byte: two different cells of one grid never share them.
        const id = Buffer.from(point.cell.id.slice(0, 32), "hex").toString("latin1");
        if (given.has(id)) continue;
        if (given.size < DISTINCT_LIMIT) given.add(id);
      }
      yield point;
    }
  }
}

function isSameArm(left: Place, right: Place): boolean {
  if (left.subGrid !== right.subGrid || left.steps.length !== right.steps.length) return false;
  if (SECTION_NAMES.some((section) => left.variants[section] !== right.variants[section])) return false;
  return left.steps.every(({ axes, at }, index) => {
    const other = right.steps[index]!;
    return at === other.at && axes === other.axes;
  });
}

/** Only a plain product of different kinds surely has different cells; scales that do not apply are left out by `at`. */
function mayRepeat(grids: readonly IndexedSubGrid[], rules: Rules): boolean {
  if (grids.length > 1 || rules.overrides.length > 0) return true;
  const sections = grids.flatMap((grid) => Object.values(grid.subGrid.sections));
  return sections.some((variants) => {
    const kinds = new Set(variants.map((variant) => variant.kind.kind));
    // `auto` beside a number may come out as that number.
    const mixes = variants.flatMap((variant) => variant.axes).some((axis) => axis.field === "batch");
    return kinds.size < variants.length || mixes;
  });
}
