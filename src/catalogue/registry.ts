/** The catalogue: one line for each entry. */
import { booleanFunctions } from "./data/boolean.ts";
import { digits } from "./data/digits.ts";
import { modularAddition } from "./data/modular-addition.ts";
import { moons } from "./data/moons.ts";
import { realizable } from "./data/realizable.ts";
import { regression1d } from "./data/regression-1d.ts";
import { spirals } from "./data/spirals.ts";
import { teacherStudent } from "./data/teacher-student.ts";
import { text } from "./data/text.ts";
import type { Architecture, Config, Dataset, Optimizer, Regulariser } from "./entry.ts";
import { cnn } from "./architecture/cnn.ts";
import { deepLinear } from "./architecture/deep-linear.ts";
import { mlp } from "./architecture/mlp.ts";
import { normalCrossing } from "./architecture/normal-crossing.ts";
import { polynomial } from "./architecture/polynomial.ts";
import { reducedRank } from "./architecture/reduced-rank.ts";
import { transformer } from "./architecture/transformer.ts";
import { adam } from "./optimizer/adam.ts";
import { adamw } from "./optimizer/adamw.ts";
import { lion } from "./optimizer/lion.ts";
import { momentum } from "./optimizer/momentum.ts";
import { nesterov } from "./optimizer/nesterov.ts";
import { rmsprop } from "./optimizer/rmsprop.ts";
import { sgd } from "./optimizer/sgd.ts";
import { dropout } from "./regulariser/dropout.ts";
import { l1 } from "./regulariser/l1.ts";
import { l2 } from "./regulariser/l2.ts";
import { labelSmoothing } from "./regulariser/label-smoothing.ts";
import { none } from "./regulariser/none.ts";
import { weightDecay } from "./regulariser/weight-decay.ts";
import { weightNoise } from "./regulariser/weight-noise.ts";
import { rootKey, type RandomKey } from "../core/random.ts";

export const ARCHITECTURES: readonly Architecture[] = [
  mlp,
  deepLinear,
  reducedRank,
  normalCrossing,
  polynomial,
  cnn,
  transformer,
];

export const OPTIMIZERS: readonly Optimizer[] = [sgd, momentum, nesterov, rmsprop, adam, adamw, lion];

export const REGULARISERS: readonly Regulariser[] = [none, l2, weightDecay, l1, dropout, weightNoise, labelSmoothing];

export const DATASETS: readonly Dataset[] = [
  booleanFunctions,
  modularAddition,
  teacherStudent,
  realizable,
  regression1d,
  moons,
  spirals,
  digits,
  text,
];

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
