/**
 * What a cell costs, from its shapes alone: parameters, floating-point operations, memory. Estimates for a plan and for the
 * size of shards, not accounts: activations, data input and output are counted roughly or not at all.
 */
import { outputWidth, type Architecture, type Task } from "../catalogue/entry.ts";
import { architectureOf, optimizerOf } from "../catalogue/registry.ts";
import { taskOf, type CellConfig, type EstimateConfig } from "./cell.ts";

export interface Cost {
  readonly parameters: number;
  /** Floating-point operations; a multiply-add is two. */
  readonly trainFlops: number;
  readonly estimateFlops: number;
  /** Memory of this cell in a fused program, in training or in sampling, whichever is more. */
  readonly bytesPerMember: number;
}

const BYTES_PER_NUMBER = 4;
/** Forward, backward to the weights, backward to the inputs: each a pass of about the forward one's size. */
const GRADIENT_PASSES = 3;
/** Elementwise operations on each weight in one update, and in one step of a chain (noise, drift, carry). */
const UPDATE_FLOPS_PER_WEIGHT = 10;
const SAMPLE_FLOPS_PER_WEIGHT = 40;
/** Householder reduction and QR iterations of a symmetric matrix of order m take about so many m^3, values only. */
const EIGENVALUES_CUBES = 4;
/** Numbers of a weight's size that a training step holds, beside two for each slot: weight and gradient, old and new. */
const TRAIN_COPIES = 4;
/** The same for a chain: position, carry, noise, gradient, drift and their like. */
const CHAIN_COPIES = 12;
/** Copies of an activation that forward and backward hold at a time. */
const ACTIVATION_COPIES = 8;

/** @throws what the dataset throws for fields that contradict each other */
export function costOf(config: CellConfig): Cost {
  const task = taskOf(config);
  const architecture = architectureOf(config.architecture);
  const parameters = parametersOf(architecture, config, task);
  const forward = architecture.forwardFlops(config.architecture, task);
  return {
    parameters,
    trainFlops: trainFlops(config, task, forward, parameters),
    estimateFlops: estimateFlops(config.estimate, task, forward, parameters),
    bytesPerMember: bytesPerMember(config, task, architecture, forward, parameters),
  };
}

function parametersOf(architecture: Architecture, config: CellConfig, task: Task): number {
  const sizes = architecture.parameters(config.architecture, task).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Every step of the budget, and an evaluation of both splits at the start and after every `evalEvery` steps. */
function trainFlops({ train }: CellConfig, task: Task, forward: number, parameters: number): number {
  const step = GRADIENT_PASSES * forward * train.batch + UPDATE_FLOPS_PER_WEIGHT * parameters;
  const evaluations = Math.ceil(train.steps / train.evalEvery) + 1;
  return train.steps * step + evaluations * forward * (task.trainRows + task.testRows);
}

/**
 * Each step of each chain takes one minibatch gradient; the paired baseline and the control variate come from one pass over
 * all rows at w0. The kernel takes a gradient for each of its rows, its Gram matrix and that one's eigenvalues.
 */
function estimateFlops(estimate: EstimateConfig, task: Task, forward: number, parameters: number): number {
  if (estimate.sampler === "none") return 0;
  const rows = estimate.batch === 0 ? task.trainRows : Math.min(estimate.batch, task.trainRows);
  const steps = estimate.chains * (estimate.burnIn + estimate.draws * estimate.thin);
  const sampling = steps * (GRADIENT_PASSES * forward * rows + SAMPLE_FLOPS_PER_WEIGHT * parameters);
  const atAnchor = GRADIENT_PASSES * forward * task.trainRows;
  const positions = task.output.kind === "classes" ? task.output.positions : 1;
  const kernelRows = Math.min(estimate.kernelRows, task.trainRows * positions * outputWidth(task.output));
  const order = Math.min(kernelRows, parameters);
  const gram = 2 * kernelRows * parameters * order;
  const kernel = kernelRows * GRADIENT_PASSES * forward + gram + EIGENVALUES_CUBES * order ** 3;
  return sampling + atAnchor + kernel;
}

function bytesPerMember(
  config: CellConfig,
  task: Task,
  architecture: Architecture,
  forward: number,
  parameters: number,
): number {
  const { train, estimate } = config;
  const perRow = ACTIVATION_COPIES * numbersPerRow(config, task, architecture, forward, parameters);
  const slots = optimizerOf(config.optimizer).slots.length;
  const training = (TRAIN_COPIES + 2 * slots) * parameters + perRow * train.batch;
  if (estimate.sampler === "none") return BYTES_PER_NUMBER * training;
  const rows = estimate.batch === 0 ? task.trainRows : Math.min(estimate.batch, task.trainRows);
  const batches = Math.max(1, Math.floor(task.trainRows / rows));
  const tables = batches === 1 ? 0 : 2 * batches * parameters;
  const sampling = estimate.chains * (CHAIN_COPIES * parameters + perRow * rows) + tables;
  return BYTES_PER_NUMBER * Math.max(training, sampling);
}

/**
 * Inputs, hidden units and outputs of one row. A column of a weight is a unit as often as the weight is used in one row, on
 * average: forward / (2 P) times, 1 in an MLP, more where weights are shared over places.
 */
function numbersPerRow(
  config: CellConfig,
  task: Task,
  architecture: Architecture,
  forward: number,
  parameters: number,
): number {
  const uses = Math.max(1, forward / (2 * parameters));
  const shapes = architecture.parameters(config.architecture, task).map((parameter) => parameter.shape);
  const units = shapes.reduce((sum, shape) => sum + (shape.at(-1) ?? 1) * uses, 0);
  return architecture.preparedSize(config.architecture, task) + units;
}
