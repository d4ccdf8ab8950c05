/**
 * The loss of each row with its gradient in closed form, for both kinds of task, by one kernel where the backend has it and by
 * plain operations elsewhere. Outputs and targets are [K, R, width], losses [K, R].
 */
import type { Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { hasOwnKernel, ownKernel } from "../../src/catalogue/own-kernel.ts";

type Save = (tensors: Tensor[]) => void;

/**
 * Cross-entropy in nats: l = sum_c q_c (log sum_c' exp z_c' - z_c), dl/dz = softmax(z) - q. Targets q may be smoothed; they sum
 * to 1.
 */
export function crossEntropy(tf: Tf, logits: Tensor3D, targets: Tensor3D): Tensor {
  if (!hasOwnKernel(tf, "OccamCrossEntropy")) return plainCrossEntropy(tf, logits, targets);
  const loss = tf.customGrad((z: unknown, save: unknown) => {
    const [value, p] = ownKernel(tf, "OccamCrossEntropy", { logits: z as Tensor, targets })!;
    (save as Save)([p!, targets]);
    const gradFunc = (dy: Tensor, [probabilities, q]: Tensor[]): Tensor =>
      ownKernel(tf, "OccamCrossEntropyGrad", { dy, probabilities: probabilities!, targets: q! })![0]!;
    return { value: value!, gradFunc };
  });
  return loss(logits);
}

/** The reference of the kernel `OccamCrossEntropy`: fewer passes than through log-softmax. */
function plainCrossEntropy(tf: Tf, logits: Tensor3D, targets: Tensor3D): Tensor {
  const loss = tf.customGrad((z: unknown, save: unknown) => {
    const shifted = tf.sub(z as Tensor, tf.max(z as Tensor, -1, true));
    const exponentials = tf.exp(shifted);
    const total = tf.sum(exponentials, -1, true);
    const value = tf.sum(tf.mul(targets, tf.sub(tf.log(total), shifted)), -1);
    (save as Save)([exponentials, total]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => {
      const [e, sum] = saved as [Tensor, Tensor];
      return tf.mul(tf.expandDims(dy, -1), tf.sub(tf.div(e, sum), targets));
    };
    return { value, gradFunc };
  });
  return loss(logits);
}

/** l = 1/2 sum (y - f)^2, dl/df = f - y. */
export function squaredError(tf: Tf, outputs: Tensor3D, targets: Tensor3D): Tensor {
  if (!hasOwnKernel(tf, "OccamSquaredError")) return plainSquaredError(tf, outputs, targets);
  const loss = tf.customGrad((f: unknown, save: unknown) => {
    const [value] = ownKernel(tf, "OccamSquaredError", { outputs: f as Tensor, targets })!;
    (save as Save)([f as Tensor, targets]);
    const gradFunc = (dy: Tensor, [f, y]: Tensor[]): Tensor =>
      ownKernel(tf, "OccamSquaredErrorGrad", { dy, outputs: f!, targets: y! })![0]!;
    return { value: value!, gradFunc };
  });
  return loss(outputs);
}

/** The reference of the kernel `OccamSquaredError`. */
function plainSquaredError(tf: Tf, outputs: Tensor3D, targets: Tensor3D): Tensor {
  return tf.mul(tf.sum(tf.square(tf.sub(targets, outputs)), -1), 0.5);
}
