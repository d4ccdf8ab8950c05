/**
 * Weight decay, decoupled from the gradient (Loshchilov and Hutter, arXiv:1711.05101, eq. 1 in the usual convention, scaled
 * by the learning rate and its schedule): after the optimizer's update, w <- w - eta lambda w_before. With plain SGD it is
 * the same as `l2`. It acts on all parameters, biases included.
 */
import { z } from "zod";
import { strengthField } from "./fields.ts";
import type { Config, Regulariser } from "../entry.ts";

const schema = z.strictObject({
  strength: strengthField("lambda: each update also takes eta lambda w from every parameter."),
});

type WeightDecayConfig = Config & z.infer<typeof schema>;

export const weightDecay: Regulariser<WeightDecayConfig> = {
  kind: "weight-decay",
  summary: "each update shrinks all parameters by a factor (decoupled)",
  schema,
  strength: (config) => config.strength,
  decay: (tf, weight, strength, learningRate) => tf.mul(weight, tf.mul(learningRate, strength)),
};
