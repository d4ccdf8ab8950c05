/**
 * Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1): w <- w - eta m^ / (sqrt v^ + epsilon), with the bias-corrected moments
 * of `adam-moments.ts`.
 */
import { z } from "zod";
import { ADAM_SLOTS, adamMoments } from "./adam-moments.ts";
import { averageField, epsilonField, learningRateField } from "./fields.ts";
import type { Config, Optimizer } from "../entry.ts";

const schema = z.strictObject({
  learningRate: learningRateField(0.001),
  beta1: averageField(0.9, "Share of the past in the average of gradients."),
  beta2: averageField(0.999, "Share of the past in the average of squared gradients."),
  epsilon: epsilonField(),
});

type AdamConfig = Config & z.infer<typeof schema>;

export const adam: Optimizer<AdamConfig> = {
  kind: "adam",
  summary: "Adam: bias-corrected averages of the gradient and of its square",
  schema,
  slots: ADAM_SLOTS,
  hyperparameters: ({ learningRate, beta1, beta2, epsilon }) => ({ learningRate, beta1, beta2, epsilon }),
  update(tf, step) {
    const { direction, slots } = adamMoments(tf, step);
    return { weight: tf.sub(step.weight, tf.mul(direction, step.h["learningRate"]!)), slots };
  },
};
