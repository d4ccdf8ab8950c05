/**
 * The tier: that which `auto` takes, unless the other is trusted and clearly cheaper by SE^2 x full-gradient equivalents. Samplers
 * of the literature are shown beside them and never chosen: their step is not adapted and their bias not controlled. Pure.
 */
import type { Choice } from "./choice.ts";
import { costOf, isTrusted, shortNumber, type Measurement } from "./measurement.ts";

/** A standard error of some chains is itself known to tens of per cent: a smaller difference of costs is chance. */
const CLEARLY = 2;

export interface SamplerChoice extends Choice {
  readonly tier: "auto" | "A" | "B";
}

/**
 * @param present the tier that these settings take
 * @param written how they say so
 */
export function chooseSampler(
  measurements: readonly Measurement[],
  present: "A" | "B",
  written: SamplerChoice["tier"],
): SamplerChoice {
  const rival = present === "A" ? "B" : "A";
  const tried = (tier: "A" | "B"): Measurement | undefined =>
    measurements.find(({ label }) => label === `tier ${tier}`);
  const [ours, theirs] = [trustedCost(tried(present)), trustedCost(tried(rival))];
  const costs = measurements
    .map((one) => `${one.label} ${shortNumber(costOf(one))} (${one.estimate.verdict})`)
    .join(", ");
  const told = `SE^2 x full gradients: ${costs}`;
  if (theirs * CLEARLY < ours) {
    return { factor: tried(rival)!.factor, tier: rival, isSound: true, reason: `tier ${rival} is cheaper. ${told}` };
  }
  const isSound = Number.isFinite(ours);
  const why = isSound ? `tier ${present} is what it takes` : "no tier is ok with these settings";
  return { factor: tried(present)?.factor ?? 0, tier: written, isSound, reason: `${why}. ${told}` };
}

/** Infinite for what is not to be trusted. */
function trustedCost(measurement: Measurement | undefined): number {
  if (measurement === undefined || !isTrusted(measurement)) return Number.POSITIVE_INFINITY;
  return costOf(measurement) ?? Number.POSITIVE_INFINITY;
}
