/**
 * The pull: within the flat region of gamma, the widest range over which no two estimates differ by more than 2 standard errors
 * of their difference, or 5 %. There the number belongs to the landscape and not to the pull. Pure.
 */
import type { Choice } from "./choice.ts";
import { alike, isTrusted, shortNumber, type Measurement } from "./measurement.ts";

/** Neighbours on the axis of gamma, ascending, all trusted and alike; empty where not even two are. */
export function flatRegion(measurements: readonly Measurement[]): readonly Measurement[] {
  const ascending = measurements.toSorted((a, b) => a.factor - b.factor);
  let widest: readonly Measurement[] = [];
  for (let from = 0; from < ascending.length; from += 1) {
    for (let to = from + 2; to <= ascending.length; to += 1) {
      const range = ascending.slice(from, to);
      if (!isFlat(range)) break;
      if (isBetter(range, widest)) widest = range;
    }
  }
  return widest;
}

function isFlat(range: readonly Measurement[]): boolean {
  return range.every((one, i) => isTrusted(one) && range.slice(0, i).every((other) => alike(one, other)));
}

const widthOf = (range: readonly Measurement[]): number =>
  range.length === 0 ? 0 : Math.log(range.at(-1)!.factor / range[0]!.factor);

/** Wider; of two as wide, the one whose middle is nearer to the present gamma. */
function isBetter(range: readonly Measurement[], than: readonly Measurement[]): boolean {
  const wider = widthOf(range) - widthOf(than);
  if (Math.abs(wider) > 1e-9) return wider > 0;
  const offCentre = (one: readonly Measurement[]): number => Math.abs(Math.log(one[0]!.factor * one.at(-1)!.factor));
  return offCentre(range) < offCentre(than);
}

export function chooseGamma(measurements: readonly Measurement[]): Choice {
  const region = flatRegion(measurements);
  if (region.length === 0) return withoutRegion(measurements);
  // Not at an edge, where there is anything between.
  const inner = region.length > 2 ? region.slice(1, -1) : region;
  const distance = ({ factor }: Measurement): number => Math.abs(Math.log(factor));
  const { factor } = inner.toSorted((a, b) => distance(a) - distance(b))[0]!;
  const [first, last] = [region[0]!.estimate, region.at(-1)!.estimate];
  const reason =
    `lambda-hat is flat from gamma = ${shortNumber(first.gamma)} (${shortNumber(first.lambdaHat)}) ` +
    `to ${shortNumber(last.gamma)} (${shortNumber(last.lambdaHat)}): within 2 SE or 5 %`;
  return { factor, isSound: true, reason };
}

function withoutRegion(measurements: readonly Measurement[]): Choice {
  const trusted = measurements.filter(isTrusted);
  if (trusted.length === 0)
    return { factor: 1, isSound: false, reason: "no gamma has an estimate whose verdict is ok; kept" };
  const { factor, estimate } = trusted.toSorted(
    (a, b) => Math.abs(Math.log(a.factor)) - Math.abs(Math.log(b.factor)),
  )[0]!;
  const slope =
    estimate.gammaSlope === null
      ? ""
      : ` (by its draws lambda-hat falls as gamma^-${shortNumber(estimate.gammaSlope)} there)`;
  const reason = `no two neighbouring gammas agree within 2 SE or 5 %${slope}: lambda-hat is a number only together with its gamma`;
  return { factor, isSound: false, reason };
}
