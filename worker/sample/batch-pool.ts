/**
 * The minibatches that chains of a cell draw from, with what is known of each at w0.
 *
 * The training rows of a cell, in a keyed order, are cut into M = floor(n / batch) batches of m = floor(n / M) rows (m is at
 * least `batch`; fewer than M rows are left over), each of two halves h. At w0, once:
 *   base      the loss of every row, so that differences are taken row by row before any mean;
 *   D_bh    = grad L_bh(w0) - mean over all halves of grad L_bh(w0).
 * A chain at w on batch b then has, with D_b the mean of its halves' D,
 *   gradient  grad L_b(w) - D_b            = grad L(w) + noise that vanishes with |w - w0|   (a control variate),
 *   reading   L_bh(w) - L_bh(w0) - D_bh . (w - w0),
 * both with the expectation of the plain ones over b, and without their first-order noise (Baker, Fearnhead, Fox, Nemeth,
 * "Control variates for stochastic gradient MCMC", Statistics and Computing 29, 2019, section 3). It costs one pass over the
 * rows, then nothing. With M = 1 every batch is the whole set: nothing to correct, D = 0.
 */
import { fold, permutation, type RandomKey } from "../../src/core/random.ts";
import type { Tensor } from "../../src/catalogue/entry.ts";
import { rowGradients, type Batch, type Program } from "../engine/program.ts";
import { rowTable, type RowTable } from "../engine/row-table.ts";
import type { FusedData } from "../train/fused-data.ts";

/** A cell as the sampler sees it. */
export interface PoolCell {
  readonly dataset: number;
  readonly key: RandomKey;
}

/** Shape of a pool: a function of the task and the configuration alone, never of who shares the program. */
export interface PoolShape {
  /** M */
  readonly batches: number;
  /** m: rows of a batch. */
  readonly rows: number;
}

/** Bytes of one cell's table of D, at the most; larger networks draw from fewer batches, that is from a fixed subset. */
const MOST_TABLE_BYTES = 2 ** 26;

export function poolShape(program: Program, trainRows: number, batch: number): PoolShape {
  const asked = batch === 0 || batch >= trainRows ? trainRows : batch;
  const most = Math.max(1, Math.floor(MOST_TABLE_BYTES / (2 * 4 * program.parameterCount)));
  const whole = Math.floor(trainRows / asked);
  if (whole === 1) return { batches: 1, rows: trainRows };
  const batches = Math.min(whole, most);
  const rows = Math.floor((batches < whole ? asked * batches : trainRows) / batches);
  // Even, for two halves.
  return { batches, rows: Math.max(2, rows - (rows % 2)) };
}

/** What a step's batches are, for every chain. The caller owns its tensors. */
export interface PoolBatch {
  readonly batch: Batch;
  /** Losses at w0 of its rows, [chains, R]. */
  readonly base: Tensor;
  /** D of the two halves, by parameter; empty for a pool of one batch. */
  readonly corrections: readonly (readonly [Tensor, Tensor])[];
}

/** Owns its tables; dispose it. */
export class BatchPool {
  readonly shape: PoolShape;
  readonly #program: Program;
  readonly #data: FusedData;
  readonly #cells: readonly PoolCell[];
  /** Rows of each cell's batches, in order. */
  readonly #orders: readonly Int32Array[];
  /** M x cells rows of R losses. */
  readonly #base: RowTable;
  /** By parameter, 2 M x cells rows. */
  readonly #corrections: readonly RowTable[];

  /** @param anchors w0 of each cell, [cells, ...shape] by parameter, as many cells as the backend needs members */
  constructor(
    program: Program,
    data: FusedData,
    cells: readonly PoolCell[],
    anchors: readonly Tensor[],
    batch: number,
  ) {
    this.#program = program;
    this.#data = data;
    this.#cells = cells;
    this.shape = poolShape(program, data.rows("train"), batch);
    this.#orders = cells.map(({ key }) => permutation(fold(key, "pool"), { a: 0, b: 0 }, data.rows("train")));
    const tables = this.shape.batches === 1 ? this.#wholeSet(anchors) : this.#tables(anchors);
    this.#base = tables.base;
    this.#corrections = tables.corrections;
  }

  /** Batch `batches[i]` of cell `cells[i]`, for each chain i. */
  take(cells: readonly number[], batches: readonly number[]): PoolBatch {
    const at = (half: number, halves: number): Int32Array =>
      Int32Array.from(cells, (cell, i) => (batches[i]! * halves + half) * this.#cells.length + cell);
    const [first, second] = [at(0, 2), at(1, 2)];
    return {
      batch: this.#gather(cells, batches, 0, this.shape.rows),
      base: this.#base.take(at(0, 1)),
      corrections: this.#corrections.map((table) => [table.take(first), table.take(second)] as const),
    };
  }

  dispose(): void {
    this.#base.dispose();
    for (const table of this.#corrections) table.dispose();
  }

  /** Rows [from, from + count) of batch `batches[i]` of cell `cells[i]`. */
  #gather(cells: readonly number[], batches: readonly number[], from: number, count: number): Batch {
    const rows = new Int32Array(cells.length * count);
    cells.forEach((cell, i) => {
      const start = batches[i]! * this.shape.rows + from;
      rows.set(this.#orders[cell]!.subarray(start, start + count), i * count);
    });
    return this.#data.gather("train", cells.map((cell) => this.#cells[cell]!.dataset), rows); // prettier-ignore
  }

  #wholeSet(anchors: readonly Tensor[]): Tables {
    const { tf } = this.#program.engine;
    const every = this.#cells.map((_, cell) => cell);
    const whole = every.map(() => 0);
    const base = tf.tidy(() =>
      rowGradients(this.#program, anchors, this.#gather(every, whole, 0, this.shape.rows)).rows.dataSync<"float32">(),
    );
    return { base: this.#baseTable(base), corrections: [] };
  }

  #tables(anchors: readonly Tensor[]): Tables {
    const { tf } = this.#program.engine;
    const every = this.#cells.map((_, cell) => cell);
    const { batches, rows } = this.shape;
    const half = rows / 2;
    const numbers = half * this.#program.positions;
    const base = new Float32Array(batches * every.length * 2 * numbers);
    const gradients = anchors.map(({ size }) => new Float32Array(2 * batches * size));
    for (let b = 0; b < 2 * batches; b += 1) {
      const [batch, from] = [Math.floor(b / 2), (b % 2) * half];
      tf.tidy(() => {
        const given = this.#gather(every, every.map(() => batch), from, half); // prettier-ignore
        const taken = rowGradients(this.#program, anchors, given);
        const losses = taken.rows.dataSync<"float32">();
        every.forEach((cell) => {
          const row = (batch * every.length + cell) * 2 * numbers + (b % 2) * numbers;
          base.set(losses.subarray(cell * numbers, (cell + 1) * numbers), row);
        });
        taken.gradients.forEach((gradient, p) => gradients[p]!.set(gradient.dataSync<"float32">(), b * gradient.size));
      });
    }
    const corrections = gradients.map((values, p) => {
      centre(values, 2 * batches);
      return rowTable(this.#program.engine, values, anchors[p]!.shape.slice(1));
    });
    return { base: this.#baseTable(base), corrections };
  }

  #baseTable(losses: Float32Array): RowTable {
    return rowTable(this.#program.engine, losses, [this.shape.rows * this.#program.positions]);
  }
}

interface Tables {
  readonly base: RowTable;
  readonly corrections: readonly RowTable[];
}

/** Takes the mean of `count` equal parts off each of them, in double precision. */
function centre(values: Float32Array, count: number): void {
  const size = values.length / count;
  for (let i = 0; i < size; i += 1) {
    let sum = 0;
    for (let part = 0; part < count; part += 1) sum += values[part * size + i]!;
    const mean = sum / count;
    for (let part = 0; part < count; part += 1) values[part * size + i]! -= mean;
  }
}
