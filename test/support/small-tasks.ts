/** One small task for each kind of input and of output, with rows that every architecture can read. */
import { fillIntegers, fold, rootKey } from "../../src/core/random.ts";
import { inputSize, type Task } from "../../src/catalogue/entry.ts";

const rows = { trainRows: 8, testRows: 4 };

export const SMALL_TASKS: Readonly<Record<string, Task>> = {
  "a vector to classes": {
    input: { kind: "vector", size: 5 },
    output: { kind: "classes", classes: 3, positions: 1 },
    ...rows,
  },
  "a vector to values": { input: { kind: "vector", size: 4 }, output: { kind: "values", values: 2 }, ...rows },
  "a number to a value": { input: { kind: "vector", size: 1 }, output: { kind: "values", values: 1 }, ...rows },
  "a number to values": { input: { kind: "vector", size: 1 }, output: { kind: "values", values: 2 }, ...rows },
  // 7 is odd and 6 is not: pooling by 2 drops a row of pixels and no column.
  "an image to classes": {
    input: { kind: "image", height: 7, width: 6, channels: 2 },
    output: { kind: "classes", classes: 3, positions: 1 },
    ...rows,
  },
  "an image to values": {
    input: { kind: "image", height: 4, width: 5, channels: 1 },
    output: { kind: "values", values: 1 },
    ...rows,
  },
  "tokens to the next token": {
    input: { kind: "tokens", context: 4, vocabulary: 5 },
    output: { kind: "classes", classes: 5, positions: 1 },
    ...rows,
  },
  "tokens to the next token at each position": {
    input: { kind: "tokens", context: 4, vocabulary: 5 },
    output: { kind: "classes", classes: 5, positions: 4 },
    ...rows,
  },
  "tokens to values": {
    input: { kind: "tokens", context: 3, vocabulary: 4 },
    output: { kind: "values", values: 2 },
    ...rows,
  },
};

/** Stored rows: token ids, or -1 and 1, which every basis of the polynomial takes. */
export function smallRows(task: Task, count: number, name: string): Float32Array {
  const draws = new Int32Array(count * inputSize(task.input));
  const bound = task.input.kind === "tokens" ? task.input.vocabulary : 2;
  fillIntegers(fold(rootKey("small-rows"), name), { a: 0, b: 0 }, bound, draws);
  return Float32Array.from(draws, (draw) => (task.input.kind === "tokens" ? draw : 2 * draw - 1));
}
