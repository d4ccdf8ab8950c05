/**
 * Stochastic gradient descent: w <- w - eta g (Robbins and Monro, "A Stochastic Approximation Method", 1951).
 */
import { z } from "zod";
import { learningRateField } from "./fields.ts";
import type { Config, Optimizer } from "../entry.ts";

const schema = z.strictObject({ learningRate: learningRateField(0.1) });

type SgdConfig = Config & z.infer<typeof schema>;

export const sgd: Optimizer<SgdConfig> = {
  kind: "sgd",
  summary: "stochastic gradient descent, without momentum",
  schema,
  slots: [],
  hyperparameters: ({ learningRate }) => ({ learningRate }),
  update: (tf, { weight, gradient, h }) => ({
    weight: tf.sub(weight, tf.mul(gradient, h["learningRate"]!)),
    slots: [],
  }),
};
