/** One number for each member of a fused program, on the device, in the shapes that broadcast over stacked tensors. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

/** Owns its tensors; dispose it. */
export class MemberVector {
  readonly #tf: Tf;
  readonly #values: readonly number[];
  readonly #byRank = new Map<number, Tensor>();

  constructor(tf: Tf, values: readonly number[]) {
    this.#tf = tf;
    this.#values = values;
  }

  /** [K, 1, ...] of this rank. Lent: the caller does not dispose it. */
  at(rank: number): Tensor {
    const known = this.#byRank.get(rank);
    if (known !== undefined) return known;
    const shape = [this.#values.length, ...Array.from({ length: rank - 1 }, () => 1)];
    // Kept: it may be made inside someone's tidy, and outlives it.
    const tensor = this.#tf.keep(this.#tf.tensor(Float32Array.from(this.#values), shape, "float32"));
    this.#byRank.set(rank, tensor);
    return tensor;
  }

  dispose(): void {
    for (const tensor of this.#byRank.values()) tensor.dispose();
    this.#byRank.clear();
  }
}
