/**
 * L1, coupled: the penalty lambda |w|_1 is part of the loss, so its subgradient lambda sign(w), with sign(0) = 0, is part of
 * the gradient (Tibshirani, "Regression Shrinkage and Selection via the Lasso", 1996). Weights come near 0 but, without a
 * proximal step, do not stay at it. It acts on all parameters, biases included.
 */
import { z } from "zod";
import { strengthField } from "./fields.ts";
import type { Config, Regulariser } from "../entry.ts";

const schema = z.strictObject({ strength: strengthField("lambda of the penalty lambda |w|_1, added to the loss.") });

type L1Config = Config & z.infer<typeof schema>;

export const l1: Regulariser<L1Config> = {
  kind: "l1",
  summary: "sum of absolute values of all parameters in the loss (coupled)",
  schema,
  strength: (config) => config.strength,
  gradient: (tf, weight, strength) => tf.mul(tf.sign(weight), strength),
};
