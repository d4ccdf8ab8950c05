/**
 * The inverse temperature: that nearest to the present one at which x = t (L - L0) is spread as theory has it. Near a minimum x is
 * Gamma(lambda, 1) under the posterior, so var(x)/mean(x) = 1; a posterior too hot for its well, or one that the pull holds, has
 * another. Pure.
 */
import type { Choice } from "./choice.ts";
import { isTrusted, shortNumber, type Measurement } from "./measurement.ts";

/** As verdicts judge it (`estimator.md`), but for what the pull explains. */
const LEAST = 0.8;
const MOST = 1.25;
const STANDARD_ERRORS = 2;

/** Of so many draws of Gamma(lambda, 1), var/mean has the relative standard error sqrt((2 + 6/lambda)/ESS): two are granted. */
function isRight({ estimate: { varOverMean, lambdaHat, essBulk } }: Measurement): boolean {
  if (varOverMean === null || lambdaHat === null || essBulk === null) return false;
  const chance = STANDARD_ERRORS * Math.sqrt((2 + 6 / lambdaHat) / essBulk);
  return varOverMean >= Math.min(LEAST, 1 - chance) && varOverMean <= Math.max(MOST, 1 + chance);
}

/** Of two that are as near the colder one, whose estimate is nearer to its limit. */
function nearest(measurements: readonly Measurement[]): Measurement | undefined {
  const distance = ({ factor }: Measurement): number => Math.abs(Math.log(factor));
  return measurements.toSorted((a, b) => distance(a) - distance(b) || b.factor - a.factor)[0];
}

export function chooseT(measurements: readonly Measurement[]): Choice {
  const trusted = measurements.filter(isTrusted);
  const right = nearest(trusted.filter(isRight));
  const present = measurements.find(({ factor }) => factor === 1);
  if (right !== undefined) {
    const { factor, estimate } = right;
    const there = `var/mean is ${shortNumber(estimate.varOverMean)} at t = ${shortNumber(estimate.nBeta)} (right: ${LEAST} to ${MOST}, or within chance)`;
    const before =
      present === undefined || factor === 1
        ? ""
        : `; at the present t it is ${shortNumber(present.estimate.varOverMean)} (${present.estimate.verdict})`;
    return { factor, isSound: true, reason: there + before };
  }
  const kept = nearest(trusted);
  if (kept !== undefined) {
    const { factor, estimate } = kept;
    const reason = `nowhere is var/mean within ${LEAST} to ${MOST} or chance; at t = ${shortNumber(estimate.nBeta)} the verdict is ok with ${shortNumber(estimate.varOverMean)}: directions that the pull holds lower it`;
    return { factor, isSound: true, reason };
  }
  const verdicts = measurements
    .map(({ factor, estimate }) => `x ${shortNumber(factor)} ${estimate.verdict}`)
    .join(", ");
  return { factor: 1, isSound: false, reason: `no t has an estimate whose verdict is ok (${verdicts}); kept` };
}
