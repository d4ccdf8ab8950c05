/**
 * A sweep: a validated file, as a lazy grid of cells. `parseSweep` is the only way to make one.
 *
 * Invariants
 * 1. A cell depends on its fields alone: not on the order of axes, the formatting, or whether a default was written.
 * 2. `at(i)` costs the number of axes; nothing of the grid is expanded.
 * 3. `points()` gives each cell once.
 */
import { canonicalJson, PrefixHash } from "../core/canonical-json.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import { asCellId, type CellId, type FuseKey } from "../core/ids.ts";
import { NUMERICS_VERSION } from "../core/version.ts";
import { armTexts, CanonicalSections, type ArmTexts } from "./canonical-sections.ts";
import type { Cell } from "./cell.ts";
import { architectureOf, datasetOf } from "../catalogue/registry.ts";
import { Columns, type AxisInfo, type Point } from "./columns.ts";
import { EXACT_CHECK_POINTS } from "./deep-check.ts";
import { placeOf, type IndexedSubGrid } from "./grid.ts";
import { draftOf, isKept, seedlessConfigOf, seedOf, type Draft, type Rules, type SeedlessConfig } from "./resolve.ts";
import { startOf, startProblem } from "./start.ts";
import { resolvedForm, type ResolvedSpec } from "./resolved-spec.ts";

export interface GridPoint {
  readonly index: number;
  readonly cell: Cell;
  readonly fuseKey: FuseKey;
  readonly point: Point;
}

/** What the cells share that differ in their seed alone. */
export interface Arm {
  readonly fuseKey: FuseKey;
  readonly config: SeedlessConfig;
  readonly texts: ArmTexts;
}

/** A point without what its tables show: as much as is needed of a million of them. */
export interface ArmCell {
  readonly id: CellId;
  readonly seed: string;
  /** One object for the cells of an arm that follow one another. */
  readonly arm: Arm;
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
  /** The cell of that point, at a fraction of its cost. */
  cellAt(index: number): ArmCell | undefined;
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

/** Points that follow one another and differ in their replicate alone. */
interface Run {
  readonly first: number;
  readonly end: number;
  /** Of the first. */
  readonly replicate: number;
  /** Of one of them; undefined: they repeat others. */
  readonly draft: Draft | undefined;
  /** Made when a filter has let a point through. */
  arm: Arm | undefined;
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
  #lastRun: Run | undefined;
  readonly #idHash = new PrefixHash();
  readonly #seedHash = new PrefixHash();
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
    const cell = this.cellAt(index);
    if (cell === undefined) return undefined;
    const { id, seed, arm } = cell;
    const draft = draftAt(this.#runOf(index), index);
    const point = this.#columns.pointOf(draft, seed, this.#rules);
    return { index, cell: { id, config: { ...arm.config, seed } }, fuseKey: arm.fuseKey, point };
  }

  cellAt(index: number): ArmCell | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= this.gridSize) {
      throw new OccamError("not-found", `the grid has no point ${index}: it has ${this.gridSize}`);
    }
    try {
      const run = this.#runOf(index);
      if (run.draft === undefined) return undefined;
      if (this.#rules.where.length > 0 && !isKept(draftAt(run, index), this.#rules)) return undefined;
      const arm = (run.arm ??= this.#armOf(run.draft));
      const seed = seedOf(run.draft.place.subGrid, replicateAt(run, index), arm.texts.seedless, this.#seedHash);
      return { id: this.#idOf(arm, seed), seed, arm };
    } catch (error) {
      if (error instanceof OccamError && error.code === "internal") throw error;
      // A combination that the checks of a large grid did not visit.
      throw new OccamError("bad-spec", `point ${index} of the sweep "${this.name}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** The one that `cellOf` gives. */
  #idOf({ texts: { idBefore, idAfter } }: Arm, seed: string): CellId {
    return asCellId(this.#idHash.hex(idBefore, seed + idAfter));
  }

  /** What the points of a run share is made once. */
  #runOf(index: number): Run {
    const last = this.#lastRun;
    if (last !== undefined && index >= last.first && index < last.end) return last;
    const grid = this.#grids.findLast((candidate) => candidate.before <= index)!;
    const place = placeOf(grid, index - grid.before);
    // Overrides may depend on the replicate.
    const isAlone = this.#rules.overrides.length > 0 || place.replicates === 1;
    const first = isAlone ? index : index - place.replicate;
    const end = isAlone ? index + 1 : first + place.replicates;
    const replicate = isAlone ? place.replicate : 0;
    return (this.#lastRun = { first, end, replicate, draft: draftOf(place, this.#rules), arm: undefined });
  }

  #armOf(draft: Draft): Arm {
    const config = seedlessConfigOf(draft);
    const texts = this.#canonical.textsOf(config);
    const learns = texts.architecture + texts.data + startOf(config.train);
    if (this.#wasSampled) this.#checkLearnable(draft, config, learns);
    const fuseKey = this.#canonical.fuseKeyOf(texts, { ...config, seed: "0" });
    return { config, texts: armTexts(texts), fuseKey };
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

const replicateAt = (run: Run, index: number): number => run.replicate + index - run.first;

/** The draft of a point of a run that has one. */
function draftAt(run: Run, index: number): Draft {
  const { place, values } = run.draft!;
  return { place: { ...place, replicate: replicateAt(run, index) }, values };
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
