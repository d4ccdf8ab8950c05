/** A table of equal rows on the device, from which a program takes many again and again: training data, corrections of batches. */
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { Engine } from "./engine.ts";

/** Owns its rows; dispose it. */
export interface RowTable {
  readonly rows: number;
  /** All rows, [rows, ...shape]. Lent. */
  readonly table: Tensor;
  /** Rows at these indices, [indices, ...shape]. The caller owns the tensor. */
  take(indices: Int32Array): Tensor;
  dispose(): void;
}

/** A table of values [rows, ...shape], row-major. */
export function rowTable({ tf }: Engine, values: Float32Array, shape: readonly number[]): RowTable {
  const size = shape.reduce((product, length) => product * length, 1);
  const rows = size === 0 ? 0 : values.length / size;
  const table = tf.tensor(values, [rows, ...shape], "float32");
  return {
    rows,
    table,
    take: (indices) => tf.tidy(() => tf.gather(table, tf.tensor1d(indices, "int32"))),
    dispose: () => table.dispose(),
  };
}
