/**
 * The step that Adam and AdamW share (Kingma and Ba, arXiv:1412.6980, algorithm 1), at update t = 1, 2, ...:
 *   m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2
 *   m^ = m / (1 - beta1^t),  v^ = v / (1 - beta2^t)
 *   direction = m^ / (sqrt v^ + epsilon)
 * 1 - beta and beta^t are taken from the same float32 beta, so that the first corrected moments are g and g^2 exactly up to
 * rounding, whatever rounding did to beta.
 */
import type { OptimizerStep, Tensor, Tf } from "../entry.ts";

export const ADAM_SLOTS: readonly string[] = ["mean", "square"];

export interface AdamMoments {
  readonly direction: Tensor;
  /** m and v. */
  readonly slots: readonly [Tensor, Tensor];
}

export function adamMoments(tf: Tf, { gradient, slots, h, step }: OptimizerStep): AdamMoments {
  const mean = average(tf, slots[0]!, gradient, h["beta1"]!);
  const square = average(tf, slots[1]!, tf.square(gradient), h["beta2"]!);
  const corrected = tf.mul(square, correction(tf, h["beta2"]!, step));
  const denominator = tf.add(tf.sqrt(corrected), h["epsilon"]!);
  const direction = tf.div(tf.mul(mean, correction(tf, h["beta1"]!, step)), denominator);
  return { direction, slots: [mean, square] };
}

/** beta a + (1 - beta) x */
function average(tf: Tf, a: Tensor, x: Tensor, beta: Tensor): Tensor {
  return tf.add(tf.mul(a, beta), tf.mul(x, tf.sub(1, beta)));
}

/** 1 / (1 - beta^t), [K, 1, ...] */
function correction(tf: Tf, beta: Tensor, step: number): Tensor {
  return tf.div(1, tf.sub(1, tf.pow(beta, step)));
}
