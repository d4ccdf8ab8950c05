/**
 * What is done of the work on one cell, and how far the rest is: all that a checkpoint keeps.
 *
 * The work is cut into pieces: the training, then of each estimand the descent to w0 and the chains. A piece that is done has a
 * result, and whoever would compute it again takes that instead; a piece under way says at every moment between two steps where it
 * stands, and one that was left goes on from there. The order of the pieces is nowhere written down: the code that runs them runs
 * again, and all that is done falls through. So results are those of a run without a break, bit for bit where steps are.
 *
 * Pure: it holds states and asks for them, and knows neither files nor processes.
 */
import type { MetricPoint } from "../trainer/shard.ts";
import { CellTimes, type Spent } from "./cell-times.ts";

/** A piece of the work on one cell. S: where it stands. R: its result. Both as `saved-value.ts` can keep them. */
export interface Piece<S extends object, R extends object> {
  readonly result: R | undefined;
  /** Where it was left; undefined: it begins. */
  readonly left: S | undefined;
  /** From now on it is under way: `state` is asked between two steps only. */
  stands(step: () => number, state: () => S): void;
  /** It is under way no more, and starts from where it was left, should it start again. */
  leave(): void;
  finish(result: R): void;
}

/** Where a piece stands. Pieces of one family go on together when they are at one step. */
export interface Standing {
  readonly family: string;
  readonly step: number;
  readonly state: object;
}

/** All that a checkpoint keeps of a cell. */
export interface MemorySnapshot {
  readonly done: Readonly<Record<string, { readonly family: string; readonly result: object }>>;
  readonly underWay: Readonly<Record<string, Standing>>;
  readonly points: readonly MetricPoint[];
  readonly spent?: Spent | undefined;
}

/** Where pieces are looked up: the memory of a cell, or the part of it that belongs to one estimand. */
export interface Pieces {
  /** @param part tells pieces of one family apart */
  piece<S extends object, R extends object>(family: string, part?: number): Piece<S, R>;
  within(name: string): Pieces;
}

export class CellMemory implements Pieces {
  readonly times: CellTimes;
  readonly #done = new Map<string, { readonly family: string; readonly result: object }>();
  readonly #left = new Map<string, Standing>();
  readonly #live = new Map<string, { readonly family: string; readonly step: () => number; readonly state: () => object }>(); // prettier-ignore
  /** Every metric point that the cell has said, in their order. */
  readonly #points: MetricPoint[];
  #isNew = false;

  constructor(from?: MemorySnapshot) {
    for (const [name, done] of Object.entries(from?.done ?? {})) this.#done.set(name, done);
    for (const [name, left] of Object.entries(from?.underWay ?? {})) this.#left.set(name, left);
    this.#points = [...(from?.points ?? [])];
    this.times = new CellTimes(from?.spent);
  }

  get points(): readonly MetricPoint[] {
    return this.#points;
  }

  /** Something is known that no checkpoint has yet. */
  get isNew(): boolean {
    return this.#isNew || this.#live.size > 0;
  }

  /** "train@1250"; "" where nothing is done. Cells of one position may go on as one program. */
  get position(): string {
    const [live] = this.#live.values();
    if (live !== undefined) return `${live.family}@${live.step()}`;
    const [left] = this.#left.values();
    if (left !== undefined) return `${left.family}@${left.step}`;
    return [...this.#done.values()].at(-1)?.family ?? "";
  }

  say(points: readonly MetricPoint[]): void {
    this.#points.push(...points);
  }

  /** What there is to keep. It is then no longer new. */
  snapshot(): MemorySnapshot {
    this.#isNew = false;
    const live = [...this.#live].map(
      ([name, { family, step, state }]) => [name, { family, step: step(), state: state() }] as const,
    );
    return {
      done: Object.fromEntries(this.#done),
      underWay: Object.fromEntries([...this.#left, ...live]),
      points: [...this.#points],
      spent: this.times.spent,
    };
  }

  within(name: string): Pieces {
    return {
      piece: (family, part) => this.piece(`${name}.${family}`, part),
      within: (inner) => this.within(`${name}.${inner}`),
    };
  }

  piece<S extends object, R extends object>(family: string, part?: number): Piece<S, R> {
    const name = part === undefined ? family : `${family}.${part}`;
    const [done, left, live] = [this.#done, this.#left, this.#live];
    return {
      // What a piece has given to be kept, the same piece gets.
      result: done.get(name)?.result as R | undefined,
      left: left.get(name)?.state as S | undefined,
      stands: (step, state) => void live.set(name, { family, step, state }),
      leave: () => void live.delete(name),
      finish: (result) => {
        live.delete(name);
        left.delete(name);
        done.set(name, { family, result });
        this.#isNew = true;
      },
    };
  }
}

const FORGOTTEN: Piece<never, never> = {
  result: undefined,
  left: undefined,
  stands: () => undefined,
  leave: () => undefined,
  finish: () => undefined,
};

/** For work that nobody keeps. */
export const NO_PIECES: Pieces = { piece: () => FORGOTTEN, within: () => NO_PIECES };
