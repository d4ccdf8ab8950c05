/**
 * Regression on the outputs of a random teacher: y = f(x) + noise z, x ~ N(0, I), z ~ N(0, I).
 *
 *   linear      f(x) = signal (A x / sqrt(inputs) + b)
 *   tanh, relu  f(x) = signal (V act(U x / sqrt(inputs) + c) / sqrt(hidden) + b)
 *
 * with every entry of A, U, V, b, c from N(0, 1), drawn by the seed. The loss 1/2 |y - f|^2 is the Gaussian negative
 * log-likelihood of unit variance, so `noise` = 1 (the default) is the well-specified case: with a linear teacher, one
 * output and a polynomial of degree 1 it is a regular model with inputs + 1 parameters and learning coefficient
 * (inputs + 1) / 2. Change the signal-to-noise ratio by `signal`. Generated; no file is read.
 */
import { z } from "zod";
import { fillNormal, fold, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { noiseField, seedField, testField, trainField } from "./fields.ts";

const schema = z.strictObject({
  teacher: z
    .enum(["linear", "tanh", "relu"])
    .default("linear")
    .describe("linear, or a network with one hidden layer of this activation"),
  inputs: z.int().min(1).max(1024).default(8).describe("inputs, each from N(0, 1)"),
  hidden: z.int().min(1).max(1024).default(4).describe("hidden units of a tanh or relu teacher; linear ignores it"),
  outputs: z.int().min(1).max(64).default(1).describe("outputs"),
  signal: z.number().min(0).max(1000).default(1).describe("factor on the teacher's outputs, before the noise"),
  noise: noiseField(1),
  train: trainField(1000),
  test: testField(1000),
  seed: seedField,
});

type TeacherStudentConfig = { readonly kind: "teacher-student" } & Readonly<z.infer<typeof schema>>;

/** An affine map of columns: out_j = sum_i weight_ji x_i / sqrt(inputs) + bias_j, computed in float64. */
interface Layer {
  readonly inputs: number;
  /** [outputs x inputs] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

function drawLayer(key: RandomKey, inputs: number, outputs: number): Layer {
  const weight = new Float32Array(outputs * inputs);
  const bias = new Float32Array(outputs);
  fillNormal(key, { a: 0, b: 0 }, weight);
  fillNormal(key, { a: 1, b: 0 }, bias);
  return { inputs, weight, bias };
}

function affine(layer: Layer, x: Float64Array): Float64Array {
  return Float64Array.from(layer.bias, (bias, j) => {
    let sum = 0;
    for (let i = 0; i < layer.inputs; i += 1) sum += layer.weight[j * layer.inputs + i]! * x[i]!;
    return sum / Math.sqrt(layer.inputs) + bias;
  });
}

/** The teacher, without its signal factor. */
function teacherOf(config: TeacherStudentConfig, key: RandomKey): (x: Float64Array) => Float64Array {
  const teacherKey = fold(key, "teacher");
  if (config.teacher === "linear") {
    const layer = drawLayer(fold(teacherKey, "layer"), config.inputs, config.outputs);
    return (x) => affine(layer, x);
  }
  const lower = drawLayer(fold(teacherKey, "layer", 0), config.inputs, config.hidden);
  const upper = drawLayer(fold(teacherKey, "layer", 1), config.hidden, config.outputs);
  const activate = config.teacher === "tanh" ? Math.tanh : (value: number) => Math.max(0, value);
  return (x) => affine(upper, affine(lower, x).map(activate));
}

function task(config: TeacherStudentConfig): Task {
  return {
    input: { kind: "vector", size: config.inputs },
    output: { kind: "values", values: config.outputs },
    trainRows: config.train,
    testRows: config.test,
  };
}

async function load(config: TeacherStudentConfig, key: RandomKey): Promise<LoadedData> {
  const teacher = teacherOf(config, key);
  const draw = (part: "train" | "test", rows: number): Rows => {
    const x = new Float32Array(rows * config.inputs);
    const noise = new Float32Array(rows * config.outputs);
    const y = new Float32Array(rows * config.outputs);
    fillNormal(fold(key, part), { a: 0, b: 0 }, x);
    fillNormal(fold(key, part), { a: 1, b: 0 }, noise);
    for (let row = 0; row < rows; row += 1) {
      const clean = teacher(Float64Array.from(x.subarray(row * config.inputs, (row + 1) * config.inputs)));
      clean.forEach((value, j) => {
        const at = row * config.outputs + j;
        y[at] = config.signal * value + config.noise * noise[at]!;
      });
    }
    return { rows, x, y };
  };
  return { train: draw("train", config.train), test: draw("test", config.test) };
}

export const teacherStudent: Dataset<TeacherStudentConfig> = {
  kind: "teacher-student",
  summary: "regression on a random linear or one-hidden-layer teacher with Gaussian inputs and noise",
  schema,
  task,
  load,
};
