/** `tf.tidy` for results of any structure. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

/**
 * Tensors of what is made stay; all others that were made on the way go, and all where it throws. Do not put typed arrays into
 * it: a tidy looks for tensors in them, number by number.
 */
export function tidied<T extends object>(tf: Tf, make: () => T): T {
  // It walks objects and arrays, whatever its type says.
  return tf.tidy(make as unknown as () => Tensor[]) as unknown as T;
}
