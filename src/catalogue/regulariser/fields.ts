/** The one field of every regulariser: `strength`, so that one axis of a sweep spans them all. 0 is the identity. */
import { z } from "zod";

/** The strength of a penalty or of noise. */
export function strengthField(description: string): z.ZodNumber {
  return z.number().nonnegative().describe(description);
}

/** A strength that is a probability. */
export function rateField(description: string): z.ZodNumber {
  return z.number().min(0).lt(1).describe(description);
}
