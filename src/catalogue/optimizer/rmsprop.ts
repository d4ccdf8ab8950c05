/**
 * RMSprop (Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012), without centring or momentum:
 *   v <- rho v + (1 - rho) g^2,  w <- w - eta g / (sqrt v + epsilon)
 */
import { z } from "zod";
import { averageField, epsilonField, learningRateField } from "./fields.ts";
import type { Config, Optimizer } from "../entry.ts";

const schema = z.strictObject({
  learningRate: learningRateField(0.001),
  decay: averageField(0.99, "Share rho of the past in the average of squared gradients."),
  epsilon: epsilonField(),
});

type RmspropConfig = Config & z.infer<typeof schema>;

export const rmsprop: Optimizer<RmspropConfig> = {
  kind: "rmsprop",
  summary: "RMSprop: the gradient over the root of its averaged square",
  schema,
  slots: ["square"],
  hyperparameters: ({ learningRate, decay, epsilon }) => ({ learningRate, decay, epsilon }),
  update(tf, { weight, gradient, slots, h }) {
    const rho = h["decay"]!;
    const square = tf.add(tf.mul(slots[0]!, rho), tf.mul(tf.square(gradient), tf.sub(1, rho)));
    const scaled = tf.div(gradient, tf.add(tf.sqrt(square), h["epsilon"]!));
    return { weight: tf.sub(weight, tf.mul(scaled, h["learningRate"]!)), slots: [square] };
  },
};
