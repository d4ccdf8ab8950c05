/** Members of stacked tensors [members, ...shape], cut out to be kept, and put side by side again. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { Stack } from "./saved-value.ts";

/** Members [from, from + count) of a stacked tensor, read from the device. */
export function readRows(tf: Tf, tensor: Tensor, from: number, count: number): Stack {
  const [, ...shape] = tensor.shape;
  const rows = tf.slice(tensor, [from, ...shape.map(() => 0)], [count, ...shape]);
  // A copy: what a backend hands out may be a view of memory that it uses again.
  const values = rows.dataSync<"float32">().slice();
  rows.dispose();
  return { shape: [count, ...shape], values };
}

/** These members one after the other. The caller owns the tensor. */
export function joinStacks(tf: Tf, parts: readonly Stack[]): Tensor {
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  let at = 0;
  let members = 0;
  for (const part of parts) {
    values.set(part.values, at);
    at += part.values.length;
    members += part.shape[0]!;
  }
  return tf.tensor(values, [members, ...parts[0]!.shape.slice(1)], "float32");
}
