/** Fields that optimizers share, so that one name means one thing in a sweep file and has one range. */
import { z } from "zod";

export function learningRateField(usual: number): z.ZodDefault<z.ZodNumber> {
  return z.number().positive().default(usual).describe("Learning rate eta, before the schedule's factor.");
}

/** An exponential average's share of the past: in [0, 1). */
export function averageField(usual: number, description: string): z.ZodDefault<z.ZodNumber> {
  return z.number().min(0).lt(1).default(usual).describe(description);
}

export function epsilonField(): z.ZodDefault<z.ZodNumber> {
  return z.number().positive().default(1e-8).describe("Added to the root of the second moment.");
}

export function weightDecayField(usual: number): z.ZodDefault<z.ZodNumber> {
  return z
    .number()
    .nonnegative()
    .default(usual)
    .describe("Decoupled weight decay lambda: each update also takes eta lambda w from every weight.");
}
