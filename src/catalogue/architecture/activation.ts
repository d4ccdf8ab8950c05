/**
 * The elementwise nonlinearities of hidden layers, with the gains that their layers are initialised by.
 *
 * gelu is the exact form x Phi(x), Phi the standard normal distribution function (Hendrycks and Gimpel, "Gaussian Error
 * Linear Units", arXiv:1606.08415, section 2), not its tanh or sigmoid approximation:
 *   gelu(x)  = x/2 (1 + erf(x / sqrt 2))
 *   gelu'(x) = Phi(x) + x exp(-x^2/2) / sqrt(2 pi)
 */
import { z } from "zod";
import type { Tensor, Tf } from "../entry.ts";
import { hasOwnKernel, ownKernel } from "../own-kernel.ts";

export const activationSchema = z
  .enum(["tanh", "relu", "gelu"])
  .describe("Nonlinearity of the hidden layers: tanh, relu, or gelu (the exact form, x Phi(x)).");

export type Activation = z.infer<typeof activationSchema>;

/**
 * Weights of a hidden layer start with standard deviation gain / sqrt(fan in): 1 for tanh (LeCun et al. 1998, "Efficient
 * BackProp", section 4.6), sqrt 2 for relu (He et al. 2015, arXiv:1502.01852, eq. 10) and, by custom, for gelu.
 */
export function gainOf(activation: Activation): number {
  return activation === "tanh" ? 1 : Math.SQRT2;
}

/** Floating-point operations for one element, counted as if a transcendental function were ten. */
export function activationFlops(activation: Activation): number {
  switch (activation) {
    case "relu":
      return 1;
    case "tanh":
      return 10;
    case "gelu":
      return 14;
  }
}

export function activate<T extends Tensor>(tf: Tf, activation: Activation, x: T): T {
  return hasOwnKernel(tf, "OccamActivation")
    ? activateInOneKernel(tf, activation, x)
    : plainActivate(tf, activation, x);
}

/** By plain operations: the reference of the kernel `OccamActivation`. */
export function plainActivate<T extends Tensor>(tf: Tf, activation: Activation, x: T): T {
  switch (activation) {
    case "tanh":
      return tf.tanh(x);
    case "relu":
      return tf.relu(x);
    case "gelu":
      return gelu(tf, x);
  }
}

/** The gradient reads the output of tanh and relu, and gelu's slope, which its kernel puts out beside it. */
function activateInOneKernel<T extends Tensor>(tf: Tf, activation: Activation, x: T): T {
  const apply = tf.customGrad((input, save) => {
    const [value, slope] = ownKernel(tf, "OccamActivation", { x: input as Tensor }, { activation })!;
    (save as (tensors: Tensor[]) => void)([slope ?? value!]);
    const gradFunc = (dy: Tensor, [kept]: Tensor[]): Tensor =>
      ownKernel(tf, "OccamActivationGrad", { dy, kept: kept! }, { activation })![0]!;
    return { value: value!, gradFunc };
  });
  return apply(x) as T;
}

/** Its own gradient: autodiff of the formula would keep five more tensors and run twice the passes. */
function gelu<T extends Tensor>(tf: Tf, x: T): T {
  const apply = tf.customGrad((input, save) => {
    const z = input as Tensor;
    const phi = normalDistribution(tf, z);
    (save as (tensors: Tensor[]) => void)([z, phi]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => {
      const [z, phi] = saved as [Tensor, Tensor];
      const density = tf.mul(tf.exp(tf.mul(tf.square(z), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return tf.mul(dy, tf.add(phi, tf.mul(z, density)));
    };
    return { value: tf.mul(z, phi), gradFunc };
  });
  return apply(x) as T;
}

/** Phi(x) = (1 + erf(x / sqrt 2)) / 2 */
function normalDistribution(tf: Tf, x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}
