/**
 * L2, coupled: the penalty (lambda / 2) |w|^2 is part of the loss, so lambda w is part of the gradient and goes through the
 * optimizer's averages and scaling (Krogh and Hertz, "A Simple Weight Decay Can Improve Generalization", NIPS 1991, eq. 1).
 * It acts on all parameters, biases included.
 */
import { z } from "zod";
import { strengthField } from "./fields.ts";
import type { Config, Regulariser } from "../entry.ts";

const schema = z.strictObject({
  strength: strengthField("lambda of the penalty (lambda / 2) |w|^2, added to the loss."),
});

type L2Config = Config & z.infer<typeof schema>;

export const l2: Regulariser<L2Config> = {
  kind: "l2",
  summary: "squared norm of all parameters in the loss (coupled)",
  schema,
  strength: (config) => config.strength,
  gradient: (tf, weight, strength) => tf.mul(weight, strength),
};
