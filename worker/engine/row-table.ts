/**
 * A table of equal rows from which a program takes many, again and again: training data, corrections of batches.
 *
 * Where the device shares the processor's memory and its gather kernel is slow (wasm: about 50 ns a number), the rows stay
 * in JavaScript, are put together there and uploaded; elsewhere they are on the device and gathered there. Both give the
 * same numbers.
 */
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { Engine } from "./engine.ts";

/** Owns its rows; dispose it. */
export interface RowTable {
  readonly rows: number;
  /** Rows at these indices, [indices, ...shape]. The caller owns the tensor. */
  take(indices: Int32Array): Tensor;
  dispose(): void;
}

/** A table of values [rows, ...shape], row-major. */
export function rowTable(engine: Engine, values: Float32Array, shape: readonly number[]): RowTable {
  const size = shape.reduce((product, length) => product * length, 1);
  const rows = size === 0 ? 0 : values.length / size;
  return engine.gathersOnHost ? hostTable(engine, values, rows, shape, size) : deviceTable(engine, values, rows, shape);
}

function hostTable(
  { tf }: Engine,
  values: Float32Array,
  rows: number,
  shape: readonly number[],
  size: number,
): RowTable {
  return {
    rows,
    take(indices) {
      const taken = new Float32Array(indices.length * size);
      indices.forEach((row, i) => taken.set(values.subarray(row * size, (row + 1) * size), i * size));
      return tf.tensor(taken, [indices.length, ...shape], "float32");
    },
    dispose: () => undefined,
  };
}

function deviceTable({ tf }: Engine, values: Float32Array, rows: number, shape: readonly number[]): RowTable {
  const table = tf.tensor(values, [rows, ...shape], "float32");
  return {
    rows,
    take: (indices) => tf.tidy(() => tf.gather(table, tf.tensor1d(indices, "int32"))),
    dispose: () => table.dispose(),
  };
}
