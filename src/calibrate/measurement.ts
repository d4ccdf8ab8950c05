/** One estimate of a calibration: with which settings, what came of it, and what it cost. Pure. */
import type { Estimate } from "../result/cell-result.ts";
import type { EstimateConfig } from "../spec/cell.ts";

/** What a worker says of one estimate. */
export interface Measured {
  readonly estimate: Estimate;
  readonly seconds: number;
  /** Rows of data that the loss is over. */
  readonly rows: number;
}

export const STAGES = ["t", "gamma", "budget", "sampler"] as const;
export type Stage = (typeof STAGES)[number];

export interface Measurement extends Measured {
  readonly stage: Stage;
  /** On the value that its stage varies; of a sampler its place in the list. */
  readonly factor: number;
  /** "t x 4", "tier B". */
  readonly label: string;
  readonly config: EstimateConfig;
}

/** Work in passes over all rows: gradients x rows of each / rows of data. */
export function fullGradients({ estimate, rows }: Measured): number {
  return (estimate.gradients * estimate.batch) / rows;
}

/**
 * SE^2 x full-gradient equivalents: a sampler's price of precision. SE^2 falls as 1/work, so but for the warm-up it does not
 * depend on how long a sampler ran. null where there is no SE.
 */
export function costOf(measured: Measured): number | null {
  const { lambdaSe } = measured.estimate;
  return lambdaSe === null ? null : lambdaSe ** 2 * fullGradients(measured);
}

/** SE / lambda-hat; null where either is missing. */
export function relativeError({ estimate: { lambdaHat, lambdaSe } }: Measured): number | null {
  return lambdaHat === null || lambdaSe === null || lambdaHat === 0 ? null : lambdaSe / Math.abs(lambdaHat);
}

/** Two estimates are alike when they differ by less than 2 standard errors of the difference, or by less than 5 %. */
const STANDARD_ERRORS = 2;
const SHARE = 0.05;

export function alike(a: Measured, b: Measured): boolean {
  const [x, y] = [a.estimate.lambdaHat, b.estimate.lambdaHat];
  if (x === null || y === null) return false;
  const error = Math.hypot(a.estimate.lambdaSe ?? 0, b.estimate.lambdaSe ?? 0);
  return Math.abs(x - y) <= Math.max(STANDARD_ERRORS * error, (SHARE * Math.abs(x + y)) / 2);
}

export const isTrusted = ({ estimate }: Measured): boolean => estimate.verdict === "ok";

/** A number in a reason. */
export const shortNumber = (value: number | null): string =>
  value === null ? "none" : String(Number(value.toPrecision(3)));
