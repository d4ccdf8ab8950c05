/**
 * How many bytes one member of a fused program needs: what a plan states and what the width of a program is limited by. Upper
 * estimates, from shapes alone; a program that takes more all the same runs out of memory, and is run in parts.
 *
 * The factors hold what was measured at the allocator of the wasm backend with our kernels, with a margin for the backends that
 * compute the same by more operations (networks of 10^2 to 3 x 10^5 parameters, mlp, deep-linear, polynomial, cnn, transformer).
 */
import {
  outputWidth,
  targetSize,
  type Architecture,
  type Config,
  type InputShape,
  type Parameter,
  type Task,
} from "../catalogue/entry.ts";
import { datasetOf } from "../catalogue/registry.ts";

const BYTES_PER_NUMBER = 4;
/** Copies of an activation in a step forward and backward: 1 to 3, with dropout to 5 (convolutions 10). */
const STEP_ACTIVATIONS = 5;
/** The same forward alone: 0.2 to 1.3. */
const EVALUATION_ACTIVATIONS = 3;
/** Numbers of a weight's size in an update, beside two for each slot, old and new: 4.6 (SGD: 4.6, Adam with two slots: 7.5). */
const UPDATE_COPIES = 6;
/** Numbers of a weight's size that a chain's step holds: position, carry, noise, gradient, drift and their like. */
const CHAIN_COPIES = 12;

/** A model on a task. */
export interface ModelShape {
  readonly architecture: Architecture;
  readonly config: Config;
  readonly task: Task;
  readonly parameters: readonly Parameter[];
  readonly parameterCount: number;
}

/** Numbers in one member's chunk of an evaluation, roughly: large enough to amortise dispatch, small enough for a wide program. */
const CHUNK_NUMBERS = 65_536;
const MOST_CHUNK_ROWS = 512;

/** Rows that are evaluated at a time. A function of the task alone, never of who shares the program. */
export function evaluationRows({ architecture, config, task }: ModelShape): number {
  const perRow = architecture.preparedSize(config, task) + outputsPerRow(task);
  return Math.max(1, Math.min(MOST_CHUNK_ROWS, Math.floor(CHUNK_NUMBERS / perRow)));
}

/** For training: weights, gradients and slots, and the activations of one minibatch or of one evaluation chunk. */
export function trainingBytes(model: ModelShape, batch: number, slots: number): number {
  const perRow = numbersPerRow(model);
  const step = STEP_ACTIVATIONS * batch * perRow;
  const evaluation = EVALUATION_ACTIVATIONS * evaluationRows(model) * perRow;
  return BYTES_PER_NUMBER * ((UPDATE_COPIES + 2 * slots) * model.parameterCount + Math.max(step, evaluation));
}

/** The targets that a cell has to itself, where its start makes them. */
export function targetBytes(data: Config, { trainRows, testRows, output }: Task): number {
  return datasetOf(data).targets === "start" ? BYTES_PER_NUMBER * (trainRows + testRows) * targetSize(output) : 0;
}

/** For sampling: the chains of one cell, and the tables of its pool of batches, of so many rows each, while they are built. */
export function chainBytes(model: ModelShape, batches: number, rows: number, chains: number): number {
  const tables = batches === 1 ? 0 : 2 * 2 * batches * model.parameterCount;
  const activations = STEP_ACTIVATIONS * rows * numbersPerRow(model);
  return BYTES_PER_NUMBER * (tables + chains * (CHAIN_COPIES * model.parameterCount + activations));
}

/** Inputs, hidden units and outputs of one row. */
function numbersPerRow({ architecture, config, task, parameters }: ModelShape): number {
  const units = mostUnits(parameters, placesOf(task.input), architecture.forwardFlops(config, task));
  return architecture.preparedSize(config, task) + units + outputsPerRow(task);
}

const outputsPerRow = ({ output }: Task): number =>
  (output.kind === "classes" ? output.positions : 1) * outputWidth(output);

/** How often a weight can be used in one row: at every pixel, at every token, or once. */
function placesOf(input: InputShape): number {
  switch (input.kind) {
    case "vector":
      return 1;
    case "image":
      return input.height * input.width;
    case "tokens":
      return input.context;
  }
}

/**
 * The most units that a forward pass of so many operations can have. A weight [n, m] used u times makes u m units by 2 u n m
 * operations: used once each at least, and most often where a unit is cheapest, which is where n is least.
 */
function mostUnits(parameters: readonly Parameter[], places: number, flops: number): number {
  const weights = parameters.map(({ shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return { size, columns: shape.at(-1) ?? 1 };
  });
  let [units, left] = [0, flops];
  for (const { size, columns } of weights) {
    units += columns;
    left -= 2 * size;
  }
  // Biases are added to the units of others.
  const products = weights.filter(({ size, columns }) => size > columns);
  for (const { size, columns } of products.toSorted((a, b) => a.size / a.columns - b.size / b.columns)) {
    const uses = Math.min(places - 1, Math.max(0, left) / (2 * size));
    units += uses * columns;
    left -= uses * 2 * size;
  }
  return units;
}
