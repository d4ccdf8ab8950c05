/**
 * Interleaved spirals in the unit disc, one class for each arm c, with Gaussian noise on both coordinates; u is uniform in
 * [0, 1):
 *
 *   (u cos phi, u sin phi),   phi = 2 pi (turns u + c / arms)
 *
 * Classes alternate by row, so they are balanced. Generated; no file is read.
 */
import { z } from "zod";
import { fillNormal, fillUniform, fold, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { labelNoiseField, noiseField, seedField, testField, trainField } from "./fields.ts";
import { withLabelNoise } from "./table.ts";

const schema = z.strictObject({
  arms: z.int().min(2).max(10).default(2).describe("spirals, and classes"),
  turns: z.number().min(0).max(10).default(1.5).describe("turns of each arm from the centre to the rim"),
  noise: noiseField(0.02),
  train: trainField(400),
  test: testField(500),
  labelNoise: labelNoiseField,
  seed: seedField,
});

type SpiralsConfig = { readonly kind: "spirals" } & Readonly<z.infer<typeof schema>>;

function drawRows(config: SpiralsConfig, key: RandomKey, rows: number): Rows {
  const radius = new Float32Array(rows);
  const noise = new Float32Array(2 * rows);
  fillUniform(key, { a: 0, b: 0 }, radius);
  fillNormal(key, { a: 1, b: 0 }, noise);
  const x = noise.map((value) => config.noise * value);
  const y = Float32Array.from({ length: rows }, (_, row) => row % config.arms);
  y.forEach((arm, row) => {
    const u = radius[row]!;
    const phi = 2 * Math.PI * (config.turns * u + arm / config.arms);
    x[2 * row]! += u * Math.cos(phi);
    x[2 * row + 1]! += u * Math.sin(phi);
  });
  return { rows, x, y };
}

function task(config: SpiralsConfig): Task {
  return {
    input: { kind: "vector", size: 2 },
    output: { kind: "classes", classes: config.arms, positions: 1 },
    trainRows: config.train,
    testRows: config.test,
  };
}

async function load(config: SpiralsConfig, key: RandomKey): Promise<LoadedData> {
  const clean = {
    train: drawRows(config, fold(key, "train"), config.train),
    test: drawRows(config, fold(key, "test"), config.test),
  };
  return withLabelNoise(key, clean, config.arms, config.labelNoise);
}

export const spirals: Dataset<SpiralsConfig> = {
  kind: "spirals",
  summary: "interleaved spirals in the plane, one class for each arm",
  schema,
  task,
  load,
};
