/**
 * What a sweep would do, before anything runs: how many cells, which of them fuse, what they cost. Exact for grids that can
 * be visited; larger ones are sampled, and the plan says so.
 */
import type { FuseKey } from "../core/ids.ts";
import { BACKEND_SPEEDS, type BackendSpeed } from "./backend-speed.ts";
import { fuseKeyOf, taskOf, type CellConfig } from "./cell.ts";
import { costOf, type Cost } from "./cost.ts";
import type { GridPoint, SweepSpec } from "./lazy-sweep.ts";
import { sampleIndices } from "./sample.ts";

export interface PlanOptions {
  /** Ids of cells whose results are stored already. */
  readonly cached?: ReadonlySet<string>;
  /** Grids up to this size are visited point by point. */
  readonly exactPoints?: number;
  /** Points of a larger grid that are looked at. */
  readonly samplePoints?: number;
  /** The most cells of one fused program. */
  readonly maxFuseWidth?: number;
}

/** 200,000 points take some seconds. */
export const EXACT_POINTS = 200_000;
/** A kept fraction p is then known to sqrt(p (1 - p) / 10,000), below 0.5 percentage points. */
const SAMPLE_POINTS = 10_000;
/** Cells of a shard, at the most: what a worker on a processor takes by default (worker/engine/fuse-width.ts). */
const PLANNED_FUSE_WIDTH = 64;

/** How many shards have how many cells. */
interface Width {
  readonly width: number;
  readonly shards: number;
}

interface FuseGroup {
  readonly fuseKey: FuseKey;
  /** What its cells share, for people. */
  readonly label: string;
  readonly cells: number;
  readonly widths: readonly Width[];
  /** Of one cell. */
  readonly parameters: number;
  /** Of all of its cells, training and estimate. */
  readonly flops: number;
  /** Memory of its widest shard. */
  readonly bytes: number;
}

interface BackendTime extends BackendSpeed {
  /** With one worker. */
  readonly seconds: number;
}

export interface Plan {
  readonly name: string;
  /** Points of the grid, before filters. */
  readonly gridSize: number;
  /** Distinct cells. */
  readonly cells: number;
  /** False: every number but gridSize is estimated from `sampledPoints` points. */
  readonly exact: boolean;
  readonly sampledPoints: number;
  /** Of the cells: those that need no training. Undefined: nobody looked. Flops and times are for all cells. */
  readonly cached: number | undefined;
  readonly axes: SweepSpec["axes"];
  /** The largest first. */
  readonly fuseGroups: readonly FuseGroup[];
  readonly totals: {
    readonly trainFlops: number;
    readonly estimateFlops: number;
    readonly shards: number;
    readonly largestParameters: number;
    readonly largestBytes: number;
  };
  readonly times: readonly BackendTime[];
}

export function planSweep(spec: SweepSpec, options: PlanOptions = {}): Plan {
  const exact = spec.gridSize <= (options.exactPoints ?? EXACT_POINTS);
  const tally = new Tally(options.cached);
  let factor = 1;
  let sampledPoints = spec.gridSize;
  if (exact) for (const point of spec.points()) tally.add(point);
  else {
    sampledPoints = options.samplePoints ?? SAMPLE_POINTS;
    factor = spec.gridSize / sampledPoints;
    for (const index of sampleIndices(spec.gridSize, sampledPoints, 0)) {
      const point = spec.at(index);
      if (point !== undefined) tally.add(point);
    }
  }
  const maxWidth = options.maxFuseWidth ?? PLANNED_FUSE_WIDTH;
  const groups = tally.groups.map((group) => groupOf(group, factor, maxWidth, exact));
  groups.sort((left, right) => right.flops - left.flops || (left.fuseKey < right.fuseKey ? -1 : 1));
  const shards = sum(groups.map((group) => sum(group.widths.map((width) => width.shards))));
  return {
    name: spec.name,
    gridSize: spec.gridSize,
    cells: Math.round(tally.cells * factor),
    exact,
    sampledPoints,
    cached: options.cached === undefined ? undefined : Math.round(tally.cachedCells * factor),
    axes: spec.axes,
    fuseGroups: groups,
    totals: {
      trainFlops: sum(tally.groups.map((group) => group.trainFlops)) * factor,
      estimateFlops: sum(tally.groups.map((group) => group.estimateFlops)) * factor,
      shards,
      largestParameters: Math.max(0, ...groups.map((group) => group.parameters)),
      largestBytes: Math.max(0, ...groups.map((group) => group.bytes)),
    },
    times: BACKEND_SPEEDS.map((speed) => timeOn(speed, tally.groups, groups)),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** What was counted of one fuse key. */
interface Counted {
  readonly fuseKey: FuseKey;
  readonly config: CellConfig;
  cells: number;
  parameters: number;
  trainFlops: number;
  estimateFlops: number;
  bytesPerMember: number;
}

/** Counts cells by fuse key; shapes are looked at once for each optimizer of a key. */
class Tally {
  readonly #cached: ReadonlySet<string> | undefined;
  readonly #byKey = new Map<string, Counted>();
  /** By the text of what a fuse key depends on: hashing it for each cell would be most of the work. */
  readonly #keys = new Map<string, FuseKey>();
  readonly #costs = new Map<string, Cost>();
  cells = 0;
  cachedCells = 0;

  constructor(cached: ReadonlySet<string> | undefined) {
    this.#cached = cached;
  }

  get groups(): readonly Counted[] {
    return [...this.#byKey.values()];
  }

  add({ cell }: GridPoint): void {
    const { config } = cell;
    this.cells += 1;
    if (this.#cached?.has(cell.id) === true) this.cachedCells += 1;
    const fuseKey = this.#fuseKey(config);
    const cost = this.#cost(fuseKey, config);
    const group = this.#byKey.get(fuseKey) ?? this.#open(fuseKey, config, cost);
    group.cells += 1;
    group.trainFlops += cost.trainFlops;
    group.estimateFlops += cost.estimateFlops;
    group.bytesPerMember = Math.max(group.bytesPerMember, cost.bytesPerMember);
  }

  #fuseKey(config: CellConfig): FuseKey {
    const { architecture, data, train, estimate } = config;
    const text = JSON.stringify([architecture, data, train, estimate]);
    const known = this.#keys.get(text) ?? fuseKeyOf(config);
    this.#keys.set(text, known);
    return known;
  }

  #cost(fuseKey: FuseKey, config: CellConfig): Cost {
    const text = `${fuseKey} ${config.optimizer.kind}`;
    const known = this.#costs.get(text) ?? costOf(config);
    this.#costs.set(text, known);
    return known;
  }

  #open(fuseKey: FuseKey, config: CellConfig, { parameters }: Cost): Counted {
    const opened = { fuseKey, config, cells: 0, parameters, trainFlops: 0, estimateFlops: 0, bytesPerMember: 0 };
    this.#byKey.set(fuseKey, opened);
    return opened;
  }
}

function groupOf(counted: Counted, factor: number, maxWidth: number, exact: boolean): FuseGroup {
  const cells = Math.max(1, Math.round(counted.cells * factor));
  return {
    fuseKey: counted.fuseKey,
    label: labelOf(counted.config),
    cells,
    widths: exact ? widthsOf(cells, maxWidth) : [{ width: maxWidth, shards: Math.ceil(cells / maxWidth) }],
    parameters: counted.parameters,
    flops: (counted.trainFlops + counted.estimateFlops) * factor,
    bytes: Math.min(cells, maxWidth) * counted.bytesPerMember,
  };
}

function widthsOf(cells: number, maxWidth: number): Width[] {
  const full = Math.floor(cells / maxWidth);
  const rest = cells % maxWidth;
  const widths = full > 0 ? [{ width: maxWidth, shards: full }] : [];
  return rest > 0 ? [...widths, { width: rest, shards: 1 }] : widths;
}

/** Fields that tell architectures apart, as a label shows them: a word for itself, a size after its name. */
const LABEL_WORDS = ["activation", "basis", "form"];
const LABEL_SIZES = ["degree", "width", "depth", "widths", "powers", "heads", "context"];

/** "mlp tanh width 16 depth 2 · 784 -> 10 classes · 1500 steps of 128". */
function labelOf(config: CellConfig): string {
  const { kind, ...fields } = config.architecture;
  // Widths of all layers are in place of the width and the depth.
  const replaced = fields["widths"] === undefined || fields["widths"] === "auto" ? ["widths"] : ["width", "depth"];
  const shown = (field: string): boolean => fields[field] !== undefined && !replaced.includes(field);
  const sizes = [
    ...LABEL_WORDS.filter(shown).map((field) => String(fields[field])),
    ...LABEL_SIZES.filter(shown).map((field) => `${field} ${String(fields[field])}`),
  ];
  const { input, output, trainRows } = taskOf(config);
  const reads =
    input.kind === "vector"
      ? `${input.size} inputs`
      : input.kind === "image"
        ? `${input.height}x${input.width}x${input.channels} images`
        : `${input.context} tokens`;
  const gives = output.kind === "classes" ? `${output.classes} classes` : `${output.values} values`;
  const { steps, batch } = config.train;
  const training = steps === 0 ? "no training" : `${steps} steps of ${batch}`;
  return `${[kind, ...sizes].join(" ")} · ${trainRows} rows of ${reads} to ${gives} · ${training}`;
}

/** Arithmetic at the backend's speed, and a fixed price for each step of each shard. */
function timeOn(speed: BackendSpeed, counted: readonly Counted[], groups: readonly FuseGroup[]): BackendTime {
  const flops = sum(groups.map((group) => group.flops));
  const stepsOf = new Map(counted.map(({ fuseKey, config }) => [fuseKey, programSteps(config)]));
  const steps = sum(
    groups.map(({ fuseKey, widths }) => stepsOf.get(fuseKey)! * sum(widths.map((each) => each.shards))),
  );
  return { ...speed, seconds: flops / (speed.gigaflopsPerSecond * 1e9) + steps * speed.stepSeconds };
}

/** Steps of one shard: updates, then those of its chains, which run beside each other. */
function programSteps({ train, estimate }: CellConfig): number {
  const { budget, burnIn, draws, thin, estimand } = estimate;
  const sampling = budget > 0 ? budget : burnIn + draws * thin;
  return train.steps + sampling * (estimand === "both" ? 2 : 1);
}
