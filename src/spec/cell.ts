/** A cell: one fully specified run, and its content id. */
import { canonicalJson, sha256Hex, type Json } from "../core/canonical-json.ts";
import { asCellId, asFuseKey, type CellId, type FuseKey } from "../core/ids.ts";
import { NUMERICS_VERSION } from "../core/version.ts";
import { rootKey, type RandomKey } from "../core/random.ts";
import type { Config, Start, Task } from "../catalogue/entry.ts";
import { datasetOf } from "../catalogue/registry.ts";

/** How a cell is trained. */
export interface TrainConfig {
  /** Updates, at the most; 0: the cell is evaluated and estimated where it starts. */
  readonly steps: number;
  /** Left out: random. */
  readonly start?: Exclude<Start, "random">;
  /** Rows of a minibatch, drawn with replacement. */
  readonly batch: number;
  /** The learning rate's factor over the steps: 1, or 1/2 (1 + cos(pi step/steps)). */
  readonly schedule: "constant" | "cosine";
  /** Steps between evaluations of the whole training and test set. */
  readonly evalEvery: number;
  /** Stop at the first evaluation whose training loss is not above this; null: use every step. */
  readonly stopTrainLoss: number | null;
}

/** How the learning coefficient of a trained cell is estimated. */
export interface EstimateConfig {
  /** "none": train only. */
  readonly sampler: "sgld" | "none";
  readonly chains: number;
  /** Recorded samples of each chain. */
  readonly draws: number;
  /** Steps before the first draw. */
  readonly burnIn: number;
  /** Steps from one draw to the next. */
  readonly thin: number;
  /** Rows of a minibatch; 0: all training rows. */
  readonly batch: number;
  /** t = n beta; 0: n / ln n. */
  readonly nBeta: number;
  /** Strength of the pull to w0: (gamma/2) |w - w0|^2. */
  readonly gamma: number;
  /** Step size epsilon; 0: 1 / (t s_max + gamma), less where minibatch noise asks for it. */
  readonly stepSize: number;
  /** Rows, at the most, of the kernel matrix that `quad`, the ceiling and the step size are computed from. */
  readonly kernelRows: number;
}

/** Everything that a cell's numbers depend on. Every default is filled in, scale is folded into the fields that it scales. */
export interface CellConfig {
  readonly data: Config;
  readonly architecture: Config;
  readonly optimizer: Config;
  readonly regulariser: Config;
  /** An unsigned 64-bit integer, decimal. */
  readonly seed: string;
  readonly train: TrainConfig;
  readonly estimate: EstimateConfig;
}

export interface Cell {
  readonly id: CellId;
  readonly config: CellConfig;
}

/** The text that a cell's id is the hash of: independent of the order of axes and of the file's formatting. */
export function canonicalCell(config: CellConfig): string {
  return canonicalJson({ occam: NUMERICS_VERSION, ...config } as unknown as Json);
}

export function cellOf(config: CellConfig): Cell {
  return { id: asCellId(sha256Hex(canonicalCell(config))), config };
}

/** The root of all chance of a cell. */
export function seedKey(seed: string): RandomKey {
  return rootKey(`cell/${seed}`);
}

export function taskOf(config: CellConfig): Task {
  return datasetOf(config.data).task(config.data);
}

/** Fields of an architecture that the weights it starts at alone depend on: each member of a program has its own. */
const INITIAL_FIELDS: readonly string[] = ["initScale", "rank"];

/**
 * What cells must share to run as one program: all that tensor shapes and the schedule depend on. Optimizers, regularisers,
 * seeds, where they start and the contents of the data may differ.
 */
export function fuseKeyOf(config: CellConfig): FuseKey {
  const { estimate } = config;
  const { start: _start, ...train } = config.train;
  const fields = Object.entries(config.architecture).filter(([field]) => !INITIAL_FIELDS.includes(field));
  const architecture = Object.fromEntries(fields);
  const parts = { architecture, task: taskOf(config), train, estimate, dtype: "float32" };
  return asFuseKey(sha256Hex(canonicalJson(parts as unknown as Json)).slice(0, 16));
}
