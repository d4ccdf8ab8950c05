/**
 * Boolean functions of n inputs: the whole truth table of 2^n rows, inputs encoded as -1 and +1, split by a seeded
 * permutation. Class 1 is "true". "Relevant" inputs are k inputs drawn by the seed.
 *
 * - junta: a random function of the k relevant inputs that depends on each of them
 * - parity: true when an odd number of the relevant inputs is +1
 * - and, or: all, or any, of the relevant inputs are +1
 * - majority: more than half of all n inputs are +1 (a tie is false)
 * - tree: a complete decision tree of depth k; each path reads k different inputs, sibling leaves differ
 * - random: a fair coin for each row; no learner can do better than chance on its test rows
 *
 * Generated; no file is read.
 */
import { z } from "zod";
import { fillIntegers, fillUniform, fold, permutation, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { badData, labelNoiseField, seedField, tableTrainField } from "./fields.ts";
import { splitTable, trainRowsOf, withLabelNoise } from "./table.ts";

const schema = z.strictObject({
  function: z
    .enum(["junta", "majority", "parity", "tree", "random", "and", "or"])
    .default("junta")
    .describe("the Boolean function that is learned"),
  inputs: z.int().min(2).max(12).default(7).describe("inputs n; the table has 2^n rows"),
  k: z
    .int()
    .min(1)
    .max(12)
    .default(3)
    .describe("relevant inputs of junta, parity, and, or; depth of tree; majority and random ignore it"),
  target: z
    .enum(["classes", "values"])
    .default("classes")
    .describe("classes: two classes and cross-entropy; values: -1 and +1 and squared error"),
  train: tableTrainField,
  labelNoise: labelNoiseField,
  seed: seedField,
});

type BooleanConfig = { readonly kind: "boolean" } & Readonly<z.infer<typeof schema>>;

/** The value of the function at a row of the truth table; bit i of `row` says whether input i is +1. */
type BooleanFunction = (row: number) => boolean;

const bit = (row: number, input: number): number => (row >>> input) & 1;

function relevantInputs(config: BooleanConfig, key: RandomKey): Int32Array {
  return permutation(fold(key, "relevant"), { a: 0, b: 0 }, config.inputs).subarray(0, config.k);
}

/** The number of relevant inputs that are +1, by row. */
function countRelevant(config: BooleanConfig, key: RandomKey): (row: number) => number {
  const relevant = relevantInputs(config, key);
  return (row) => relevant.reduce((sum, input) => sum + bit(row, input), 0);
}

/** Does this truth table of k inputs change with each of its inputs? */
function dependsOnAll(table: Int32Array, k: number): boolean {
  for (let input = 0; input < k; input += 1) {
    if (table.every((value, row) => value === table[row ^ (1 << input)])) return false;
  }
  return true;
}

function junta(config: BooleanConfig, key: RandomKey): BooleanFunction {
  const relevant = relevantInputs(config, key);
  const table = new Int32Array(2 ** config.k);
  // One table in two depends on its input for k = 1, nearly all do from k = 3 on.
  for (let attempt = 0; !dependsOnAll(table, config.k); attempt += 1) {
    fillIntegers(fold(key, "junta"), { a: attempt, b: 0 }, 2, table);
  }
  return (row) => table[relevant.reduce((index, input, place) => index | (bit(row, input) << place), 0)] === 1;
}

function tree(config: BooleanConfig, key: RandomKey): BooleanFunction {
  const treeKey = fold(key, "tree");
  const left = new Int32Array(2 ** (config.k - 1));
  fillIntegers(fold(treeKey, "leaves"), { a: 0, b: 0 }, 2, left);
  // Nodes are numbered as in a heap (root 1); a node reads the first input of its own order that its path has not read.
  const orders = Array.from({ length: 2 ** config.k }, (_, node) =>
    permutation(treeKey, { a: node, b: 0 }, config.inputs),
  );
  return (row) => {
    let read = 0;
    let node = 1;
    for (let depth = 0; depth < config.k; depth += 1) {
      const input = orders[node]!.find((candidate) => bit(read, candidate) === 0)!;
      read |= 1 << input;
      node = 2 * node + bit(row, input);
    }
    const leaf = node - 2 ** config.k;
    return (left[leaf >>> 1]! ^ (leaf & 1)) === 1;
  };
}

function coin(config: BooleanConfig, key: RandomKey): BooleanFunction {
  const draws = new Float32Array(2 ** config.inputs);
  fillUniform(fold(key, "random"), { a: 0, b: 0 }, draws);
  return (row) => draws[row]! < 0.5;
}

function functionOf(config: BooleanConfig, key: RandomKey): BooleanFunction {
  switch (config.function) {
    case "junta":
      return junta(config, key);
    case "tree":
      return tree(config, key);
    case "random":
      return coin(config, key);
    case "majority":
      return (row) => Array.from({ length: config.inputs }, (_, i) => 2 * bit(row, i) - 1).reduce((a, b) => a + b) > 0;
    case "parity": {
      const count = countRelevant(config, key);
      return (row) => count(row) % 2 === 1;
    }
    case "and": {
      const count = countRelevant(config, key);
      return (row) => count(row) === config.k;
    }
    case "or": {
      const count = countRelevant(config, key);
      return (row) => count(row) > 0;
    }
  }
}

/** All 2^n rows in the order of their numbers, with class ids. */
function truthTable(config: BooleanConfig, key: RandomKey): Rows {
  const rows = 2 ** config.inputs;
  const truth = functionOf(config, key);
  const x = Float32Array.from({ length: rows * config.inputs }, (_, i) => {
    return 2 * bit(Math.floor(i / config.inputs), i % config.inputs) - 1;
  });
  return { rows, x, y: Float32Array.from({ length: rows }, (_, row) => (truth(row) ? 1 : 0)) };
}

const withValues = (rows: Rows): Rows => ({ ...rows, y: rows.y.map((label) => 2 * label - 1) });

function task(config: BooleanConfig): Task {
  const ignoresK = config.function === "majority" || config.function === "random";
  if (!ignoresK && config.k > config.inputs) {
    throw badData("boolean", "k", `k is ${config.k}, but there are ${config.inputs} inputs`);
  }
  const tableRows = 2 ** config.inputs;
  const trainRows = trainRowsOf("boolean", tableRows, config.train);
  return {
    input: { kind: "vector", size: config.inputs },
    output: config.target === "classes" ? { kind: "classes", classes: 2, positions: 1 } : { kind: "values", values: 1 },
    trainRows,
    testRows: tableRows - trainRows,
  };
}

async function load(config: BooleanConfig, key: RandomKey): Promise<LoadedData> {
  const split = splitTable(key, truthTable(config, key), task(config).trainRows);
  const noisy = withLabelNoise(key, split, 2, config.labelNoise);
  return config.target === "classes" ? noisy : { train: withValues(noisy.train), test: withValues(noisy.test) };
}

export const booleanFunctions: Dataset<BooleanConfig> = {
  kind: "boolean",
  summary: "Boolean functions: junta, majority, parity, decision tree, random, and, or; the whole table is split",
  schema,
  task,
  load,
};
