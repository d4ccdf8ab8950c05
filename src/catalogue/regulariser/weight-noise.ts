/**
 * Weight noise: in training the gradient is taken at w + sigma n, n ~ N(0, 1) drawn anew at each step (Graves, "Practical
 * Variational Inference for Neural Networks", NIPS 2011, section 3.2 with a fixed variance). The weights that are updated
 * and evaluated are w. It acts on all parameters, biases included.
 */
import { z } from "zod";
import { strengthField } from "./fields.ts";
import type { Config, Regulariser } from "../entry.ts";

const schema = z.strictObject({
  strength: strengthField("sigma: standard deviation of the Gaussian noise on every parameter."),
});

type WeightNoiseConfig = Config & z.infer<typeof schema>;

export const weightNoise: Regulariser<WeightNoiseConfig> = {
  kind: "weight-noise",
  summary: "Gaussian noise on all parameters while the gradient is taken",
  schema,
  strength: (config) => config.strength,
  perturb: (tf, weight, strength, normal) => tf.add(weight, tf.mul(normal, strength)),
};
