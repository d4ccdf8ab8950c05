/**
 * An exact test of an unadjusted sampler's step: the probability with which Metropolis and Hastings would accept an Euler step
 * from where a chain stands, on a fixed set of rows,
 *   w' = w - (eps/2) M grad U(w) + sqrt(eps M) xi,
 *   log alpha = U(w) - U(w') + |xi|^2 / 2 - |xi'|^2 / 2,   xi' = (w - w' + (eps/2) M grad U(w')) / sqrt(eps M)
 * (Roberts & Tweedie, Bernoulli 2, 1996). The step is not taken. Near 1 the dynamics hardly err; plain Langevin on singular
 * potentials is off by +9 to +58 % at .4 to .97.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { MemberVector } from "../engine/member-vector.ts";
import type { SurfaceBatch } from "./surface.ts";

export interface MalaSource {
  readonly tf: Tf;
  readonly batch: SurfaceBatch;
  /** [members, ...shape] by parameter */
  readonly position: readonly Tensor[];
  readonly anchor: readonly Tensor[];
  readonly normal: readonly Tensor[];
  /** sqrt(M); none for M = 1. */
  readonly root: readonly Tensor[];
  readonly t: MemberVector;
  readonly gamma: MemberVector;
  readonly epsilon: MemberVector;
}

/** Of each member; 0 where the step is not finite. */
export function malaAcceptance(source: MalaSource): readonly number[] {
  const { tf } = source;
  const log = tf.tidy(() => logAcceptance(source));
  const values = log.dataSync<"float32">();
  log.dispose();
  return [...values].map((value) => (Number.isFinite(value) ? Math.exp(Math.min(0, value)) : 0));
}

function logAcceptance(source: MalaSource): Tensor {
  const { tf, batch, position, anchor, normal, root, t, epsilon } = source;
  const here = batch.gradients(position);
  const scale = position.map((w, p) => {
    const step = tf.sqrt(epsilon.at(w.rank));
    return root[p] === undefined ? step : tf.mul(step, root[p]);
  });
  const drift = driftOf(source, position, here.gradients);
  const moved = position.map((w, p) => {
    const half = tf.mul(0.5, tf.mul(tf.square(scale[p]!), drift[p]!));
    return tf.add(tf.sub(w, half), tf.mul(scale[p]!, normal[p]!));
  });
  const there = batch.gradients(moved);
  const back = driftOf(source, moved, there.gradients);
  const reverse = moved.map((w, p) => {
    const half = tf.mul(0.5, tf.mul(tf.square(scale[p]!), back[p]!));
    return tf.div(tf.add(tf.sub(position[p]!, w), half), scale[p]!);
  });
  const loss = tf.mul(t.at(1), tf.mean(tf.sub(here.rows, there.rows), -1));
  const pull = tf.mul(source.gamma.at(1), differenceOfSquares(tf, position, moved, anchor));
  const noise = differenceOfSquares(tf, normal, reverse);
  return tf.add(loss, tf.add(pull, noise));
}

/** grad U */
function driftOf(
  { tf, anchor, t, gamma }: MalaSource,
  position: readonly Tensor[],
  gradient: readonly Tensor[],
): readonly Tensor[] {
  return position.map((w, p) =>
    tf.add(tf.mul(t.at(w.rank), gradient[p]!), tf.mul(gamma.at(w.rank), tf.sub(w, anchor[p]!))),
  );
}

/** (|a - c|^2 - |b - c|^2) / 2 of each member, as a sum of differences; c = 0 where there is none. */
function differenceOfSquares(tf: Tf, a: readonly Tensor[], b: readonly Tensor[], c?: readonly Tensor[]): Tensor {
  const parts = a.map((x, p) => {
    const sum = tf.add(x, b[p]!);
    const middle = c === undefined ? sum : tf.sub(sum, tf.mul(2, c[p]!));
    return tf.sum(tf.reshape(tf.mul(tf.mul(0.5, tf.sub(x, b[p]!)), middle), [x.shape[0], -1]), -1);
  });
  return parts.reduce((sum, part) => tf.add(sum, part));
}
