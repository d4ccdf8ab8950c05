/** The settings that a calibration tries, from those of a cell. Pure. */
import {
  ESTIMATE_NAMES,
  estimateConfigOf,
  rmspropSgldSchema,
  sgldSchema,
  sgnhtSchema,
  tieredSchema,
} from "../spec/estimate-section.ts";
import { taskOf, type CellConfig, type EstimateConfig } from "../spec/cell.ts";
import { samplingOf } from "../spec/sampling.ts";
import type { Estimate } from "../result/cell-result.ts";

/** Factors on t, on gamma and on the budget. */
export const T_FACTORS: readonly number[] = [1 / 16, 1 / 4, 1, 4, 16];
/** About half a decade apart: a flat region of a decade has three of them. */
export const GAMMA_FACTORS: readonly number[] = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
export const BUDGET_FACTORS: readonly number[] = [1 / 4, 1 / 2, 1, 2, 4];

/** The least budget that a sweep file may ask for. */
const LEAST_BUDGET = 20;

export const ESTIMANDS = ["loss", "behavioural"] as const;
export type CalibratedEstimand = (typeof ESTIMANDS)[number];

/** Of a sampler of the literature, or none, those of our own sampler with the same estimand; without curves. */
export function baseSettings(cell: CellConfig, estimand: CalibratedEstimand | undefined): EstimateConfig {
  const { estimate } = cell;
  const { trainRows } = taskOf(cell);
  const own = tieredDefaults(trainRows);
  const tiered = estimate.sampler === "tiered" ? estimate : { ...own, ...estimandOf(estimate, own) };
  const written = tiered.estimand === "both" ? "loss" : tiered.estimand;
  return { ...tiered, estimand: estimand ?? written, curveNBeta: "", curveGamma: "" };
}

/** What a sweep file means that says nothing of its estimate. */
export function tieredDefaults(trainRows: number): EstimateConfig {
  return estimateConfigOf("tiered", byPath(tieredSchema.parse({})), trainRows);
}

type Parsed = Readonly<Record<string, string | number>>;

function byPath(parsed: Parsed): Parsed {
  const paths: Readonly<Record<string, string>> = ESTIMATE_NAMES;
  return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [paths[key] ?? key, value]));
}

/** What is estimated, whoever samples it; without an estimate, what `otherwise` has. */
function estimandOf(given: EstimateConfig, otherwise: EstimateConfig): Partial<EstimateConfig> {
  const from = given.sampler === "none" ? otherwise : given;
  const { estimand, distance, inputs, parameters, rows, nBeta, gamma, rho, kernelRows, chains } = from;
  return { estimand, distance, inputs, parameters, rows, nBeta, gamma, rho, kernelRows, chains };
}

/** @param at an estimate by these settings, which knows what `auto` came to */
export function withT(settings: EstimateConfig, factor: number, at: Estimate): EstimateConfig {
  return factor === 1 || at.nBeta === null ? settings : { ...settings, nBeta: rounded(at.nBeta * factor) };
}

/** A relative pull stays relative: gamma = d / (rho^2 |w0|^2). */
export function withGamma(settings: EstimateConfig, factor: number, at: Estimate): EstimateConfig {
  if (factor === 1 || at.gamma === null) return settings;
  if (settings.gamma === 0) return { ...settings, rho: rounded(settings.rho / Math.sqrt(factor)) };
  return { ...settings, gamma: rounded(at.gamma * factor) };
}

export function withBudget(settings: EstimateConfig, factor: number): EstimateConfig {
  return { ...settings, budget: Math.max(LEAST_BUDGET, Math.round(settings.budget * factor)) };
}

/** A sampler that is compared with the others. */
export interface Rival {
  readonly label: string;
  readonly config: EstimateConfig;
}

/** Which tier these settings take. */
export function tierOf(settings: EstimateConfig, rows: number, parameters: number): "A" | "B" {
  return samplingOf(settings, rows, parameters).kind === "adjusted" ? "A" : "B";
}

/** Both tiers where both are possible, those of the literature as published, and the cell's own where it is one of those. */
export function rivals(settings: EstimateConfig, cell: CellConfig, rows: number, parameters: number): readonly Rival[] {
  const { trainRows } = taskOf(cell);
  const own = tierOf(settings, rows, parameters);
  const possible = tierOf({ ...settings, tier: "auto" }, rows, parameters) === "A" ? (["A", "B"] as const) : [own];
  const { sampler } = cell.estimate;
  const isOurs = sampler === "tiered" || sampler === "none";
  return [
    // The present one as it is: it has been measured.
    ...possible.map((tier) => ({ label: `tier ${tier}`, config: tier === own ? settings : { ...settings, tier } })),
    ...PUBLISHED.map(([kind, schema]) => {
      const published = estimateConfigOf(kind, schema.parse({}), trainRows);
      return { label: kind, config: { ...published, ...estimandOf(settings, settings) } };
    }),
    ...(isOurs
      ? []
      : [{ label: `${sampler} as written`, config: { ...cell.estimate, ...estimandOf(settings, settings) } }]),
  ];
}

const PUBLISHED = [
  ["sgld", sgldSchema],
  ["rmsprop-sgld", rmspropSgldSchema],
  ["sgnht", sgnhtSchema],
] as const;

/** Six digits: what a person would copy into a file, and no other cell for the seventh. */
const rounded = (value: number): number => Number(value.toPrecision(6));
