/**
 * Layer normalisation (Ba, Kiros and Hinton, arXiv:1607.06450, eq. 4) over the last axis, with a gain and a bias:
 *   y = g x^ + b,  x^ = (x - mu) r,  r = (var + 1e-5)^(-1/2),  var = mean (x - mu)^2
 * Its own gradient, for it keeps two tensors and takes a third of autodiff's passes. With d = g dy:
 *   dx = r (d - mean(d) - x^ mean(d x^)),  dg = sum over rows of dy x^,  db = sum over rows of dy
 */
import { plainSumRows } from "./dense.ts";
import type { Parameter, Tensor, Tensor3D, Tf } from "../entry.ts";
import { hasOwnKernel, ownKernel } from "../own-kernel.ts";

/** Keeps a constant row finite; the value of GPT-2. */
const EPSILON = 1e-5;

/** Floating-point operations for one element. */
export const LAYER_NORM_FLOPS = 8;

export function layerNormParameters(name: string, width: number): readonly Parameter[] {
  return [
    { name: `${name}Gain`, shape: [1, width], initial: { kind: "constant", value: 1 } },
    { name: `${name}Bias`, shape: [1, width], initial: { kind: "constant", value: 0 } },
  ];
}

/** x [K, R, W], gain and bias [K, 1, W]. */
export function layerNorm(tf: Tf, x: Tensor3D, gain: Tensor, bias: Tensor): Tensor3D {
  if (!hasOwnKernel(tf, "OccamLayerNorm")) return plainLayerNorm(tf, x, gain, bias);
  const apply = tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as (tensors: Tensor[]) => void;
    const [x, gain, bias] = inputs as unknown as [Tensor, Tensor, Tensor];
    const [value, normal, rate] = ownKernel(tf, "OccamLayerNorm", { x, gain, bias }, { epsilon: EPSILON })!;
    save([normal!, rate!, gain]);
    const gradFunc = (dy: Tensor, [normal, rate, gain]: Tensor[]): Tensor[] => [
      ...ownKernel(tf, "OccamLayerNormGrad", { dy, normal: normal!, rate: rate!, gain: gain! })!,
    ];
    return { value: value!, gradFunc };
  });
  return apply(x, gain, bias) as Tensor3D;
}

/** By plain operations: the reference of the kernel `OccamLayerNorm`. */
function plainLayerNorm(tf: Tf, x: Tensor3D, gain: Tensor, bias: Tensor): Tensor3D {
  const apply = tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as (tensors: Tensor[]) => void;
    const [x, gain, bias] = inputs as unknown as [Tensor3D, Tensor3D, Tensor3D];
    const centred = tf.sub(x, tf.mean(x, 2, true));
    const rate = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 2, true), EPSILON));
    const normal = tf.mul(centred, rate);
    save([normal, rate, gain]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => gradients(tf, dy as Tensor3D, saved as Tensor3D[]);
    return { value: tf.add(tf.mul(normal, gain), bias), gradFunc };
  });
  return apply(x, gain, bias) as Tensor3D;
}

function gradients(tf: Tf, dy: Tensor3D, saved: readonly Tensor3D[]): Tensor[] {
  const [normal, rate, gain] = saved as [Tensor3D, Tensor3D, Tensor3D];
  const d = tf.mul(dy, gain);
  const along = tf.mul(normal, tf.mean(tf.mul(d, normal), 2, true));
  const dx = tf.mul(tf.sub(tf.sub(d, tf.mean(d, 2, true)), along), rate);
  return [dx, plainSumRows(tf, tf.mul(dy, normal)), plainSumRows(tf, dy)];
}
