/**
 * How many bytes one member of a fused program needs: what the width of a program is limited by. Upper estimates, from shapes
 * alone; a program that takes more all the same runs out of memory, and is run in parts.
 *
 * The factors hold what was measured at the allocator of the wasm backend with our kernels, with a margin for the backends that
 * compute the same by more operations (networks of 10^2 to 3 x 10^5 parameters, mlp, deep-linear, polynomial, cnn, transformer).
 */
import { outputWidth, type InputShape, type Parameter } from "../../src/catalogue/entry.ts";
import type { CellConfig } from "../../src/spec/cell.ts";
import type { Program } from "../engine/program.ts";
import type { PoolShape } from "../sample/batch-pool.ts";
import { chunkRows } from "./evaluate.ts";

const BYTES_PER_NUMBER = 4;
/** Copies of an activation in a step forward and backward: 1 to 3, with dropout to 5 (convolutions 10). */
const STEP_ACTIVATIONS = 5;
/** The same forward alone: 0.2 to 1.3. */
const EVALUATION_ACTIVATIONS = 3;
/** Numbers of a weight's size in an update, beside two for each slot, old and new: 4.6 (SGD: 4.6, Adam with two slots: 7.5). */
const UPDATE_COPIES = 6;

/** For training: weights, gradients and slots, and the activations of one minibatch or of one evaluation chunk. */
export function bytesPerMember(program: Program, cell: CellConfig, slots: number): number {
  const perRow = numbersPerRow(program);
  const step = STEP_ACTIVATIONS * cell.train.batch * perRow;
  const evaluation = EVALUATION_ACTIVATIONS * chunkRows(program) * perRow;
  return BYTES_PER_NUMBER * ((UPDATE_COPIES + 2 * slots) * program.parameterCount + Math.max(step, evaluation));
}

/** Numbers of a weight's size that a chain's step holds: position, carry, noise, gradient, drift and their like. */
const CHAIN_COPIES = 12;

/** For sampling: the chains of one cell, and its pool's tables while they are built. */
export function bytesPerChain(program: Program, pool: PoolShape, chains: number): number {
  const tables = pool.batches === 1 ? 0 : 2 * 2 * pool.batches * program.parameterCount;
  const activations = STEP_ACTIVATIONS * pool.rows * numbersPerRow(program);
  return BYTES_PER_NUMBER * (tables + chains * (CHAIN_COPIES * program.parameterCount + activations));
}

/** Inputs, hidden units and outputs of one row. */
function numbersPerRow({ architecture, config, task, parameters, positions }: Program): number {
  const flops = architecture.forwardFlops(config, task);
  const units = mostUnits(parameters, placesOf(task.input), flops);
  return architecture.preparedSize(config, task) + units + positions * outputWidth(task.output);
}

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
