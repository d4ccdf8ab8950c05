/**
 * The stochastic gradient Nose-Hoover thermostat, with drift D(w) = t g(w) + gamma (w - w0), momenta m of all d coordinates and
 * one friction theta for each chain:
 *   m' = (1 - theta) m - eps D(w) + sqrt(2 A eps) xi      xi ~ N(0, 1),   m ~ N(0, eps) at the start
 *   w' = w + m'
 *   theta' = theta + |m'|^2 / d - eps                     theta = A at the start
 * Ding, Fang, Babbush, Chen, Skeel, Neven, "Bayesian Sampling Using Stochastic Gradient Thermostats", NeurIPS 2014, algorithm
 * 1 (step h) with m = h p, eps = h^2, theta = h xi, A = h A_paper, and the localising prior of Lau et al., arXiv 2308.12108.
 * No halves: momenta of p = m / sqrt(eps) have unit mass and unit temperature, so that in the limit of small steps (w, p, theta)
 * is distributed as exp(-U(w) - |p|^2 / 2 - (d/2) (theta - A)^2 / eps). The thermostat keeps the mean of |m|^2 / d at eps exactly, and
 * with it takes up gradient noise of unknown, constant variance.
 *
 * On a quadratic of one precision p and many coordinates the variance is (1 - theta/2) / p at every stable step, with theta
 * the root of 2 A = 2 theta - theta^2 - eps p theta / 2, close to A. It is 1/p when A goes to 0 with eps.
 *
 * devinterp's class SGNHT brakes after the gradient, m' = (1 - theta) (m - eps D(w)) + .., whose variance is too large by 1 / (1 -
 * theta); its newer SGMCMC.sgnht computes momenta and friction and applies neither, which leaves SGLD with noise sqrt(2 A eps) xi
 * at the temperature 2 A. Neither is localised. This is the paper's, for comparison with the literature.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { Sampler } from "./sampler.ts";

/** A: friction that the injected noise is in balance with; a step forgets about this share of the momentum. */
export const SGNHT_DIFFUSION = 0.01;

/** The carry is m / sqrt(eps) by parameter, then theta, [K]. */
export function sgnht(diffusion = SGNHT_DIFFUSION): Sampler {
  return {
    init: (tf, position, normal) => ({
      position: position.map((w) => tf.clone(w)),
      carry: [...normal.map((xi) => tf.clone(xi)), tf.mul(diffusion, tf.ones(position[0]!.shape.slice(0, 1)))],
    }),
    step: (tf, state, { gradient, anchor, normal, settings: { t, gamma, epsilon } }) => {
      const theta = state.carry.at(-1)!;
      const spread = Math.sqrt(2 * diffusion);
      const momentum = state.position.map((w, p): Tensor => {
        const pull = tf.mul(gamma(w.rank), tf.sub(w, anchor[p]!));
        const drift = tf.add(tf.mul(t(w.rank), gradient[p]!), pull);
        const kept = tf.mul(tf.sub(1, ofRank(tf, theta, w.rank)), state.carry[p]!);
        return tf.add(tf.sub(kept, tf.mul(tf.sqrt(epsilon(w.rank)), drift)), tf.mul(spread, normal[p]!));
      });
      const position = state.position.map((w, p) => tf.add(w, tf.mul(tf.sqrt(epsilon(w.rank)), momentum[p]!)));
      const excess = tf.sub(meanSquare(tf, momentum), 1);
      return { position, carry: [...momentum, tf.add(theta, tf.mul(epsilon(1), excess))] };
    },
  };
}

/** [K] as [K, 1, ...]. */
function ofRank(tf: Tf, vector: Tensor, rank: number): Tensor {
  return tf.reshape(vector, [vector.size, ...Array.from({ length: rank - 1 }, () => 1)]);
}

/** Over the numbers of all parameters, [K]. */
function meanSquare(tf: Tf, tensors: readonly Tensor[]): Tensor {
  const [members = 0] = tensors[0]!.shape;
  const squares = tensors.map((tensor) => tf.sum(tf.reshape(tf.square(tensor), [members, -1]), -1));
  const d = tensors.reduce((sum, { size }) => sum + size, 0) / members;
  return tf.div(squares.reduce((sum, square) => tf.add(sum, square)), d); // prettier-ignore
}
