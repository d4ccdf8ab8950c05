/**
 * Localised stochastic gradient Langevin dynamics. With drift D(w) = t g(w) + gamma (w - w0) = grad U,
 *   classic         w' = w - (eps/2) M D(w) + sqrt(eps M) xi                       xi ~ N(0, 1)
 *   noise-averaged  w' = w - (eps/2) M D(w) + sqrt(eps M) (xi_before + xi) / 2     xi is the next step's xi_before
 * with M = 1, or a diagonal preconditioner that does not change while chains are averaged: the same as M = 1 in the coordinates
 * w / sqrt(M), so that it biases nothing.
 *
 * Classic: Welling & Teh, "Bayesian Learning via Stochastic Gradient Langevin Dynamics", ICML 2011, equation 4, with the
 * localising prior of Lau et al., arXiv 2308.12108. On a quadratic of precision p its variance is 1 / (p (1 - eps p / 4)),
 * too large by up to 6.7 % at the automatic step.
 * Noise-averaged: Leimkuhler & Matthews, "Rational Construction of Stochastic Numerical Methods for Molecular Sampling",
 * Applied Mathematics Research eXpress 2013, equation 4 (step eps/2, unit temperature). The same cost, and the variance on
 * a quadratic is exactly 1 / p at every stable step, eps p < 4. It is what estimates are made with.
 */
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { Sampler } from "./sampler.ts";

export type SgldKernel = "classic" | "noise-averaged";

export function sgld(kernel: SgldKernel): Sampler {
  const averages = kernel === "noise-averaged";
  return {
    init: (tf, position, normal) => ({
      position: position.map((tensor) => tf.clone(tensor)),
      carry: averages ? normal.map((tensor) => tf.clone(tensor)) : [],
    }),
    step: (tf, state, { gradient, anchor, normal, settings, root = [] }) => {
      const position = state.position.map((w, p): Tensor => {
        const { t, gamma, epsilon } = settings;
        const eps = epsilon(w.rank);
        const pull = tf.mul(gamma(w.rank), tf.sub(w, anchor[p]!));
        const drift = tf.add(tf.mul(t(w.rank), gradient[p]!), pull);
        const xi = averages ? tf.mul(0.5, tf.add(state.carry[p]!, normal[p]!)) : normal[p]!;
        const r = root[p];
        const [scaled, noise] = r === undefined ? [drift, xi] : [tf.mul(tf.square(r), drift), tf.mul(r, xi)];
        return tf.add(tf.sub(w, tf.mul(tf.mul(0.5, eps), scaled)), tf.mul(tf.sqrt(eps), noise));
      });
      return { position, carry: averages ? normal.map((tensor) => tf.clone(tensor)) : [] };
    },
  };
}
