/**
 * Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, algorithm 2):
 *   u = sign(beta1 m + (1 - beta1) g),  w <- w - eta (u + lambda w),  m <- beta2 m + (1 - beta2) g
 * with sign(0) = 0. Decoupled decay acts on all parameters, biases included.
 */
import { z } from "zod";
import { averageField, learningRateField, weightDecayField } from "./fields.ts";
import type { Config, Optimizer, Tensor, Tf } from "../entry.ts";

const schema = z.strictObject({
  learningRate: learningRateField(0.0003),
  beta1: averageField(0.9, "Share of the past in the update's direction."),
  beta2: averageField(0.99, "Share of the past in the average of gradients."),
  weightDecay: weightDecayField(0),
});

type LionConfig = Config & z.infer<typeof schema>;

export const lion: Optimizer<LionConfig> = {
  kind: "lion",
  summary: "Lion: the sign of an averaged gradient",
  schema,
  slots: ["mean"],
  hyperparameters: ({ learningRate, beta1, beta2, weightDecay }) => ({ learningRate, beta1, beta2, weightDecay }),
  update(tf, { weight, gradient, slots, h }) {
    const mean = slots[0]!;
    const direction = tf.sign(average(tf, mean, gradient, h["beta1"]!));
    const change = tf.add(direction, tf.mul(weight, h["weightDecay"]!));
    return {
      weight: tf.sub(weight, tf.mul(change, h["learningRate"]!)),
      slots: [average(tf, mean, gradient, h["beta2"]!)],
    };
  },
};

/** beta a + (1 - beta) x */
function average(tf: Tf, a: Tensor, x: Tensor, beta: Tensor): Tensor {
  return tf.add(tf.mul(a, beta), tf.mul(x, tf.sub(1, beta)));
}
