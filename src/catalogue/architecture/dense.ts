/**
 * A fused dense layer: y[k] = phi(x[k] W[k] + b[k]) for each member k, with x [K, R, in], W [K, in, out], b [K, 1, out]. With
 * dz = dy phi'(z):  dW = x^T dz,  db = sum over rows of dz,  dx = dz W^T.
 *
 * Biases are stored as one row, [1, out], so that they broadcast over the rows of their own member alone. Their gradient,
 * a sum over rows, is by plain operations a product with a row of ones: one would have to transpose to sum over the middle axis.
 */
import { plainActivate, type Activation } from "./activation.ts";
import type { Parameter, Tensor, Tensor3D, Tf } from "../entry.ts";
import { hasOwnKernel, ownKernel } from "../own-kernel.ts";
import type { Rank } from "@tensorflow/tfjs-core";

/** The weight of a layer: normal with standard deviation `gain` / sqrt(`fanIn`). */
export function weightParameter(name: string, fanIn: number, fanOut: number, gain: number): Parameter {
  return { name, shape: [fanIn, fanOut], initial: { kind: "normal", std: gain / Math.sqrt(fanIn) } };
}

/** The bias of a layer: zeros. */
export function biasParameter(name: string, width: number): Parameter {
  return { name, shape: [1, width], initial: { kind: "constant", value: 0 } };
}

/** Multiply-adds of one row, counted as two; the bias adds one for each output. */
export function denseFlops(fanIn: number, fanOut: number): number {
  return 2 * fanIn * fanOut + fanOut;
}

export interface DenseOptions {
  /** phi; left out, the layer is affine. */
  readonly activation?: Activation;
  /** x is data: the layer has no gradient with respect to it, and none is computed. */
  readonly readsData?: boolean;
}

export function dense(tf: Tf, x: Tensor3D, weight: Tensor, bias: Tensor, options: DenseOptions = {}): Tensor3D {
  return hasOwnKernel(tf, "OccamDense")
    ? denseInOneKernel(tf, x, weight, bias, options)
    : plainDense(tf, x, weight, bias, options.activation);
}

/** By plain operations: the reference of the kernel `OccamDense`. */
function plainDense(tf: Tf, x: Tensor3D, weight: Tensor, bias: Tensor, activation?: Activation): Tensor3D {
  const z = plainAddRow(tf, product(tf, x, weight), bias);
  return activation === undefined ? z : plainActivate(tf, activation, z);
}

function denseInOneKernel(tf: Tf, x: Tensor3D, weight: Tensor, bias: Tensor, options: DenseOptions): Tensor3D {
  const { activation = "none", readsData = false } = options;
  const apply = tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as (tensors: Tensor[]) => void;
    // Data is no input of the operation: the tape would ask for its gradient.
    const [weight, bias, input = x] = inputs as [Tensor, Tensor, Tensor?];
    const [value, slope] = ownKernel(tf, "OccamDense", { x: input, weight, bias }, { activation })!;
    save([input, weight, ...(activation === "none" ? [] : [slope ?? value!])]);
    const gradFunc = (dy: Tensor, [x, weight, kept]: Tensor[]): Tensor[] => {
      const given = { x: x!, weight: weight!, dy, ...(kept === undefined ? {} : { kept }) };
      return [...ownKernel(tf, "OccamDenseGrad", given, { activation, inputGradient: !readsData })!];
    };
    return { value: value!, gradFunc };
  });
  return (readsData ? apply(weight, bias) : apply(weight, bias, x)) as Tensor3D;
}

/** x[k] W[k]: [K, R, in] by [K, in, out]. */
export function product(tf: Tf, x: Tensor3D, weight: Tensor): Tensor3D {
  return tf.matMul(x, weight);
}

/** Adds row[k] [1, W] to each row of x[k] [R, W]. */
export function addRow(tf: Tf, x: Tensor3D, row: Tensor): Tensor3D {
  if (!hasOwnKernel(tf, "OccamAddRow")) return plainAddRow(tf, x, row);
  const apply = tf.customGrad((...inputs) => {
    const [x, row] = inputs as unknown as [Tensor, Tensor];
    const gradFunc = (dy: Tensor): Tensor[] => [tf.clone(dy), sumRows(tf, dy as Tensor3D)];
    return { value: ownKernel(tf, "OccamAddRow", { x, row })![0]!, gradFunc };
  });
  return apply(x, row) as Tensor3D;
}

/** By plain operations: the reference of the kernel `OccamAddRow`. */
function plainAddRow(tf: Tf, x: Tensor3D, row: Tensor): Tensor3D {
  const apply = tf.customGrad((...inputs) => {
    const [x, row] = inputs as unknown as [Tensor3D, Tensor3D];
    const gradFunc = (dy: Tensor): Tensor[] => [tf.clone(dy), plainSumRows(tf, dy as Tensor3D)];
    return { value: tf.add(x, row), gradFunc };
  });
  return apply(x, row) as Tensor3D;
}

/** The sum over the rows of each member: [K, R, W] to [K, 1, W]. Not differentiable: gradients are made of it. */
export function sumRows(tf: Tf, x: Tensor3D): Tensor3D {
  const sums = ownKernel(tf, "OccamSumRows", { x });
  return sums === undefined ? plainSumRows(tf, x) : (sums[0] as Tensor3D);
}

/** By plain operations: the reference of the kernel `OccamSumRows`. */
export function plainSumRows(tf: Tf, x: Tensor3D): Tensor3D {
  const [members, rows] = x.shape;
  return tf.matMul(tf.ones<Rank.R3>([members, 1, rows]), x);
}
