/**
 * Kernels of our own that a backend may have besides TensorFlow.js's: an entry of the catalogue asks for one by name and, where
 * the backend has none, computes the same by plain operations, which are the kernel's reference.
 *
 * Their gradients are the caller's (`tf.customGrad`); nothing is recorded here.
 */
import type { Tensor, Tf } from "./entry.ts";

type Attribute = number | boolean | string | number[];

/** The kernel's outputs, new tensors; undefined where the current backend has no such kernel. */
export function ownKernel(
  tf: Tf,
  name: `Occam${string}`,
  inputs: Readonly<Record<string, Tensor>>,
  attrs: Readonly<Record<string, Attribute>> = {},
): readonly Tensor[] | undefined {
  if (!hasOwnKernel(tf, name)) return undefined;
  const outputs: Tensor | Tensor[] = tf.engine().runKernel(name, { ...inputs }, { ...attrs });
  return Array.isArray(outputs) ? outputs : [outputs];
}

export function hasOwnKernel(tf: Tf, name: `Occam${string}`): boolean {
  return (tf.getKernel(name, tf.getBackend()) as unknown) !== undefined;
}
