/** Cells small enough for tests, built through the catalogue's own schemas so that every default is filled in. */
import {
  ESTIMATE_NAMES,
  estimateConfigOf,
  NO_ESTIMATE,
  sgldSchema,
  tieredSchema,
} from "../../src/spec/estimate-section.ts";
import type { Config } from "../../src/catalogue/entry.ts";
import { ARCHITECTURES, DATASETS, OPTIMIZERS, REGULARISERS } from "../../src/catalogue/registry.ts";
import { cellOf, type Cell, type EstimateConfig, type TrainConfig } from "../../src/spec/cell.ts";

/** A configuration as a sweep file would have it: `kind`, and fields that differ from their defaults. */
export interface Given {
  readonly kind: string;
  readonly [field: string]: string | number | boolean;
}

export interface CellGiven {
  readonly data?: Given;
  readonly architecture?: Given;
  readonly optimizer?: Given;
  readonly regulariser?: Given;
  readonly seed?: number;
  readonly train?: Partial<TrainConfig>;
  readonly estimate?: Partial<EstimateConfig>;
}

const TRAIN: TrainConfig = { steps: 20, batch: 16, schedule: "constant", evalEvery: 10, stopTrainLoss: null };

/** The defaults of a sweep file on few rows: our sampler, on all of them. */
export const ESTIMATE: EstimateConfig = defaultsOf("tiered", tieredSchema.parse({}));
/** Those of classic SGLD. */
export const SGLD_ESTIMATE: EstimateConfig = defaultsOf("sgld", sgldSchema.parse({}));

/** A cell; what is left out is a small tanh network on moons, trained by SGD, without an estimate. */
export function tinyCell(given: CellGiven = {}): Cell {
  return cellOf({
    data: parsed(DATASETS, given.data ?? { kind: "moons", train: 64, test: 32 }),
    architecture: parsed(ARCHITECTURES, given.architecture ?? { kind: "mlp", activation: "tanh", depth: 1, width: 8 }),
    optimizer: parsed(OPTIMIZERS, given.optimizer ?? { kind: "sgd" }),
    regulariser: parsed(REGULARISERS, given.regulariser ?? { kind: "none" }),
    seed: String(given.seed ?? 1),
    train: { ...TRAIN, ...given.train },
    estimate: { ...NO_ESTIMATE, ...given.estimate },
  });
}

/** Of a schema's keys, by the paths of a file. */
function defaultsOf(kind: string, parsed: Readonly<Record<string, string | number>>): EstimateConfig {
  const paths: Readonly<Record<string, string>> = ESTIMATE_NAMES;
  const values = Object.entries(parsed).map(([key, value]) => [paths[key] ?? key, value] as const);
  return estimateConfigOf(kind, Object.fromEntries(values), 0);
}

interface Entry {
  readonly kind: string;
  readonly schema: { parse(value: unknown): unknown };
}

function parsed(entries: readonly Entry[], { kind, ...fields }: Given): Config {
  const entry = entries.find((candidate) => candidate.kind === kind);
  if (entry === undefined) throw new Error(`no entry of kind ${kind}`);
  return { kind, ...(entry.schema.parse(fields) as Record<string, string | number | boolean>) };
}
