/**
 * Two interleaving half circles, one class each, with Gaussian noise on both coordinates; u is uniform in [0, pi):
 *
 *   class 0  (cos u, sin u)          class 1  (1 - cos u, 1/2 - sin u)
 *
 * Classes alternate by row, so they are balanced. Generated; no file is read.
 */
import { z } from "zod";
import { fillNormal, fillUniform, fold, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { labelNoiseField, noiseField, seedField, testField, trainField } from "./fields.ts";
import { withLabelNoise } from "./table.ts";

const schema = z.strictObject({
  noise: noiseField(0.1),
  train: trainField(200),
  test: testField(500),
  labelNoise: labelNoiseField,
  seed: seedField,
});

type MoonsConfig = { readonly kind: "moons" } & Readonly<z.infer<typeof schema>>;

function drawRows(key: RandomKey, rows: number, sd: number): Rows {
  const uniform = new Float32Array(rows);
  const noise = new Float32Array(2 * rows);
  fillUniform(key, { a: 0, b: 0 }, uniform);
  fillNormal(key, { a: 1, b: 0 }, noise);
  const x = noise.map((value) => sd * value);
  const y = Float32Array.from({ length: rows }, (_, row) => row % 2);
  y.forEach((label, row) => {
    const u = Math.PI * uniform[row]!;
    x[2 * row]! += label === 0 ? Math.cos(u) : 1 - Math.cos(u);
    x[2 * row + 1]! += label === 0 ? Math.sin(u) : 0.5 - Math.sin(u);
  });
  return { rows, x, y };
}

function task(config: MoonsConfig): Task {
  return {
    input: { kind: "vector", size: 2 },
    output: { kind: "classes", classes: 2, positions: 1 },
    trainRows: config.train,
    testRows: config.test,
  };
}

async function load(config: MoonsConfig, key: RandomKey): Promise<LoadedData> {
  const clean = {
    train: drawRows(fold(key, "train"), config.train, config.noise),
    test: drawRows(fold(key, "test"), config.test, config.noise),
  };
  return withLabelNoise(key, clean, 2, config.labelNoise);
}

export const moons: Dataset<MoonsConfig> = {
  kind: "moons",
  summary: "two interleaving half circles in the plane, one class each",
  schema,
  task,
  load,
};
