/**
 * How many members one fused program should have, learned while the process lives, for each fuse key: widths 1, 2, 4, ... are
 * timed (`trainer/width-probe.ts`) until doubling makes a member's step less than a tenth cheaper, and a width that ran out of
 * memory is not tried again. A process has one backend, so what is learned is of that one. No number of a cell depends on it.
 */
import type { FuseKey } from "../../src/core/ids.ts";
import type { BackendName } from "./loaded-backend.ts";

/**
 * Cells that a worker takes as one shard, unless it is told: as many as can pay on its backend. It runs fewer at a time where
 * measured to be as good, so this bounds what one lease holds and what a dying process loses. On a processor the fixed cost of
 * a step, about a millisecond, is shared by 64 members and lost in their arithmetic; a GPU has more to fill.
 */
const MOST_FUSED: Readonly<Record<BackendName, number>> = {
  wasm: 64,
  tensorflow: 64,
  webgpu: 512,
  "tensorflow-gpu": 512,
};

/** By the backend's name as it is on the wire. */
export const mostFused = (backend: string): number => MOST_FUSED[backend as BackendName] ?? MOST_FUSED.wasm;

export interface WidthPoint {
  readonly width: number;
  /** One step of the whole program. */
  readonly stepMs: number;
}

/** So many times the members' steps a second make a wider program worth its memory and its later results. */
const LEAST_GAIN = 1.1;
/** A step so long hides what every step costs whatever its width; timing a wider one would take long, too. */
const LONG_STEP_MS = 25;
/** A sweep's shards come key by key. */
const KEYS_KEPT = 256;

interface Learned {
  readonly points: readonly WidthPoint[];
  /** The best width; undefined: wider ones may be better. */
  readonly best: number | undefined;
  /** Members that memory holds in training, as far as was seen. */
  readonly mostTrained: number;
  /** Cells that it holds while they are estimated. */
  readonly mostEstimated: number;
}

const NOTHING: Learned = { points: [], best: undefined, mostTrained: Infinity, mostEstimated: Infinity };

export class FuseWidths {
  readonly #learned = new Map<FuseKey, Learned>();
  readonly #onBest: (key: FuseKey, points: readonly WidthPoint[], best: number) => void;

  /** @param onBest called once for each fuse key, when its best width is known */
  constructor(onBest: (key: FuseKey, points: readonly WidthPoint[], best: number) => void = () => undefined) {
    this.#onBest = onBest;
  }

  /** Nothing was timed yet in this process. */
  get isEmpty(): boolean {
    return this.#learned.size === 0;
  }

  /** Infinity: as wide as can be. */
  best(key: FuseKey): number {
    return this.#of(key).best ?? Infinity;
  }

  mostTrained(key: FuseKey): number {
    return this.#of(key).mostTrained;
  }

  mostEstimated(key: FuseKey): number {
    return this.#of(key).mostEstimated;
  }

  lastPoint(key: FuseKey): WidthPoint | undefined {
    return this.#of(key).points.at(-1);
  }

  /** The next width to be timed, of at most `most` members; undefined: there is nothing to learn. */
  next(key: FuseKey, most: number): number | undefined {
    const { best, points } = this.#of(key);
    const width = 2 * (points.at(-1)?.width ?? 1 / 2);
    return best === undefined && width <= Math.min(most, this.mostTrained(key)) ? width : undefined;
  }

  /** Widths come in the order of `next`. */
  timed(key: FuseKey, point: WidthPoint): void {
    const before = this.#of(key);
    const points = [...before.points, point];
    const best = bestOf(points);
    this.#keep(key, { ...before, points, best });
    if (best !== undefined) this.#onBest(key, points, best);
  }

  /** A program of so many members did not fit. */
  trainingRanOut(key: FuseKey, members: number): void {
    const before = this.#of(key);
    this.#keep(key, { ...before, mostTrained: Math.min(before.mostTrained, halfOf(members)) });
  }

  /** The chains of so many cells did not fit. */
  estimateRanOut(key: FuseKey, cells: number): void {
    const before = this.#of(key);
    this.#keep(key, { ...before, mostEstimated: Math.min(before.mostEstimated, halfOf(cells)) });
  }

  #of(key: FuseKey): Learned {
    return this.#learned.get(key) ?? NOTHING;
  }

  #keep(key: FuseKey, learned: Learned): void {
    this.#learned.delete(key);
    this.#learned.set(key, learned);
    const [oldest] = this.#learned.keys();
    if (this.#learned.size > KEYS_KEPT && oldest !== undefined) this.#learned.delete(oldest);
  }
}

const halfOf = (count: number): number => Math.max(1, Math.floor(count / 2));
const throughput = ({ width, stepMs }: WidthPoint): number => width / stepMs;

/**
 * The narrowest width that is nearly as good as any; undefined: a wider one may be better. Two doublings without a gain end
 * the search, not one: a busy machine makes single points too slow, and stopping early costs more than going on.
 */
function bestOf(points: readonly WidthPoint[]): number | undefined {
  const most = Math.max(...points.map(throughput));
  const at = points.findIndex((point) => LEAST_GAIN * throughput(point) >= most);
  const ended = points.length - 1 - at >= 2 || points.at(-1)!.stepMs >= LONG_STEP_MS;
  return ended ? points[at]!.width : undefined;
}

/**
 * Cells of the next program, of those that wait: equal parts of about the best width, so that 18 cells are not cut into 16
 * and 2; never more than `most`.
 */
export function nextWidth(waiting: number, best: number, most: number): number {
  const programs = Math.max(1, Math.round(waiting / best), Math.ceil(waiting / most));
  return Math.ceil(waiting / programs);
}
