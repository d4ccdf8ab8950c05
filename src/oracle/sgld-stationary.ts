/** What minibatch Langevin dynamics reads on a quadratic potential, its discretisation and its gradient noise included. */
import { invariant } from "../core/errors.ts";

export interface SgldOnQuadratic {
  /** h_i >= 0, the curvatures of L along its axes. */
  readonly curvatures: readonly number[];
  /** c_i, the variance of one sample's gradient along axis i; 0 for full gradients. */
  readonly covariances: readonly number[];
  readonly t: number;
  readonly gamma: number;
  /** Step size: w <- w - (epsilon/2)(t g_B(w) + gamma w) + N(0, epsilon). */
  readonly epsilon: number;
  /** m, samples a batch, drawn independently. */
  readonly batch: number;
}

export interface StationaryReading {
  /** E[t (L(w) - L(0))] in the stationary state; infinite where there is none. */
  readonly reading: number;
  readonly stable: boolean;
}

/**
 * The recursion w' = (1 - epsilon p/2) w - (epsilon/2) t n + sqrt(epsilon) xi, p_i = t h_i + gamma, var n = c_i/m, has the
 * stationary variance (1 + epsilon t^2 c_i/(4m)) / (p_i (1 - epsilon p_i/4)), so the reading of t K = t/2 sum_i h_i w_i^2 is
 * 1/2 sum_i t h_i (1 + epsilon t^2 c_i/(4m)) / (p_i (1 - epsilon p_i/4)), stable iff epsilon max p < 4.
 */
export function sgldStationary(run: SgldOnQuadratic): StationaryReading {
  const { curvatures, covariances, t, gamma, epsilon, batch } = run;
  invariant(curvatures.length === covariances.length, "one gradient variance a curvature");
  invariant(t > 0 && gamma > 0 && epsilon > 0 && batch > 0, "t, gamma, epsilon and batch are positive");
  const steepest = Math.max(0, ...curvatures.map((h) => t * h + gamma));
  if (!(epsilon * steepest < 4)) return { reading: Number.POSITIVE_INFINITY, stable: false };
  const reading = curvatures.reduce((sum, h, i) => {
    const p = t * h + gamma;
    const noise = 1 + (epsilon * t * t * covariances[i]!) / (4 * batch);
    return sum + (t * h * noise) / (2 * p * (1 - (epsilon * p) / 4));
  }, 0);
  return { reading, stable: true };
}
