/**
 * Inputs alone: the targets are the outputs of the network that a cell starts at (`train.start`), plus noise z, z ~ N(0, 1). So
 * the truth is a point of the cell's own parameter space, and its learning coefficient can be known.
 *
 *   normal    x ~ scale N(0, I)
 *   uniform   x uniform in [-scale, scale]^inputs
 *   basis     row i is scale e_(i mod inputs): the second moment of the training rows is exactly (scale^2 / inputs) I
 *
 * Generated; no file is read.
 */
import { z } from "zod";
import { fillNormal, fillUniform, fold, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { badData, noiseField, seedField, testField, trainField } from "./fields.ts";

const schema = z.strictObject({
  inputs: z.int().min(1).max(16_384).default(8).describe("inputs"),
  outputs: z.int().min(1).max(16_384).default(1).describe("outputs"),
  distribution: z
    .enum(["normal", "uniform", "basis"])
    .default("normal")
    .describe("of the inputs: normal; uniform on [-scale, scale]; basis: scaled unit vectors in turn"),
  scale: z.number().positive().max(1000).default(1).describe("factor on the inputs"),
  noise: noiseField(0),
  train: trainField(1000),
  test: testField(1000),
  seed: seedField,
});

type RealizableConfig = { readonly kind: "realizable" } & Readonly<z.infer<typeof schema>>;

function task(config: RealizableConfig): Task {
  const { distribution, inputs, outputs, train, test } = config;
  if (distribution === "basis" && train % inputs !== 0) {
    const message = `basis takes each of ${inputs} unit vectors equally often, so train must be a multiple of ${inputs}, not ${train}`;
    throw badData("realizable", "train", message);
  }
  return {
    input: { kind: "vector", size: inputs },
    output: { kind: "values", values: outputs },
    trainRows: train,
    testRows: test,
  };
}

function inputsOf({ distribution, inputs, scale }: RealizableConfig, rows: number, key: RandomKey): Float32Array {
  const x = new Float32Array(rows * inputs);
  switch (distribution) {
    case "normal":
      fillNormal(key, { a: 0, b: 0 }, x);
      return x.map((value) => scale * value);
    case "uniform":
      fillUniform(key, { a: 0, b: 0 }, x);
      return x.map((value) => scale * (2 * value - 1));
    case "basis":
      for (let row = 0; row < rows; row += 1) x[row * inputs + (row % inputs)] = scale;
      return x;
  }
}

/** y is the noise: what is added to the outputs. */
async function load(config: RealizableConfig, key: RandomKey): Promise<LoadedData> {
  const draw = (part: "train" | "test", rows: number): Rows => {
    const own = fold(key, part);
    const noise = new Float32Array(rows * config.outputs);
    if (config.noise > 0) fillNormal(own, { a: 1, b: 0 }, noise);
    return { rows, x: inputsOf(config, rows, own), y: noise.map((value) => config.noise * value) };
  };
  return { train: draw("train", config.train), test: draw("test", config.test) };
}

export const realizable: Dataset<RealizableConfig> = {
  kind: "realizable",
  summary: "inputs whose targets are the outputs of the network that a cell starts at, plus noise",
  schema,
  task,
  targets: "start",
  load,
};
