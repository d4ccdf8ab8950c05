/**
 * A diagonal preconditioner from a warm-up, frozen before anything is averaged: M_i = 1 / E[(dU/dw_i)^2]. For every density
 * exp(-U), E[(dU/dw_i)^2] = E[d^2U/dw_i^2] (integration by parts), so that M is the inverse of the mean curvature; it is 1/p_i
 * exactly on a quadratic of precisions p. No M is above 1/gamma, which is what the pull alone allows.
 *
 * The mean is over the chains of a posterior and their steps, so that all its chains share one M.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { Stack } from "../checkpoint/saved-value.ts";
import { joinStacks, readRows } from "../checkpoint/stacks.ts";

/** Sums of squared gradients of some chains, by parameter; none before the first. */
export interface SquaresState {
  readonly count: number;
  readonly sums: readonly Stack[];
}

/** Sums of squared gradients, [chains, ...shape] by parameter. Owns its tensors. */
export class GradientSquares {
  readonly #tf: Tf;
  #sums: readonly Tensor[] = [];
  #count = 0;

  /** @param parts what was kept of chains, all of one count, in their order */
  constructor(tf: Tf, parts: readonly SquaresState[] = []) {
    this.#tf = tf;
    const [first] = parts;
    if (first === undefined) return;
    this.#count = first.count;
    this.#sums = first.sums.map((_, p) => joinStacks(tf, parts.map(({ sums }) => sums[p]!))); // prettier-ignore
  }

  /** Of chains [from, from + count). */
  cut(from: number, count: number): SquaresState {
    return { count: this.#count, sums: this.#sums.map((sum) => readRows(this.#tf, sum, from, count)) };
  }

  get count(): number {
    return this.#count;
  }

  /** @param drift grad U, lent */
  add(drift: readonly Tensor[]): void {
    const tf = this.#tf;
    const before = this.#sums;
    this.#sums = drift.map((d, p) =>
      tf.tidy(() => (before[p] === undefined ? tf.square(d) : tf.add(before[p], tf.square(d)))),
    );
    // They outlive the tidy of the step that they are made in.
    for (const sum of this.#sums) tf.keep(sum);
    tf.dispose([...before]);
    this.#count += 1;
  }

  /**
   * sqrt(M), [chains, ...shape] by parameter, the same for each `chains` neighbours. The caller owns it.
   * @param gamma of each member
   */
  root(chains: number, gamma: readonly number[]): readonly Tensor[] {
    const tf = this.#tf;
    return this.#sums.map((sum) =>
      tf.tidy(() => {
        const [members, ...shape] = sum.shape as [number, ...number[]];
        const grouped = tf.reshape(sum, [members / chains, chains, -1]);
        const mean = tf.div(tf.mean(grouped, 1, true), this.#count);
        const all = tf.reshape(tf.tile(mean, [1, chains, 1]), [members, -1]);
        const floor = tf.tensor2d([...gamma], [members, 1]);
        return tf.reshape(tf.rsqrt(tf.maximum(all, floor)), [members, ...shape]);
      }),
    );
  }

  dispose(): void {
    this.#tf.dispose([...this.#sums]);
    this.#sums = [];
  }
}
