/**
 * Gradient descent with heavy-ball momentum (Polyak, "Some methods of speeding up the convergence of iteration methods",
 * 1964), in the form where the velocity is not scaled by the learning rate, so that a schedule acts at once:
 *   v <- mu v + g,  w <- w - eta v
 */
import { z } from "zod";
import { averageField, learningRateField } from "./fields.ts";
import type { Config, Optimizer } from "../entry.ts";

const schema = z.strictObject({
  learningRate: learningRateField(0.03),
  momentum: averageField(0.9, "Momentum mu: the share of the velocity that is kept."),
});

type MomentumConfig = Config & z.infer<typeof schema>;

export const momentum: Optimizer<MomentumConfig> = {
  kind: "momentum",
  summary: "gradient descent with heavy-ball momentum",
  schema,
  slots: ["velocity"],
  hyperparameters: ({ learningRate, momentum }) => ({ learningRate, momentum }),
  update(tf, { weight, gradient, slots, h }) {
    const velocity = tf.add(tf.mul(slots[0]!, h["momentum"]!), gradient);
    return { weight: tf.sub(weight, tf.mul(velocity, h["learningRate"]!)), slots: [velocity] };
  },
};
