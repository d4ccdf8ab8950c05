/** Loss surfaces whose rows are formulas of the weights, so that curvatures, minima and the noise of minibatches are known. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { RowGradients } from "../../worker/engine/program.ts";
import type { Surface, SurfaceBatch, SurfaceEngine } from "../../worker/sample/surface.ts";
import { sizeOf } from "./stacked.ts";

export interface RowFormula {
  readonly rows: number;
  /** Of each parameter; two or more show that numbers keep their places. */
  readonly shapes: readonly (readonly number[])[];
  /**
   * Losses [members, m].
   * @param w the numbers of all parameters, [members, 1, d]
   * @param rows int32 [members, m]
   */
  losses(tf: Tf, w: Tensor, rows: Tensor): Tensor;
}

/** 1/2 sum_i h_ri (w_i - c_ri)^2 in row r. The parameters are the first number, and the others. */
export function quadraticRows(
  curvatures: readonly (readonly number[])[],
  centres: readonly (readonly number[])[] = curvatures.map((row) => row.map(() => 0)),
): RowFormula {
  const d = curvatures[0]!.length;
  return {
    rows: curvatures.length,
    shapes: d === 1 ? [[1]] : [[1], [d - 1]],
    losses: (tf, w, rows) => {
      const table = (values: readonly (readonly number[])[]): Tensor =>
        tf.gather(tf.tensor2d(values as number[][]), rows);
      return tf.mul(0.5, tf.sum(tf.mul(table(curvatures), tf.square(tf.sub(w, table(centres)))), -1));
    },
  };
}

/** Every row of these curvatures, about 0. */
export function bowlRows(curvatures: readonly number[], rows = 2): RowFormula {
  return quadraticRows(Array.from({ length: rows }, () => curvatures));
}

/** @param trained w0 of each cell: the numbers of all parameters */
export function formulaSurface(
  engine: SurfaceEngine,
  { rows: count, shapes, losses }: RowFormula,
  trained: readonly (readonly number[])[],
): Surface {
  const { tf } = engine;
  const sizes = shapes.map(sizeOf);
  const dimension = sizes.reduce((sum, size) => sum + size, 0);
  return {
    engine,
    shapes,
    dimension,
    rows: count,
    positions: 1,
    trained: trained.map((numbers) => partsOf(numbers, sizes)),
    batch: (_, given): SurfaceBatch => {
      const rows = tf.clone(given);
      const gradients = (weights: readonly Tensor[]): RowGradients =>
        tf.tidy(() => {
          const [members, m] = rows.shape as [number, number];
          const of = (...leaves: Tensor[]): Tensor => {
            const flat = leaves.map((leaf) => tf.reshape(leaf, [members, 1, -1]));
            return losses(tf, flat.length === 1 ? flat[0]! : tf.concat(flat, 2), rows);
          };
          const { value, grads } = tf.valueAndGrads(of)([...weights], tf.div(tf.ones([members, m]), m));
          return { rows: value, gradients: grads };
        });
      return { gradients, dispose: () => rows.dispose() };
    },
  };
}

/** The numbers of all parameters, by parameter. */
export function partsOf(numbers: readonly number[], sizes: readonly number[]): readonly Float32Array[] {
  let from = 0;
  return sizes.map((size) => Float32Array.from(numbers.slice(from, (from += size))));
}
