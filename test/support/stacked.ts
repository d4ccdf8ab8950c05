/** Tensors with a member axis, drawn from a key, and the reading of their bits. */
import { fillNormal, fold, rootKey } from "../../src/core/random.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

/** Values of each member, in order. */
export type Stack = readonly Float32Array[];

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Normals of one member; a different `name` is a different draw. */
export function normals(name: string, length: number, std = 1, mean = 0): Float32Array {
  const values = new Float32Array(length);
  fillNormal(fold(rootKey("stacked"), name), { a: 0, b: 0 }, values);
  return values.map((value) => mean + std * value);
}

/** [K, ...shape] */
export function stack(tf: Tf, members: Stack, shape: readonly number[]): Tensor {
  const size = sizeOf(shape);
  const all = new Float32Array(members.length * size);
  members.forEach((values, k) => all.set(values, k * size));
  return tf.tensor(all, [members.length, ...shape]);
}

/** One number for each member, shaped to act on tensors of the given rank: [K, 1, ...]. */
export function perMember(tf: Tf, values: readonly number[], rank: number): Tensor {
  return tf.tensor([...values], [values.length, ...Array.from({ length: rank - 1 }, () => 1)]);
}

/** The values of each member of a stacked tensor. */
export function unstack(tensor: Tensor): Stack {
  const all = tensor.dataSync() as Float32Array;
  const [members = 0] = tensor.shape;
  const size = all.length / members;
  return Array.from({ length: members }, (_, k) => all.slice(k * size, (k + 1) * size));
}

/** The bits of float32 values, which tell -0 from 0 and one NaN from another. */
export function bitsOf(values: Float32Array): readonly number[] {
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
}
