/**
 * How an estimate is sampled, from its configuration and the shapes of a cell alone: which tier, on which rows, for how many
 * gradients. What a plan states and what a worker does come from here.
 */
import { numbersOf } from "../catalogue/number-list.ts";
import type { EstimateConfig } from "./cell.ts";

/** Tier A takes fixed rows up to this many, and networks up to this size: an exact gradient is then a small price for no bias. */
const MOST_FIXED_ROWS = 4096;
const MOST_ADJUSTED_PARAMETERS = 1_000_000;
/** Share of tier B's budget before the first draw. */
const WARM_UP_SHARE = 0.4;
/** Gradients of a whole step beside two half steps. */
const GRADIENTS_OF_A_PAIR = 3;

export type SamplingKind = "adjusted" | "corrected" | "classical";

export interface Sampling {
  /** adjusted: tier A; corrected: tier B; classical: a sampler of the literature. */
  readonly kind: SamplingKind;
  /** Rows of a gradient. */
  readonly rows: number;
  /** Steps before the first draw, draws, and steps from one to the next; of an adjusted sampler none are fixed beforehand. */
  readonly warmUp: number;
  readonly draws: number;
  readonly thin: number;
  /** Gradients of each chain, at the most. */
  readonly gradients: number;
  /** Posteriors of one cell and one loss surface: the estimate, and those of its curves. */
  readonly posteriors: number;
  /** Loss surfaces of one cell. */
  readonly surfaces: number;
}

/** @param rows of data that the loss is over */
export function samplingOf(estimate: EstimateConfig, rows: number, parameters: number): Sampling {
  const posteriors = curveOf(estimate).length;
  const surfaces = estimate.estimand === "both" ? 2 : 1;
  const kind = kindOf(estimate, rows, parameters);
  const common = { kind, posteriors, surfaces };
  if (kind === "adjusted") {
    const most = estimate.subset === 0 ? MOST_FIXED_ROWS : estimate.subset;
    return { ...common, rows: Math.min(rows, most), warmUp: 0, draws: 0, thin: 1, gradients: estimate.budget };
  }
  const batch = estimate.batch === 0 ? rows : Math.min(estimate.batch, rows);
  if (kind === "corrected") {
    const warmUp = Math.round(WARM_UP_SHARE * estimate.budget);
    const draws = Math.max(4, Math.floor((estimate.budget - warmUp) / GRADIENTS_OF_A_PAIR));
    return { ...common, rows: batch, warmUp, draws, thin: 1, gradients: estimate.budget };
  }
  const { burnIn, draws, thin } = estimate;
  return { ...common, rows: batch, warmUp: burnIn, draws, thin, gradients: burnIn + draws * thin };
}

function kindOf({ sampler, tier }: EstimateConfig, rows: number, parameters: number): SamplingKind {
  if (sampler !== "tiered") return "classical";
  if (tier !== "auto") return tier === "A" ? "adjusted" : "corrected";
  return rows <= MOST_FIXED_ROWS && parameters <= MOST_ADJUSTED_PARAMETERS ? "adjusted" : "corrected";
}

/** One point of a curve: factors on t and on gamma. */
export interface CurvePoint {
  readonly t: number;
  readonly gamma: number;
}

/** The estimate itself first, then the further points of both curves. */
export function curveOf({ curveNBeta, curveGamma }: EstimateConfig): readonly CurvePoint[] {
  const factors = (text: string): readonly number[] => (text === "" ? [] : numbersOf(text).filter((f) => f !== 1));
  return [
    { t: 1, gamma: 1 },
    ...factors(curveNBeta).map((t) => ({ t, gamma: 1 })),
    ...factors(curveGamma).map((gamma) => ({ t: 1, gamma })),
  ];
}
