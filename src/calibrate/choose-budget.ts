/**
 * The budget: the smallest at which the verdict is ok, the standard error is within the tolerance, and the largest trusted run
 * agrees. Where none does, what the errors say would do: SE falls as 1/sqrt(budget). Pure.
 */
import type { Choice } from "./choice.ts";
import { alike, isTrusted, relativeError, shortNumber, type Measurement } from "./measurement.ts";

/** Beyond so many times what was tried, an extrapolation is no advice. */
const MOST_FACTOR = 64;

export function chooseBudget(measurements: readonly Measurement[], tolerance: number): Choice {
  const ascending = measurements.toSorted((a, b) => a.factor - b.factor);
  const largest = ascending.findLast(isTrusted);
  const enough = ascending.find(
    (one) => isTrusted(one) && errorOf(one) <= tolerance && largest !== undefined && alike(one, largest),
  );
  if (enough !== undefined) {
    const { config, factor, estimate } = enough;
    const per = `SE ${percent(errorOf(enough))} of lambda-hat (tolerance ${percent(tolerance)}), ESS ${shortNumber(estimate.essMean)}`;
    return {
      factor,
      isSound: true,
      reason: `the smallest of those tried that converges: ${config.budget} gradients a chain, ${per}`,
    };
  }
  const last = ascending.at(-1)!;
  const error = errorOf(last);
  const wanted = Number.isFinite(error) ? last.factor * (error / tolerance) ** 2 : Number.NaN;
  const verdict = `the largest that was tried (${last.config.budget}) is ${last.estimate.verdict}, SE ${percent(error)}`;
  if (isTrusted(last) && wanted <= MOST_FACTOR) {
    // Whole steps of the factor, a little above what the error asks for.
    const factor = 2 ** Math.ceil(Math.log2(Math.max(wanted, 2 * last.factor)));
    return { factor, isSound: false, reason: `not tried: ${verdict}, and SE falls as 1/sqrt(budget)` };
  }
  return {
    factor: last.factor,
    isSound: false,
    reason: `${verdict}: a larger budget, a larger gamma, or a larger tolerance`,
  };
}

const errorOf = (measured: Measurement): number => relativeError(measured) ?? Number.POSITIVE_INFINITY;

const percent = (share: number): string => (Number.isFinite(share) ? `${shortNumber(100 * share)} %` : "unknown");
