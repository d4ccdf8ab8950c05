/**
 * Nesterov's accelerated gradient with constant momentum (Sutskever, Martens, Dahl and Hinton, "On the importance of
 * initialization and momentum in deep learning", ICML 2013, eq. 3-4), written for the point that the gradient is taken at:
 *   v <- mu v + g,  w <- w - eta (g + mu v)
 * w here is their theta + mu v; both forms make the same gradients at a constant learning rate.
 */
import { z } from "zod";
import { averageField, learningRateField } from "./fields.ts";
import type { Config, Optimizer } from "../entry.ts";

const schema = z.strictObject({
  learningRate: learningRateField(0.03),
  momentum: averageField(0.9, "Momentum mu: the share of the velocity that is kept."),
});

type NesterovConfig = Config & z.infer<typeof schema>;

export const nesterov: Optimizer<NesterovConfig> = {
  kind: "nesterov",
  summary: "gradient descent with Nesterov momentum",
  schema,
  slots: ["velocity"],
  hyperparameters: ({ learningRate, momentum }) => ({ learningRate, momentum }),
  update(tf, { weight, gradient, slots, h }) {
    const mu = h["momentum"]!;
    const velocity = tf.add(tf.mul(slots[0]!, mu), gradient);
    const direction = tf.add(gradient, tf.mul(velocity, mu));
    return { weight: tf.sub(weight, tf.mul(direction, h["learningRate"]!)), slots: [velocity] };
  },
};
