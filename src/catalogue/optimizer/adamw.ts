/**
 * AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101, algorithm 2), in the usual convention
 * where the decay is scaled by the learning rate and its schedule:
 *   w <- w - eta (m^ / (sqrt v^ + epsilon) + lambda w)
 * with the bias-corrected moments of `adam-moments.ts`. It acts on all parameters, biases included.
 */
import { z } from "zod";
import { ADAM_SLOTS, adamMoments } from "./adam-moments.ts";
import { averageField, epsilonField, learningRateField, weightDecayField } from "./fields.ts";
import type { Config, Optimizer } from "../entry.ts";

const schema = z.strictObject({
  learningRate: learningRateField(0.001),
  beta1: averageField(0.9, "Share of the past in the average of gradients."),
  beta2: averageField(0.999, "Share of the past in the average of squared gradients."),
  epsilon: epsilonField(),
  weightDecay: weightDecayField(0.01),
});

type AdamWConfig = Config & z.infer<typeof schema>;

export const adamw: Optimizer<AdamWConfig> = {
  kind: "adamw",
  summary: "Adam with decoupled weight decay",
  schema,
  slots: ADAM_SLOTS,
  hyperparameters: ({ learningRate, beta1, beta2, epsilon, weightDecay }) => ({
    learningRate,
    beta1,
    beta2,
    epsilon,
    weightDecay,
  }),
  update(tf, step) {
    const { direction, slots } = adamMoments(tf, step);
    const { weight, h } = step;
    const change = tf.add(direction, tf.mul(weight, h["weightDecay"]!));
    return { weight: tf.sub(weight, tf.mul(change, h["learningRate"]!)), slots };
  },
};
