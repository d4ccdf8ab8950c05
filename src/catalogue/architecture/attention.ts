/**
 * Causal multi-head self-attention (Vaswani et al., arXiv:1706.03762, eq. 1 and section 3.2.2), without biases:
 *   head_h = softmax(Q_h K_h^T / sqrt(d_h) + mask) V_h,  [Q K V] = x W_qkv,  out = [head_1 .. head_H] W_o
 * The mask is 0 where a position may look (itself and before) and so low elsewhere that the softmax is exactly 0.
 */
import { hasOwnKernel, ownKernel } from "../own-kernel.ts";
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

/** Floating-point operations of one position, the projection to queries, keys and values included, that of the output not. */
export function attentionFlops({ context, heads, width }: AttentionShape): number {
  const projection = 2 * width * 3 * width;
  const scores = 2 * width * context + 12 * heads * context;
  return projection + scores + 2 * width * context;
}

/**
 * x [K, B T, D], W_qkv [K, D, 3 D] (columns ordered by query, key, value; then head) to [head_1 .. head_H], [K, B T, D]: the
 * product with W_o is the caller's, who may not need it at every position.
 */
export function attend(tf: Tf, x: Tensor3D, qkv: Tensor, shape: AttentionShape): Tensor3D {
  return mixHeads(tf, product(tf, x, qkv), shape);
}

/** What all heads make of queries, keys and values [K, B T, 3 D]: [K, B T, D], by head. */
export function mixHeads(tf: Tf, qkv: Tensor3D, { context, heads, width }: AttentionShape): Tensor3D {
  if (!hasOwnKernel(tf, "OccamAttention")) return plainMixHeads(tf, qkv, { context, heads, width });
  const attrs = { context, heads };
  const apply = tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as (tensors: Tensor[]) => void;
    const [qkv] = inputs as unknown as [Tensor];
    const [value, probabilities] = ownKernel(tf, "OccamAttention", { qkv }, attrs) as [Tensor, Tensor];
    save([qkv, probabilities]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => {
      const [qkv, probabilities] = saved as [Tensor, Tensor];
      return ownKernel(tf, "OccamAttentionGrad", { qkv, probabilities, dy }, attrs)![0]!;
    };
    return { value, gradFunc };
  });
  return apply(qkv) as Tensor3D;
}

/** By plain operations: the reference of the kernel `OccamAttention`. */
export function plainMixHeads(tf: Tf, qkv: Tensor3D, { context, heads, width }: AttentionShape): Tensor3D {
  const [members, rows] = qkv.shape;
  const batch = (members * rows) / context;
  const size = width / heads;
  const byHead = tf.transpose(tf.reshape(qkv, [batch, context, 3 * heads, size]), [0, 2, 1, 3]);
  const part = (index: number): Tensor3D =>
    tf.reshape(tf.slice(byHead, [0, index * heads, 0, 0], [batch, heads, context, size]), [
      batch * heads,
      context,
      size,
    ]);
  const scores = tf.mul(tf.matMul(part(0), part(1), false, true), 1 / Math.sqrt(size));
  const probabilities = tf.softmax(tf.add(scores, causalMask(tf, context)));
  const mixed = tf.reshape(tf.matMul(probabilities, part(2)), [batch, heads, context, size]);
  return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [members, rows, width]);
}

/** [1, T, T] */
function causalMask(tf: Tf, context: number): Tensor3D {
  const mask = new Float32Array(context * context);
  for (let from = 0; from < context; from += 1) mask.fill(MASKED, from * context + from + 1, (from + 1) * context);
  return tf.tensor3d(mask, [1, context, context]);
}
