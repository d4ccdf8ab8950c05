/**
 * Tables of labelled rows: choosing rows, the seeded split of a finite table, label noise. Each depends on the key and on the
 * row's place in the seeded order, never on how many rows are asked for, so that more rows extend fewer.
 */
import { fillIntegers, fillUniform, fold, permutation, type RandomKey } from "../../core/random.ts";
import type { LoadedData, Rows } from "../entry.ts";
import { badData } from "./fields.ts";

/** How many rows of a finite table are trained on: `asked`, or half of them for 0. At least one row is left for the test. */
export function trainRowsOf(kind: string, tableRows: number, asked: number): number {
  if (asked >= tableRows) {
    throw badData(
      kind,
      "train",
      `train is ${asked}, but the whole table has ${tableRows} rows and the test set needs one`,
    );
  }
  return asked === 0 ? Math.floor(tableRows / 2) : asked;
}

/** The rows of a table that `order` names, in its order. */
export function takeRows(table: Rows, order: Int32Array): Rows {
  const inputSize = table.x.length / table.rows;
  const targetSize = table.y.length / table.rows;
  const x = new Float32Array(order.length * inputSize);
  const y = new Float32Array(order.length * targetSize);
  order.forEach((row, i) => {
    x.set(table.x.subarray(row * inputSize, (row + 1) * inputSize), i * inputSize);
    y.set(table.y.subarray(row * targetSize, (row + 1) * targetSize), i * targetSize);
  });
  return { rows: order.length, x, y };
}

/** Splits a whole table by a seeded permutation: its first `train` rows, and all the others. */
export function splitTable(key: RandomKey, table: Rows, train: number): LoadedData {
  const order = permutation(fold(key, "split"), { a: 0, b: 0 }, table.rows);
  return { train: takeRows(table, order.subarray(0, train)), test: takeRows(table, order.subarray(train)) };
}

/**
 * Replaces each class id, with the given probability, by one of the other classes, uniformly. A higher probability changes
 * the labels that a lower one changes, in the same way, and more.
 */
export function withLabelNoise(key: RandomKey, data: LoadedData, classes: number, probability: number): LoadedData {
  if (probability === 0) return data;
  const noise = fold(key, "label-noise");
  const chance = new Float32Array(data.train.y.length);
  const shift = new Int32Array(data.train.y.length);
  fillUniform(noise, { a: 0, b: 0 }, chance);
  fillIntegers(noise, { a: 1, b: 0 }, classes - 1, shift);
  const y = data.train.y.map((label, i) => (chance[i]! < probability ? (label + 1 + shift[i]!) % classes : label));
  return { ...data, train: { ...data.train, y } };
}
