/**
 * Modular addition: from the tokens (a, b) to the class (a + b) mod p. The whole table of p^2 rows, split by a seeded
 * permutation; the task in which grokking was found (Power et al., arXiv 2201.02177). Generated; no file is read.
 */
import { z } from "zod";
import type { RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { labelNoiseField, seedField, tableTrainField } from "./fields.ts";
import { splitTable, trainRowsOf, withLabelNoise } from "./table.ts";

const schema = z.strictObject({
  modulus: z.int().min(2).max(257).default(31).describe("p: number of tokens and of classes; the table has p^2 rows"),
  train: tableTrainField,
  labelNoise: labelNoiseField,
  seed: seedField,
});

type ModularAdditionConfig = { readonly kind: "modular-addition" } & Readonly<z.infer<typeof schema>>;

/** All pairs (a, b), a first. */
function additionTable(p: number): Rows {
  const rows = p * p;
  const x = new Float32Array(2 * rows);
  const y = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const a = Math.floor(row / p);
    const b = row % p;
    x[2 * row] = a;
    x[2 * row + 1] = b;
    y[row] = (a + b) % p;
  }
  return { rows, x, y };
}

function task(config: ModularAdditionConfig): Task {
  const p = config.modulus;
  const trainRows = trainRowsOf("modular-addition", p * p, config.train);
  return {
    input: { kind: "tokens", context: 2, vocabulary: p },
    output: { kind: "classes", classes: p, positions: 1 },
    trainRows,
    testRows: p * p - trainRows,
  };
}

async function load(config: ModularAdditionConfig, key: RandomKey): Promise<LoadedData> {
  const split = splitTable(key, additionTable(config.modulus), task(config).trainRows);
  return withLabelNoise(key, split, config.modulus, config.labelNoise);
}

export const modularAddition: Dataset<ModularAdditionConfig> = {
  kind: "modular-addition",
  summary: "(a + b) mod p from the tokens a and b; the whole table of p^2 pairs is split",
  schema,
  task,
  load,
};
