/**
 * What a cell costs, from its shapes alone: parameters, floating-point operations, memory. Estimates for a plan and for the
 * size of shards, not accounts: activations, data input and output are counted roughly or not at all.
 */
import { outputWidth, type Task } from "../catalogue/entry.ts";
import { architectureOf, optimizerOf } from "../catalogue/registry.ts";
import { taskOf, type CellConfig, type EstimateConfig } from "./cell.ts";
import { chainBytes, targetBytes, trainingBytes, type ModelShape } from "./memory.ts";
import { samplingOf } from "./sampling.ts";

export interface Cost {
  readonly parameters: number;
  /** Floating-point operations; a multiply-add is two. */
  readonly trainFlops: number;
  readonly estimateFlops: number;
  /** Memory of this cell in a fused program, in training or in sampling, whichever is more. */
  readonly bytesPerMember: number;
}

/** Forward, backward to the weights, backward to the inputs: each a pass of about the forward one's size. */
const GRADIENT_PASSES = 3;
/** Elementwise operations on each weight in one update, and in one step of a chain (noise, drift, carry). */
const UPDATE_FLOPS_PER_WEIGHT = 10;
const SAMPLE_FLOPS_PER_WEIGHT = 40;
/** Householder reduction and QR iterations of a symmetric matrix of order m take about so many m^3, values only. */
const EIGENVALUES_CUBES = 4;
/** @throws what the dataset throws for fields that contradict each other */
export function costOf(config: CellConfig): Cost {
  const task = taskOf(config);
  const architecture = architectureOf(config.architecture);
  const parameters = architecture.parameters(config.architecture, task);
  const parameterCount = parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const forward = architecture.forwardFlops(config.architecture, task);
  return {
    parameters: parameterCount,
    trainFlops: trainFlops(config, task, forward, parameterCount),
    estimateFlops: estimateFlops(config.estimate, task, forward, parameterCount),
    bytesPerMember: bytesPerMember(config, {
      architecture,
      config: config.architecture,
      task,
      parameters,
      parameterCount,
    }),
  };
}

/** Every step of the budget, and an evaluation of both splits at the start and after every `evalEvery` steps. */
function trainFlops({ train }: CellConfig, task: Task, forward: number, parameters: number): number {
  const step = GRADIENT_PASSES * forward * train.batch + UPDATE_FLOPS_PER_WEIGHT * parameters;
  const evaluations = Math.ceil(train.steps / train.evalEvery) + 1;
  return train.steps * step + evaluations * forward * (task.trainRows + task.testRows);
}

/**
 * Each gradient of each chain is over the rows of its batch; the paired baseline and the control variate come from one pass over
 * all rows at w0. The kernel takes a gradient for each of its rows, its Gram matrix and that one's eigenvalues. Adjusted
 * sampling often ends before its budget does.
 */
function estimateFlops(estimate: EstimateConfig, task: Task, forward: number, parameters: number): number {
  if (estimate.sampler === "none") return 0;
  const { rows, gradients, posteriors, surfaces } = samplingOf(estimate, task.trainRows, parameters);
  const steps = estimate.chains * gradients * posteriors * surfaces;
  const sampling = steps * (GRADIENT_PASSES * forward * rows + SAMPLE_FLOPS_PER_WEIGHT * parameters);
  const atAnchor = GRADIENT_PASSES * forward * task.trainRows;
  const positions = task.output.kind === "classes" ? task.output.positions : 1;
  const kernelRows = Math.min(estimate.kernelRows, task.trainRows * positions * outputWidth(task.output));
  const order = Math.min(kernelRows, parameters);
  const gram = 2 * kernelRows * parameters * order;
  const kernel = kernelRows * GRADIENT_PASSES * forward + gram + EIGENVALUES_CUBES * order ** 3;
  return sampling + atAnchor + kernel;
}

/** In training or in sampling, whichever is more. */
function bytesPerMember({ data, train, estimate, optimizer }: CellConfig, model: ModelShape): number {
  const targets = targetBytes(data, model.task);
  const training = trainingBytes(model, train.batch, optimizerOf(optimizer).slots.length);
  if (estimate.sampler === "none") return targets + training;
  const { trainRows } = model.task;
  const { kind, rows, posteriors } = samplingOf(estimate, trainRows, model.parameterCount);
  const batches = kind === "adjusted" ? 1 : Math.max(1, Math.floor(trainRows / rows));
  return targets + Math.max(training, chainBytes(model, batches, rows, estimate.chains * posteriors));
}
