/**
 * A calibration of one trained cell: which t, gamma, budget and tier its estimate should have. One stage after the other, each with
 * what the stages before it settled on, so that what is recommended in the end has itself been tried. It knows nothing of
 * backends: `measure` makes an estimate by some settings.
 */
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { chooseBudget } from "./choose-budget.ts";
import { chooseGamma } from "./choose-gamma.ts";
import { chooseSampler } from "./choose-sampler.ts";
import { chooseT } from "./choose-t.ts";
import type { Choice } from "./choice.ts";
import { shortNumber, type Measured, type Measurement, type Stage } from "./measurement.ts";
import {
  baseSettings,
  BUDGET_FACTORS,
  GAMMA_FACTORS,
  rivals,
  T_FACTORS,
  tierOf,
  withBudget,
  withGamma,
  withT,
  type CalibratedEstimand,
} from "./settings.ts";
import type { CellConfig, EstimateConfig } from "../spec/cell.ts";

export interface Calibration {
  /** In the order that they were made; one that belongs to two stages stands in both. */
  readonly measurements: readonly Measurement[];
  readonly choices: Readonly<Record<Stage, Choice>>;
  /** What it comes to: a whole configuration, without curves. */
  readonly recommended: EstimateConfig;
}

export interface CalibrationPorts {
  measure(config: EstimateConfig): Promise<Measured>;
  /** Before a measurement. @param index from 1 */
  begin(label: string, index: number, of: number): void;
  ended(measurement: Measurement): Promise<void>;
}

/** Estimates of a calibration, about: what one finds out decides how many samplers can be compared. */
const COUNT = T_FACTORS.length + GAMMA_FACTORS.length + BUDGET_FACTORS.length - 2;

export async function calibrate(
  cell: CellConfig,
  parameters: number,
  estimand: CalibratedEstimand | undefined,
  ports: CalibrationPorts,
): Promise<Calibration> {
  const work = new Calibrator(ports);
  const base = baseSettings(cell, estimand);
  const { estimate, rows } = await work.measure("t", 1, labelOf("t", 1), amply(base));
  const byT = await work.stage("t", T_FACTORS, (factor) => amply(withT(base, factor, estimate)));
  const t = chooseT(byT);
  const settled = withT(base, t.factor, estimate);
  const byGamma = await work.stage("gamma", GAMMA_FACTORS, (factor) => amply(withGamma(settled, factor, estimate)));
  const gamma = chooseGamma(byGamma);
  const pulled = withGamma(settled, gamma.factor, estimate);
  const byBudget = await work.stage("budget", BUDGET_FACTORS, (factor) => withBudget(pulled, factor));
  const budget = chooseBudget(byBudget, pulled.tolerance);
  const enough = withBudget(pulled, budget.factor);
  // A price of precision does not depend on the budget: what was not tried for its length is not tried here either.
  const tried = withBudget(pulled, Math.min(budget.factor, BUDGET_FACTORS.at(-1)!));
  const list = rivals(tried, cell, rows, parameters);
  work.total = COUNT + list.length - 1;
  const bySampler: Measurement[] = [];
  for (const [at, { label, config }] of list.entries())
    bySampler.push(await work.measure("sampler", at, label, config));
  const sampler = chooseSampler(bySampler, tierOf(tried, rows, parameters), tierText(tried));
  return {
    measurements: work.measurements,
    choices: { t, gamma, budget, sampler },
    recommended: { ...enough, tier: sampler.tier },
  };
}

/** With the largest budget that is tried: t and gamma are not to be judged by chains that are too short. */
const amply = (settings: EstimateConfig): EstimateConfig => withBudget(settings, BUDGET_FACTORS.at(-1)!);

const labelOf = (stage: Stage, factor: number): string => `${stage} x ${shortNumber(factor)}`;

const tierText = ({ tier }: EstimateConfig): "auto" | "A" | "B" => (tier === "" ? "auto" : tier);

/** Makes each estimate once, however many stages it stands in. */
class Calibrator {
  readonly measurements: Measurement[] = [];
  total = COUNT;
  readonly #ports: CalibrationPorts;
  readonly #known = new Map<string, Measured>();

  constructor(ports: CalibrationPorts) {
    this.#ports = ports;
  }

  async stage(
    stage: Stage,
    factors: readonly number[],
    settings: (factor: number) => EstimateConfig,
  ): Promise<readonly Measurement[]> {
    const made: Measurement[] = [];
    for (const factor of factors) {
      const known = this.measurements.find((one) => one.stage === stage && one.factor === factor);
      made.push(known ?? (await this.measure(stage, factor, labelOf(stage, factor), settings(factor))));
    }
    return made;
  }

  async measure(stage: Stage, factor: number, label: string, config: EstimateConfig): Promise<Measurement> {
    const key = canonicalJson(config as unknown as Json);
    const known = this.#known.get(key);
    if (known === undefined) this.#ports.begin(label, this.#known.size + 1, this.total);
    const measured = known ?? (await this.#ports.measure(config));
    this.#known.set(key, measured);
    const measurement = { ...measured, stage, factor, label, config };
    this.measurements.push(measurement);
    if (known === undefined) await this.#ports.ended(measurement);
    return measurement;
  }
}
