/**
 * What an architecture, an optimizer, a regulariser and a dataset are: the four interfaces of the catalogue. One entry is
 * one file (its schema, its shapes, its fused mathematics) and one line in `registry.ts`.
 *
 * Entries are pure: no clock, no store, no file but a dataset's own, and TensorFlow.js only as the argument `tf` (its types
 * are imported, never its code), so that the coordinator can read shapes and costs without loading a backend.
 *
 * Axes of a fused program: K members (cells, or cells x chains), B rows of a batch, then features. A member's numbers never
 * depend on the other members: entries may mix no values over the member axis.
 *
 * Ownership: a function here returns new tensors and disposes nothing that it was given; its intermediates are the
 * caller's to tidy (`tf.tidy`).
 */
import type * as tfjs from "@tensorflow/tfjs-core";
import type { z } from "zod";
import type { RandomKey } from "../core/random.ts";

/** The TensorFlow.js core module. */
export type Tf = typeof tfjs;
export type Tensor = tfjs.Tensor;
export type Tensor3D = tfjs.Tensor3D;

export type Scalar = string | number | boolean;
/** A parsed configuration of an entry: flat, every default filled in. */
export interface Config {
  readonly kind: string;
  readonly [field: string]: Scalar;
}

/** One row of input. Rows are stored flat, row-major: `size` = product of the shape. Tokens are ids, stored as floats. */
export type InputShape =
  | { readonly kind: "vector"; readonly size: number }
  | { readonly kind: "image"; readonly height: number; readonly width: number; readonly channels: number }
  | { readonly kind: "tokens"; readonly context: number; readonly vocabulary: number };

/**
 * What is predicted for one row. `classes`: one class id at each of `positions` (1, or the context length for next-token
 * prediction); loss is cross-entropy. `values`: real numbers; loss is 1/2 |y - f(x)|^2, the negative log-likelihood of a
 * unit-variance Gaussian without its constant.
 */
export type OutputShape =
  | { readonly kind: "classes"; readonly classes: number; readonly positions: number }
  | { readonly kind: "values"; readonly values: number };

/** All that shapes depend on, known before a byte of data is loaded. */
export interface Task {
  readonly input: InputShape;
  readonly output: OutputShape;
  readonly trainRows: number;
  readonly testRows: number;
}

/** Length of one stored row of input. */
export function inputSize(input: InputShape): number {
  switch (input.kind) {
    case "vector":
      return input.size;
    case "image":
      return input.height * input.width * input.channels;
    case "tokens":
      return input.context;
  }
}

/** Length of one stored row of targets: class ids, or values. */
export function targetSize(output: OutputShape): number {
  return output.kind === "classes" ? output.positions : output.values;
}

/** Numbers that a model puts out for one position: logits or values. */
export function outputWidth(output: OutputShape): number {
  return output.kind === "classes" ? output.classes : output.values;
}

interface Entry {
  /** Its name in a sweep file, kebab-case. */
  readonly kind: string;
  /** One line for documentation and editor completion. */
  readonly summary: string;
  /** A strict zod object of its fields WITHOUT `kind`: flat scalars, each with `.describe()` and, where sensible, a default. */
  readonly schema: z.ZodObject;
}

/** How a parameter starts. Normals are drawn per (cell key, parameter index). */
export type Initial =
  { readonly kind: "normal"; readonly std: number } | { readonly kind: "constant"; readonly value: number };

export interface Parameter {
  readonly name: string;
  /** Without the member axis. */
  readonly shape: readonly number[];
  readonly initial: Initial;
}

/** What the program lends to a forward pass. */
export interface ForwardContext {
  readonly tf: Tf;
  /** Apply to each hidden activation [K, rows, width], in a fixed order; dropout acts here. The identity in eval mode. */
  hidden(activation: Tensor3D): Tensor3D;
}

/**
 * Where a cell starts, and with realizable data what the truth is. `random`: at its initial weights. `teacher`: there too, and they
 * are the truth. `canonical` and `generic`: at weights that the architecture names.
 */
export const STARTS = ["random", "canonical", "generic", "teacher"] as const;
export type Start = (typeof STARTS)[number];

/** One array a parameter, row-major, in the order of `parameters`; undefined for one that starts as it does at random. */
export type StartWeights = readonly (Float32Array | undefined)[];

/** Weights that an architecture names. */
export interface NamedStarts<C extends Config = Config> {
  /** A special point of the parameter space, the same for every cell. */
  canonical?(config: C, task: Task): StartWeights;
  /** A random point of the true function's kind. @param key the cell's own */
  generic?(config: C, task: Task, key: RandomKey): StartWeights;
}

export interface Architecture<C extends Config = Config> extends Entry {
  /** Why it cannot learn this task, as a sentence for the user; undefined when it can. */
  unsupported(config: C, task: Task): string | undefined;
  /**
   * Turns stored rows into what `forward` reads, once for a whole dataset (polynomial features). Row-major in and out.
   * Left out: rows are read as they are stored.
   */
  prepare?(config: C, task: Task, x: Float32Array, rows: number): Float32Array;
  /** Length of one row that `forward` reads. */
  preparedSize(config: C, task: Task): number;
  parameters(config: C, task: Task): readonly Parameter[];
  /** Floating-point operations (a multiply-add is two) of one forward pass of one row. */
  forwardFlops(config: C, task: Task): number;
  /** Left out: it starts at random or as a teacher. */
  readonly starts?: NamedStarts<C>;
  /**
   * @param weights stacked parameters, each [K, ...shape], in the order of `parameters`
   * @param input [K, B, preparedSize]
   * @returns [K, B x positions, outputWidth]: logits or values
   */
  forward(context: ForwardContext, config: C, task: Task, weights: readonly Tensor[], input: Tensor3D): Tensor3D;
}

export interface OptimizerStep {
  /** [K, ...shape] */
  readonly weight: Tensor;
  /** Gradient of the loss and of coupled penalties, [K, ...shape]. */
  readonly gradient: Tensor;
  /** State tensors [K, ...shape], in the order of `slots`; zeros at the start. */
  readonly slots: readonly Tensor[];
  /** Each hyperparameter as [K, 1, ...] of the weight's rank; `learningRate` is already scheduled. */
  readonly h: Readonly<Record<string, Tensor>>;
  /** 1 at the first update. */
  readonly step: number;
}

export interface OptimizerUpdate {
  readonly weight: Tensor;
  readonly slots: readonly Tensor[];
}

/** A pure update rule. Its doc comment holds the equation and its source. */
export interface Optimizer<C extends Config = Config> extends Entry {
  /** Names of its state tensors, each shaped like the weight. */
  readonly slots: readonly string[];
  /** Per-cell numbers that `update` reads; must have `learningRate`. */
  hyperparameters(config: C): Readonly<Record<string, number>>;
  update(tf: Tf, step: OptimizerStep): OptimizerUpdate;
}

/**
 * A regulariser acts through the hooks that it has. Each member has its own strength; strength 0 must be the exact identity
 * (bitwise), because members that do not use a regulariser run through its hooks with 0. `strength` is [K, 1, ...] of the
 * rank of the tensor beside it. Hooks act in training only, never when a loss is evaluated or a posterior is sampled.
 */
export interface Regulariser<C extends Config = Config> extends Entry {
  strength(config: C): number;
  /** On each weight before the forward pass. `normal` has the weight's shape. */
  readonly perturb?: (tf: Tf, weight: Tensor, strength: Tensor, normal: Tensor) => Tensor;
  /** On each hidden activation [K, rows, width]. `uniform` in [0, 1) has its shape. */
  readonly hidden?: (tf: Tf, activation: Tensor3D, strength: Tensor, uniform: Tensor3D) => Tensor3D;
  /** On one-hot targets [K, rows, classes]. */
  readonly targets?: (tf: Tf, oneHot: Tensor3D, strength: Tensor, classes: number) => Tensor3D;
  /** A term added to the gradient (coupled). */
  readonly gradient?: (tf: Tf, weight: Tensor, strength: Tensor) => Tensor;
  /** Subtracted from the updated weight (decoupled); `weight` is the value before the update. */
  readonly decay?: (tf: Tf, weight: Tensor, strength: Tensor, learningRate: Tensor) => Tensor;
}

/** Rows of one split, row-major. */
export interface Rows {
  readonly rows: number;
  /** [rows x inputSize] */
  readonly x: Float32Array;
  /** [rows x targetSize]: class ids or values; what is added to the outputs where a cell's start makes the targets. */
  readonly y: Float32Array;
}

export interface LoadedData {
  readonly train: Rows;
  readonly test: Rows;
}

export interface Dataset<C extends Config = Config> extends Entry {
  /** "start": the targets of a cell are the outputs of the network that it starts at. Left out: they are the data's own. */
  readonly targets?: "start";
  /** Throws OccamError "bad-spec" (`where`: "data.<field>") for fields that contradict each other; a schema has no such rules. */
  task(config: C): Task;
  /** @param key depends on the dataset's kind and its `seed` field alone, so that a larger `train` extends a smaller one. */
  load(config: C, key: RandomKey): Promise<LoadedData>;
}
