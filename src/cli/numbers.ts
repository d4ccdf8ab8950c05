/** Whole numbers of the command line. */
import { OccamError } from "../core/errors.ts";

/** The value, or the default when it was not given; refuses fractions and what is below `least`. */
export function wholeNumber(flag: string, value: number | undefined, byDefault: number, least: number): number {
  if (value === undefined) return byDefault;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new OccamError("bad-usage", `it must be a whole number from ${least} up, not ${value}`, { where: flag });
}
