/** Whole numbers of the command line. */
import { OccamError } from "../core/errors.ts";

/** The value, or the default when it was not given; refuses fractions and what is below `least`. */
export function wholeNumber(flag: string, value: number | undefined, byDefault: number, least: number): number {
  if (value === undefined) return byDefault;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new OccamError("bad-usage", `it must be a whole number from ${least} up, not ${value}`, { where: flag });
}

/** Far beyond what anybody counts with, and safe in 32 bits. */
const PRIORITY_MAX = 1_000_000;

/** Undefined: it was not given. */
export function priorityOf(value: number | undefined): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && Math.abs(value) <= PRIORITY_MAX)) return value;
  throw new OccamError(
    "bad-usage",
    `it must be a whole number from -${PRIORITY_MAX} to ${PRIORITY_MAX}, not ${value}`,
    {
      where: "--priority",
    },
  );
}
