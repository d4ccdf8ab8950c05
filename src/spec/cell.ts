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

/** How the learning coefficient of a trained cell is estimated. 0 and "" where the sampler has no such field. */
export interface EstimateConfig {
  /** "none": train only. "tiered": ours; the others are those of the literature. */
  readonly sampler: "none" | "tiered" | "sgld" | "rmsprop-sgld" | "sgnht";
  readonly tier: "auto" | "A" | "B" | "";
  readonly estimand: "loss" | "behavioural" | "both" | "";
  readonly distance: "auto" | "mse" | "kl" | "";
  /** Of the behavioural distance. */
  readonly inputs: "train" | "all" | "";
  /** "all", or what the names of the free parameters begin with. */
  readonly parameters: string;
  /** "all", or "class:3". */
  readonly rows: string;
  readonly chains: number;
  /** Gradients of each chain, at the most. */
  readonly budget: number;
  /** Mean leapfrog steps of a proposal. */
  readonly trajectory: number;
  /** Relative standard error to reach. */
  readonly tolerance: number;
  /** Rows of the fixed subset; 0: all up to a limit. */
  readonly subset: number;
  /** Recorded samples of each chain. */
  readonly draws: number;
  /** Steps before the first draw. */
  readonly burnIn: number;
  /** Steps from one draw to the next. */
  readonly thin: number;
  /** Rows of a minibatch; 0: all rows. */
  readonly batch: number;
  /** t = n beta; 0: n / ln n. */
  readonly nBeta: number;
  /** Strength of the pull to w0: (gamma/2) |w - w0|^2; 0: d / (rho^2 |w0|^2). */
  readonly gamma: number;
  readonly rho: number;
  /** Step size epsilon; 0: learned, or from curvature and noise. */
  readonly stepSize: number;
  /** Rows, at the most, of the kernel matrix that `quad` and the ceiling are computed from. */
  readonly kernelRows: number;
  readonly refine: "auto" | "never" | "";
  /** Factors on t and on gamma of further estimates, as the texts of lists. */
  readonly curveNBeta: string;
  readonly curveGamma: string;
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
