/** The catalogue: one line for each entry. */
import type { Architecture, Config, Dataset, Optimizer, Regulariser } from "./entry.ts";
import { rootKey, type RandomKey } from "../core/random.ts";

export const ARCHITECTURES: readonly Architecture[] = [];

export const OPTIMIZERS: readonly Optimizer[] = [];

export const REGULARISERS: readonly Regulariser[] = [];

export const DATASETS: readonly Dataset[] = [];

function find<E extends { readonly kind: string }>(entries: readonly E[], noun: string, kind: string): E {
  const entry = entries.find((candidate) => candidate.kind === kind);
  if (entry === undefined) throw new Error(`no ${noun} of kind "${kind}"`);
  return entry;
}

/** Lookups of a validated configuration; an unknown kind is a broken invariant here, for specs are checked at the edge. */
export const architectureOf = (config: Config): Architecture => find(ARCHITECTURES, "architecture", config.kind);
export const optimizerOf = (config: Config): Optimizer => find(OPTIMIZERS, "optimizer", config.kind);
export const regulariserOf = (config: Config): Regulariser => find(REGULARISERS, "regulariser", config.kind);
export const datasetOf = (config: Config): Dataset => find(DATASETS, "dataset", config.kind);

/** The key that a dataset is drawn from: its kind and its `seed` field. */
export function dataKey(config: Config): RandomKey {
  return rootKey(`data/${config.kind}/${String(config["seed"] ?? 0)}`);
}
