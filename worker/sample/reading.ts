/**
 * What is read of all chains at their positions w, on the batches that they were given (`batch-pool.ts` has the terms).
 *
 * Where the backend has the kernel OccamReading, one pass over each tensor does it; elsewhere the same in plain operations,
 * which are the kernel's reference. Both add up each chain by itself.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { ownKernel } from "../../src/catalogue/own-kernel.ts";
import { numbered } from "./langevin.ts";

export interface Readable {
  /** w, [chains, ...shape] by parameter */
  readonly position: readonly Tensor[];
  /** w0, [chains, ...shape] by parameter */
  readonly anchor: readonly Tensor[];
  /** Losses at w of the rows of each chain's batch, [chains, R]. */
  readonly losses: Tensor;
  /** Losses at w0 of the rows of all batches, [rows, R]. */
  readonly base: Tensor;
  /** D, then E, of all batches, [rows, 2, numbers] by parameter; none where a batch is the whole set. */
  readonly corrections: readonly Tensor[];
  /** The row of `base` and `corrections` that belongs to each chain's batch, int32 [chains]. */
  readonly rows: Tensor;
}

export interface Reading {
  /** L_h(w) - L_h(w0) - D_h . (w - w0) for the halves h of the batch, [chains, 2]; twice the whole where there are none. */
  readonly differences: Tensor;
  /** |w - w0|^2, [chains] */
  readonly squares: Tensor;
}

/** The caller owns the reading. */
export function readChains(tf: Tf, given: Readable): Reading {
  const { position, anchor, corrections, losses, base, rows } = given;
  const inputs = { ...numbered({ position, anchor, corrections }), losses, base, rows };
  const made = ownKernel(tf, "OccamReading", inputs, { parameters: position.length });
  if (made === undefined) return plainReading(tf, given);
  return { differences: made[0]!, squares: made[1]! };
}

/** By plain operations. */
export function plainReading(tf: Tf, given: Readable): Reading {
  const { position, anchor, corrections, losses, base, rows } = given;
  const [chains = 0] = losses.shape;
  const delta = position.map((w, p) => tf.sub(w, anchor[p]!));
  const squares = total(tf, delta.map((d) => tf.sum(tf.reshape(tf.square(d), [chains, -1]), -1))); // prettier-ignore
  const paired = tf.sub(losses, tf.gather(base, rows));
  if (corrections.length === 0) {
    const mean = tf.mean(paired, -1);
    return { differences: tf.stack([mean, mean], 1), squares };
  }
  const means = tf.mean(tf.reshape(paired, [chains, 2, -1]), -1);
  const along = delta.map((d, p) => {
    const table = tf.gather(corrections[p]!, rows);
    return tf.sum(tf.mul(table, tf.reshape(d, [chains, 1, -1])), -1);
  });
  const [middle, apart] = tf.split(total(tf, along), 2, 1);
  const ofHalves = tf.concat([tf.add(middle!, apart!), tf.sub(middle!, apart!)], 1);
  return { differences: tf.sub(means, ofHalves), squares };
}

const total = (tf: Tf, terms: readonly Tensor[]): Tensor => terms.reduce((sum, term) => tf.add(sum, term));
