/**
 * A fused program: one architecture on one task, K members side by side. Every parameter is a tensor [K, ...shape], every
 * batch [K, B, ...], and no value crosses the member axis, so that a member's numbers are those it would have alone.
 *
 * With R = B x positions rows of predictions, the loss of a row is
 *   classes: l = log sum_c exp z_c - sum_c q_c z_c, q the one-hot (or smoothed) target: cross-entropy in nats;
 *   values:  l = 1/2 |y - f|^2: the negative log-likelihood of a unit-variance Gaussian, without its constant.
 * A member's loss is the mean over its R rows.
 *
 * Ownership: results are the caller's; arguments are never disposed.
 */
import { architectureOf } from "../../src/catalogue/registry.ts";
import {
  type Architecture,
  type Config,
  type Parameter,
  type Task,
  type Tensor,
  type Tensor3D,
  type Tf,
} from "../../src/catalogue/entry.ts";
import { taskOf, type CellConfig } from "../../src/spec/cell.ts";
import type { Engine } from "./engine.ts";
import { crossEntropy, squaredError } from "./row-loss.ts";
import { sizeOf } from "./shape.ts";

export interface Program {
  readonly engine: Engine;
  readonly architecture: Architecture;
  readonly config: Config;
  readonly task: Task;
  readonly parameters: readonly Parameter[];
  /** P: numbers of one member. */
  readonly parameterCount: number;
  /** Predictions of one row of data. */
  readonly positions: number;
}

/** One batch of every member. */
export interface Batch {
  /** [K, B, preparedSize] */
  readonly input: Tensor3D;
  /** [K, B x positions, outputWidth]: one-hot classes, or values. */
  readonly targets: Tensor3D;
}

/** How training bends a forward pass; evaluation and sampling bend nothing. */
export interface Bend {
  /** On the stacked weights, in the order of the parameters. */
  readonly weights?: (weights: readonly Tensor[]) => readonly Tensor[];
  readonly hidden?: (activation: Tensor3D) => Tensor3D;
}

export interface RowGradients {
  /** Losses of the rows, [K, R]. */
  readonly rows: Tensor;
  /** Gradient of each member's mean loss, [K, ...shape] each. */
  readonly gradients: readonly Tensor[];
}

export function openProgram(engine: Engine, cell: CellConfig): Program {
  const task = taskOf(cell);
  const architecture = architectureOf(cell.architecture);
  const parameters = architecture.parameters(cell.architecture, task);
  return {
    engine,
    architecture,
    config: cell.architecture,
    task,
    parameters,
    parameterCount: parameters.reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0),
    positions: task.output.kind === "classes" ? task.output.positions : 1,
  };
}

/** Logits or values, [K, R, outputWidth]. */
export function outputsOf(program: Program, weights: readonly Tensor[], input: Tensor3D, bend: Bend = {}): Tensor3D {
  const { tf } = program.engine;
  const context = { tf, hidden: bend.hidden ?? ((activation: Tensor3D) => activation) };
  const bent = bend.weights?.(weights) ?? weights;
  return program.architecture.forward(context, program.config, program.task, bent, input);
}

/** Loss of every row, [K, R]. */
export function rowLosses(program: Program, outputs: Tensor3D, targets: Tensor3D): Tensor {
  const { tf } = program.engine;
  const loss = program.task.output.kind === "classes" ? crossEntropy : squaredError;
  return loss(tf, outputs, targets);
}

/** Losses of the rows and the gradient of each member's mean loss, in one pass forward and back. */
export function rowGradients(
  program: Program,
  weights: readonly Tensor[],
  batch: Batch,
  bend: Bend = {},
): RowGradients {
  const { tf } = program.engine;
  return tf.tidy(() => {
    const losses = (...leaves: Tensor[]): Tensor =>
      rowLosses(program, outputsOf(program, leaves, batch.input, bend), batch.targets);
    const { value, grads } = tf.valueAndGrads(losses)([...weights], sharesOfRows(tf, batch.targets));
    return { rows: value, gradients: grads };
  });
}

/** What the gradient of each member's mean loss is pulled back from, [K, R]: d/dw of the mean = sum over rows of (1/R) dl/dw. */
export function sharesOfRows(tf: Tf, { shape }: Tensor3D): Tensor {
  return tf.fill(shape.slice(0, 2), 1 / shape[1]);
}

/** J^T v: the outputs' Jacobian, pulled back; v is [K, R, outputWidth]. */
export function pullBack(
  program: Program,
  weights: readonly Tensor[],
  input: Tensor3D,
  v: Tensor3D,
): readonly Tensor[] {
  const { tf } = program.engine;
  const outputs = (...leaves: Tensor[]): Tensor => outputsOf(program, leaves, input);
  return tf.tidy(() => tf.grads(outputs)([...weights], v));
}

/** Stored targets [K, B, targetSize] as the loss reads them: one-hot classes [K, R, classes], or the values themselves. */
export function targetsOf(program: Program, stored: Tensor3D): Tensor3D {
  const { tf } = program.engine;
  const { output } = program.task;
  if (output.kind === "values") return tf.clone(stored);
  return tf.tidy(() => {
    const [members, rows] = [stored.shape[0], stored.shape[1] * output.positions];
    const ids = tf.cast(tf.reshape(stored, [members * rows]), "int32");
    // In two steps: the wasm kernel writes integers whatever type it is asked for.
    const oneHot = tf.cast(tf.oneHot(ids, output.classes), "float32");
    return tf.reshape(oneHot, [members, rows, output.classes]);
  });
}
