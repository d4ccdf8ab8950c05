/**
 * A fused affine layer: y[k] = x[k] W[k] + b[k] for each member k, with x [K, R, in], W [K, in, out], b [K, 1, out].
 *
 * Biases are stored as one row, [1, out], so that they broadcast over the rows of their own member alone. Their gradient,
 * a sum over rows, is taken as a product with a row of ones: the wasm backend would transpose to sum over the middle axis.
 */
import type { Parameter, Tensor, Tensor3D, Tf } from "../entry.ts";
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

export function dense(tf: Tf, x: Tensor3D, weight: Tensor, bias: Tensor): Tensor3D {
  return addRow(tf, product(tf, x, weight), bias);
}

/** x[k] W[k]: [K, R, in] by [K, in, out]. */
export function product(tf: Tf, x: Tensor3D, weight: Tensor): Tensor3D {
  return tf.matMul(x, weight);
}

/** Adds row[k] [1, W] to each row of x[k] [R, W]. */
export function addRow(tf: Tf, x: Tensor3D, row: Tensor): Tensor3D {
  const apply = tf.customGrad((...inputs) => {
    const [x, row] = inputs as unknown as [Tensor3D, Tensor3D];
    const gradFunc = (dy: Tensor): Tensor[] => [tf.clone(dy), sumRows(tf, dy as Tensor3D)];
    return { value: tf.add(x, row), gradFunc };
  });
  return apply(x, row) as Tensor3D;
}

/** The sum over the rows of each member: [K, R, W] to [K, 1, W]. */
export function sumRows(tf: Tf, x: Tensor3D): Tensor3D {
  const [members, rows] = x.shape;
  return tf.matMul(tf.ones<Rank.R3>([members, 1, rows]), x);
}
