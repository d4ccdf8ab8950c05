/**
 * Regression of one variable: y = f(x) + noise z, x uniform in [-1, 1), z ~ N(0, 1), training and test rows drawn alike.
 *
 *   sine   sin(pi frequency x)
 *   kink   |x|
 *   step   -1 left of 0, +1 from 0 on
 *   slab   1 where |x| < 1/2, else 0
 *   cubic  4 x^3 - 3 x, the third Chebyshev polynomial
 *
 * Generated; no file is read.
 */
import { z } from "zod";
import { fillNormal, fillUniform, fold, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { noiseField, seedField, testField, trainField } from "./fields.ts";

const schema = z.strictObject({
  function: z.enum(["sine", "kink", "step", "slab", "cubic"]).default("sine").describe("the function that is learned"),
  frequency: z.number().min(0).max(100).default(1).describe("periods of the sine in [-1, 1); the others ignore it"),
  noise: noiseField(0.1),
  train: trainField(100),
  test: testField(200),
  seed: seedField,
});

type Regression1dConfig = { readonly kind: "regression-1d" } & Readonly<z.infer<typeof schema>>;

function valueAt(config: Regression1dConfig, x: number): number {
  switch (config.function) {
    case "sine":
      return Math.sin(Math.PI * config.frequency * x);
    case "kink":
      return Math.abs(x);
    case "step":
      return x < 0 ? -1 : 1;
    case "slab":
      return Math.abs(x) < 0.5 ? 1 : 0;
    case "cubic":
      return 4 * x ** 3 - 3 * x;
  }
}

function drawRows(config: Regression1dConfig, key: RandomKey, rows: number): Rows {
  const uniform = new Float32Array(rows);
  const noise = new Float32Array(rows);
  fillUniform(key, { a: 0, b: 0 }, uniform);
  fillNormal(key, { a: 1, b: 0 }, noise);
  const x = uniform.map((u) => 2 * u - 1);
  return { rows, x, y: x.map((at, i) => valueAt(config, at) + config.noise * noise[i]!) };
}

function task(config: Regression1dConfig): Task {
  return {
    input: { kind: "vector", size: 1 },
    output: { kind: "values", values: 1 },
    trainRows: config.train,
    testRows: config.test,
  };
}

async function load(config: Regression1dConfig, key: RandomKey): Promise<LoadedData> {
  return {
    train: drawRows(config, fold(key, "train"), config.train),
    test: drawRows(config, fold(key, "test"), config.test),
  };
}

export const regression1d: Dataset<Regression1dConfig> = {
  kind: "regression-1d",
  summary: "regression of one variable: sine, kink, step, slab, cubic",
  schema,
  task,
  load,
};
