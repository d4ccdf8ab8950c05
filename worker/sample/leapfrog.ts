/**
 * A kick and a drift of Hamiltonian dynamics of H = U(w) + |p|^2 / 2, unit mass, for all chains:
 *   p' = p - kick grad U(w),   w' = w + drift p',   grad U(w) = t grad L(w) + gamma (w - w0).
 * A leapfrog trajectory of n steps epsilon is a kick of epsilon/2, n - 1 kicks of epsilon and one of epsilon/2, with a drift of
 * epsilon after each but the last (Neal, "MCMC using Hamiltonian dynamics", Handbook of MCMC, 2011, equations 2.28 to 2.30).
 *
 * Where the backend has the kernels OccamLeapfrog and OccamPhase, one pass over each parameter does it; elsewhere the same in
 * plain operations, which are the kernels' reference.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { ownKernel } from "../../src/catalogue/own-kernel.ts";
import { numbered } from "./langevin.ts";
import type { PerMember } from "./sampler.ts";

/** A point of phase space, [chains, ...shape] by parameter. */
export interface Phase {
  readonly position: readonly Tensor[];
  readonly momentum: readonly Tensor[];
}

export interface Push {
  /** grad L at the position, [chains, ...shape] by parameter. */
  readonly gradient: readonly Tensor[];
  /** w0 */
  readonly anchor: readonly Tensor[];
  readonly t: PerMember;
  readonly gamma: PerMember;
  readonly kick: PerMember;
  readonly drift: PerMember;
}

/** New tensors; nothing that was given is disposed. The caller tidies. */
export function pushChains(tf: Tf, phase: Phase, push: Push): Phase {
  const { gradient, anchor, t, gamma, kick, drift } = push;
  const { position, momentum } = phase;
  const vectors = { t: t(1), gamma: gamma(1), kick: kick(1), drift: drift(1) };
  const inputs = { ...numbered({ position, momentum, gradient, anchor }), ...vectors };
  const made = ownKernel(tf, "OccamLeapfrog", inputs, { parameters: position.length });
  if (made === undefined) return plainPush(tf, phase, push);
  return { position: made.slice(0, position.length), momentum: made.slice(position.length) };
}

/** By plain operations. */
export function plainPush(tf: Tf, { position, momentum }: Phase, push: Push): Phase {
  const { gradient, anchor, t, gamma, kick, drift } = push;
  const kicked = position.map((w, p) => {
    const force = tf.add(tf.mul(t(w.rank), gradient[p]!), tf.mul(gamma(w.rank), tf.sub(w, anchor[p]!)));
    return tf.sub(momentum[p]!, tf.mul(kick(w.rank), force));
  });
  return { position: position.map((w, p) => tf.add(w, tf.mul(drift(w.rank), kicked[p]!))), momentum: kicked };
}

/** Where a trajectory is measured. */
export interface Measured {
  readonly phase: Phase;
  /** The start of the trajectory. */
  readonly start: Phase;
  /** What is left to kick before position and momentum are of one time. */
  readonly push: Omit<Push, "drift">;
}

/**
 * Of every chain, [chains, 4]: (|p|^2 - |p_0|^2)/2 and (|w - w0|^2 - |w_0 - w0|^2)/2 since the start, |w - w0|^2, and
 * (w - w0) . grad L. The first two are sums of differences, for a difference of two sums would lose in float32 what acceptance
 * hangs on. The caller owns the tensor.
 */
export function measurePhase(tf: Tf, measured: Measured): Tensor {
  const { phase, start, push } = measured;
  const { gradient, anchor, t, gamma, kick } = push;
  const lists = { ...phase, gradient, anchor, startPosition: start.position, startMomentum: start.momentum };
  const inputs = { ...numbered(lists), t: t(1), gamma: gamma(1), kick: kick(1) };
  const made = ownKernel(tf, "OccamPhase", inputs, { parameters: phase.position.length });
  return made?.[0] ?? plainPhase(tf, measured);
}

/** By plain operations. */
export function plainPhase(tf: Tf, { phase, start, push }: Measured): Tensor {
  const { gradient, anchor, t, gamma, kick } = push;
  return tf.tidy(() => {
    const from = phase.position.map((w, p) => tf.sub(w, anchor[p]!));
    const moved = phase.position.map((w, p) => tf.sub(w, start.position[p]!));
    const momentum = phase.momentum.map((m, p) => {
      const force = tf.add(tf.mul(t(m.rank), gradient[p]!), tf.mul(gamma(m.rank), from[p]!));
      return tf.sub(m, tf.mul(kick(m.rank), force));
    });
    const kinetic = momentum.map((m, p) => [tf.mul(0.5, tf.sub(m, start.momentum[p]!)), tf.add(m, start.momentum[p]!)] as const); // prettier-ignore
    const pull = moved.map((m, p) => [m, tf.sub(from[p]!, tf.mul(0.5, m))] as const);
    const square = from.map((f) => [f, f] as const);
    const slope = from.map((f, p) => [f, gradient[p]!] as const);
    return tf.stack([kinetic, pull, square, slope].map((pairs) => sumOfProducts(tf, pairs)), 1); // prettier-ignore
  });
}

/** The sum over parameters and their numbers of a b, [chains]. */
function sumOfProducts(tf: Tf, pairs: readonly (readonly [Tensor, Tensor])[]): Tensor {
  const sums = pairs.map(([a, b]) => tf.sum(tf.reshape(tf.mul(a, b), [a.shape[0], -1]), -1));
  return sums.reduce((total, sum) => tf.add(total, sum));
}
