/**
 * Causal multi-head self-attention (Vaswani et al., arXiv:1706.03762, eq. 1 and section 3.2.2), without biases:
 *   head_h = softmax(Q_h K_h^T / sqrt(d_h) + mask) V_h,  [Q K V] = x W_qkv,  out = [head_1 .. head_H] W_o
 * The mask is 0 where a position may look (itself and before) and so low elsewhere that the softmax is exactly 0.
 */
import { product } from "./dense.ts";
import type { Tensor, Tensor3D, Tf } from "../entry.ts";

/** exp of any score plus this is 0 in float32, and it is far from overflow. */
const MASKED = -1e9;

export interface AttentionShape {
  readonly context: number;
  readonly heads: number;
  /** Width of the model; each head has width / heads. */
  readonly width: number;
}

/** Floating-point operations of one position, the two projections included. */
export function attentionFlops({ context, heads, width }: AttentionShape): number {
  const projections = 2 * width * 3 * width + 2 * width * width;
  const scores = 2 * width * context + 12 * heads * context;
  return projections + scores + 2 * width * context;
}

/** x [K, B T, D], projections [K, D, 3 D] (columns ordered by query, key, value; then head) and [K, D, D]. */
export function attend(tf: Tf, x: Tensor3D, qkv: Tensor, out: Tensor, shape: AttentionShape): Tensor3D {
  const { context, heads, width } = shape;
  const [members, rows] = x.shape;
  const batch = (members * rows) / context;
  const size = width / heads;
  const split = tf.reshape(product(tf, x, qkv), [batch, context, 3 * heads, size]);
  const byHead = tf.transpose(split, [0, 2, 1, 3]);
  const part = (index: number): Tensor3D =>
    tf.reshape(tf.slice(byHead, [0, index * heads, 0, 0], [batch, heads, context, size]), [
      batch * heads,
      context,
      size,
    ]);
  const scores = tf.mul(tf.matMul(part(0), part(1), false, true), 1 / Math.sqrt(size));
  const probabilities = tf.softmax(tf.add(scores, causalMask(tf, context)));
  const mixed = tf.reshape(tf.matMul(probabilities, part(2)), [batch, heads, context, size]);
  return product(tf, tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [members, rows, width]), out);
}

/** [1, T, T] */
function causalMask(tf: Tf, context: number): Tensor3D {
  const mask = new Float32Array(context * context);
  for (let from = 0; from < context; from += 1) mask.fill(MASKED, from * context + from + 1, (from + 1) * context);
  return tf.tensor3d(mask, [1, context, context]);
}
