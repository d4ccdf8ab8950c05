/** How many bytes one member of a fused program needs: what the width of a program is limited by. */
import { outputWidth } from "../../src/catalogue/entry.ts";
import type { CellConfig } from "../../src/spec/cell.ts";
import type { Program } from "../engine/program.ts";
import type { PoolShape } from "../sample/batch-pool.ts";
import { chunkRows } from "./evaluate.ts";

const BYTES_PER_NUMBER = 4;
/** Copies of an activation that forward and backward hold at a time, measured on the MLP at 4 to 6. */
const ACTIVATION_COPIES = 8;

/**
 * An upper estimate for training: weights, gradients and slots, twice over while they are replaced, and the activations of
 * one minibatch or of one evaluation chunk.
 */
export function bytesPerMember(program: Program, cell: CellConfig, slots: number): number {
  const rows = Math.max(cell.train.batch, chunkRows(program));
  const activations = ACTIVATION_COPIES * rows * numbersPerRow(program);
  return BYTES_PER_NUMBER * (2 * (2 + slots) * program.parameterCount + activations);
}

/** Tensors of a weight's size that a chain's step holds: position, carry, noise, gradient, drift and their like. */
const CHAIN_COPIES = 12;

/** An upper estimate for sampling: the chains of one cell, and its pool's tables while they are built. */
export function bytesPerChain(program: Program, pool: PoolShape, chains: number): number {
  const tables = pool.batches === 1 ? 0 : 2 * 2 * pool.batches * program.parameterCount;
  const activations = ACTIVATION_COPIES * pool.rows * numbersPerRow(program);
  return BYTES_PER_NUMBER * (tables + chains * (CHAIN_COPIES * program.parameterCount + activations));
}

/**
 * Inputs, hidden units and outputs of one row. A column of a weight is a unit as often as the weight is used in one row, on
 * average: forward FLOPs / (2 P) times, 1 in an MLP, more where weights are shared over places.
 */
function numbersPerRow({ architecture, config, task, parameters, parameterCount, positions }: Program): number {
  const uses = Math.max(1, architecture.forwardFlops(config, task) / (2 * parameterCount));
  const units = parameters.reduce((sum, { shape }) => sum + (shape.at(-1) ?? 1) * uses, 0);
  return architecture.preparedSize(config, task) + units + positions * outputWidth(task.output);
}
