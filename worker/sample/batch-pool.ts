/**
 * The minibatches that chains of a cell draw from, with what is known of each at w0.
 *
 * The training rows of a cell, in a keyed order, are cut into M = floor(n / batch) batches of m = floor(n / M) rows (m is at
 * least `batch`; fewer than M rows are left over), each of two halves h. At w0, once:
 *   base      the loss of every row, so that differences are taken row by row before any mean;
 *   D_bh    = grad L_bh(w0) - mean over all halves of grad L_bh(w0).
 * kept as D_b = (D_b1 + D_b2)/2 and E_b = (D_b1 - D_b2)/2, of which a step needs the first. A chain at w on batch b then has
 *   gradient  grad L_b(w) - D_b            = grad L(w) + noise that vanishes with |w - w0|   (a control variate),
 *   reading   L_bh(w) - L_bh(w0) - D_bh . (w - w0),
 * both with the expectation of the plain ones over b, and without their first-order noise (Baker, Fearnhead, Fox, Nemeth,
 * "Control variates for stochastic gradient MCMC", Statistics and Computing 29, 2019, section 3). It costs one pass over the
 * rows, then nothing. With M = 1 every batch is the whole set: nothing to correct, D = 0.
 */
import { fold, permutation, type RandomKey } from "../../src/core/random.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { RowGradients } from "../engine/program.ts";
import type { Surface, SurfaceBatch } from "./surface.ts";

/** Shape of a pool: a function of the surface and the configuration alone, never of who shares the program. */
export interface PoolShape {
  /** M */
  readonly batches: number;
  /** m: rows of a batch. */
  readonly rows: number;
}

/** Bytes of one cell's table of D, at the most; larger networks draw from fewer batches, that is from a fixed subset. */
const MOST_TABLE_BYTES = 2 ** 26;

export function poolShape({ rows: all, dimension }: Pick<Surface, "rows" | "dimension">, batch: number): PoolShape {
  const asked = batch === 0 || batch >= all ? all : batch;
  const most = Math.max(1, Math.floor(MOST_TABLE_BYTES / (2 * 4 * dimension)));
  const whole = Math.floor(all / asked);
  if (whole === 1) return { batches: 1, rows: all };
  const batches = Math.min(whole, most);
  const rows = Math.floor((batches < whole ? asked * batches : all) / batches);
  // Even, for two halves.
  return { batches, rows: Math.max(2, rows - (rows % 2)) };
}

/** What a step's batches are, for every chain. The caller owns `batch` and `rows`; the tables are lent. */
export interface PoolBatch {
  readonly batch: SurfaceBatch;
  /** Rows of the tables, one a chain: int32 [chains]. */
  readonly rows: Tensor;
  /** Losses at w0 of the rows of all batches, [M x cells, R]. */
  readonly base: Tensor;
  /** D_b, then E_b, of all batches, [M x cells, 2, numbers] by parameter; empty where nothing is corrected. */
  readonly corrections: readonly Tensor[];
}

interface Tables {
  readonly base: Tensor;
  readonly corrections: readonly Tensor[];
}

/** Owns its tables; dispose it. */
export class BatchPool {
  readonly shape: PoolShape;
  readonly #surface: Surface;
  readonly #keys: readonly RandomKey[];
  /** The rows of every batch, int32 [M x cells, m]. */
  readonly #orders: Tensor;
  readonly #tables: Tables;

  /**
   * @param keys of each cell of the surface
   * @param anchors w0 of each cell, [cells, ...shape] by parameter, lent
   * @param corrects takes control variates; without them D = 0
   */
  constructor(
    surface: Surface,
    keys: readonly RandomKey[],
    anchors: readonly Tensor[],
    batch: number,
    corrects: boolean,
  ) {
    this.#surface = surface;
    this.#keys = keys;
    this.shape = poolShape(surface, batch);
    this.#orders = this.#ordered();
    try {
      const halves = this.shape.batches > 1;
      this.#tables = halves ? this.#halves(anchors, corrects) : this.#wholeSet(anchors);
    } catch (error) {
      this.#orders.dispose();
      throw error;
    }
  }

  /** Batch `batches[i]` of cell `cells[i]`, for each chain i. */
  take(cells: readonly number[], batches: readonly number[]): PoolBatch {
    const { tf } = this.#surface.engine;
    const at = Int32Array.from(cells, (cell, i) => batches[i]! * this.#keys.length + cell);
    const rows = tf.tensor1d(at, "int32");
    const numbers = tf.gather(this.#orders, rows);
    const batch = this.#surface.batch(cells, numbers);
    numbers.dispose();
    return { batch, rows, ...this.#tables };
  }

  dispose(): void {
    this.#surface.engine.tf.dispose([this.#orders, this.#tables.base, ...this.#tables.corrections]);
  }

  /** The keyed orders of all cells, cut into batches. */
  #ordered(): Tensor {
    const { batches, rows } = this.shape;
    const cells = this.#keys.length;
    const all = new Int32Array(batches * cells * rows);
    this.#keys.forEach((key, cell) => {
      const order = permutation(fold(key, "pool"), { a: 0, b: 0 }, this.#surface.rows);
      for (let b = 0; b < batches; b += 1) {
        all.set(order.subarray(b * rows, (b + 1) * rows), (b * cells + cell) * rows);
      }
    });
    return this.#surface.engine.tf.tensor2d(all, [batches * cells, rows], "int32");
  }

  /** Row losses and gradients at the anchors of rows [from, from + count) of batch b of every cell. */
  #atAnchors(anchors: readonly Tensor[], b: number, from: number, count: number): RowGradients {
    const { tf } = this.#surface.engine;
    const every = this.#keys.map((_, cell) => cell);
    const rows = tf.slice(this.#orders, [b * every.length, from], [every.length, count]);
    const batch = this.#surface.batch(every, rows);
    const taken = batch.gradients(anchors);
    batch.dispose();
    rows.dispose();
    return taken;
  }

  /** Every batch is the whole set: nothing to correct. */
  #wholeSet(anchors: readonly Tensor[]): Tables {
    const { rows, gradients } = this.#atAnchors(anchors, 0, 0, this.shape.rows);
    this.#surface.engine.tf.dispose([...gradients]);
    return { base: rows, corrections: [] };
  }

  #halves(anchors: readonly Tensor[], corrects: boolean): Tables {
    const { tf } = this.#surface.engine;
    const cells = this.#keys.length;
    const { batches, rows } = this.shape;
    const half = rows / 2;
    const base = new Halves(batches, cells, half * this.#surface.positions);
    const corrections = corrects ? anchors.map(({ size }) => new Halves(batches, cells, size / cells)) : [];
    for (let b = 0; b < batches; b += 1) {
      for (const h of [0, 1] as const) {
        const taken = this.#atAnchors(anchors, b, h * half, half);
        base.set(b, h, taken.rows.dataSync<"float32">());
        corrections.forEach((values, p) => values.set(b, h, taken.gradients[p]!.dataSync<"float32">()));
        tf.dispose([taken.rows, ...taken.gradients]);
      }
    }
    for (const values of corrections) values.correct();
    return { base: base.whole(tf), corrections: corrections.map((values) => values.apart(tf)) };
  }
}

/** Numbers of every half of every batch of every cell: [batches, cells, 2, size]. */
class Halves {
  readonly #batches: number;
  readonly #cells: number;
  readonly #size: number;
  readonly #values: Float32Array;

  constructor(batches: number, cells: number, size: number) {
    [this.#batches, this.#cells, this.#size] = [batches, cells, size];
    this.#values = new Float32Array(batches * cells * 2 * size);
  }

  /** Takes the numbers of all cells, [cells, size], of one half of one batch. */
  set(batch: number, half: 0 | 1, values: Float32Array): void {
    for (let cell = 0; cell < this.#cells; cell += 1) {
      const of = values.subarray(cell * this.#size, (cell + 1) * this.#size);
      this.#part(batch, cell, half).set(of);
    }
  }

  /**
   * Takes each cell's mean over all its halves off each of them, in double precision, and leaves of the two halves of a batch
   * half their sum and half their difference.
   */
  correct(): void {
    for (let cell = 0; cell < this.#cells; cell += 1) {
      const parts = Array.from({ length: 2 * this.#batches }, (_, part) => this.#part(part >> 1, cell, part & 1));
      const mean = new Float64Array(this.#size);
      for (const part of parts) for (let i = 0; i < part.length; i += 1) mean[i]! += part[i]! / parts.length;
      for (let part = 0; part < parts.length; part += 2) sumAndDifference(parts[part]!, parts[part + 1]!, mean);
    }
  }

  /** [batches x cells, 2, size] */
  apart(tf: Tf): Tensor {
    return tf.tensor3d(this.#values, [this.#batches * this.#cells, 2, this.#size]);
  }

  /** [batches x cells, 2 size] */
  whole(tf: Tf): Tensor {
    return tf.tensor2d(this.#values, [this.#batches * this.#cells, 2 * this.#size]);
  }

  #part(batch: number, cell: number, half: number): Float32Array {
    const at = ((batch * this.#cells + cell) * 2 + half) * this.#size;
    return this.#values.subarray(at, at + this.#size);
  }
}

/** Of a and b, both less the mean, half their sum and half their difference. */
function sumAndDifference(a: Float32Array, b: Float32Array, mean: Float64Array): void {
  for (let i = 0; i < a.length; i += 1) {
    const [sum, difference] = [(a[i]! + b[i]!) / 2 - mean[i]!, (a[i]! - b[i]!) / 2];
    a[i] = sum;
    b[i] = difference;
  }
}
