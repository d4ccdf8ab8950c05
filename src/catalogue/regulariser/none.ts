/** No regulariser: no hook, strength 0. */
import { z } from "zod";
import type { Regulariser } from "../entry.ts";

export const none: Regulariser = {
  kind: "none",
  summary: "no regulariser",
  schema: z.strictObject({}),
  strength: () => 0,
};
