/**
 * Langevin dynamics preconditioned as RMSProp does, with drift D(w) = t g(w) + gamma (w - w0) and, by coordinate,
 *   v' = alpha v + (1 - alpha) g(w)^2,   v = 0 at the start
 *   G  = 1 / (sqrt v' + lambda)
 *   w' = w - (eps/2) G D(w) + sqrt(eps G) xi                                   xi ~ N(0, 1)
 *
 * Li, Chen, Carlson, Carin, "Preconditioned Stochastic Gradient Langevin Dynamics for Deep Neural Networks", AAAI 2016,
 * equations 4 to 6, with the localising prior of Lau et al., arXiv 2308.12108. As in devinterp: v is of the minibatch gradient
 * g of the mean loss itself, without t and without the prior, and the term Gamma(w) = dG/dw of the paper is left out.
 *
 * It is offered for comparison with the literature. Where G does not depend on w it is classic SGLD of step eps G in each
 * coordinate, with the same bias. Where G does, it does not sample exp(-U): without Gamma(w) chains stay too long where
 * gradients are large, and G is of the very gradient that it multiplies.
 */
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { Sampler } from "./sampler.ts";

/** alpha: share of v that stays from step to step. */
export const RMSPROP_DECAY = 0.99;
/** lambda: what keeps G finite where there is no gradient, in the units of g. */
export const RMSPROP_FLOOR = 0.1;

/** The carry is v. */
export function rmspropSgld(decay = RMSPROP_DECAY, floor = RMSPROP_FLOOR): Sampler {
  return {
    init: (tf, position) => ({
      position: position.map((w) => tf.clone(w)),
      carry: position.map((w) => tf.zerosLike(w)),
    }),
    step: (tf, state, { gradient, anchor, normal, settings: { t, gamma, epsilon } }) => {
      const carry = state.carry.map((v, p) => tf.add(tf.mul(decay, v), tf.mul(1 - decay, tf.square(gradient[p]!))));
      const position = state.position.map((w, p): Tensor => {
        const pull = tf.mul(gamma(w.rank), tf.sub(w, anchor[p]!));
        const drift = tf.add(tf.mul(t(w.rank), gradient[p]!), pull);
        const step = tf.div(epsilon(w.rank), tf.add(tf.sqrt(carry[p]!), floor));
        return tf.add(tf.sub(w, tf.mul(tf.mul(0.5, step), drift)), tf.mul(tf.sqrt(step), normal[p]!));
      });
      return { position, carry };
    },
  };
}
