/**
 * Autoregressive models x_t - mu = sum_k phi_k (x_{t-k} - mu) + e_t of one chain, by the Yule-Walker equations; the order is
 * the one of least AIC. Follows `ar.yw` of R's stats package (Brockwell and Davis, "Time Series: Theory and Methods", 8.1-8.2).
 */
import { mean } from "./moments.ts";

export interface Autoregression {
  /** phi_1, phi_2, ... */
  readonly coefficients: readonly number[];
  /** Variance of e, corrected for degrees of freedom: v n / (n - order - 1). */
  readonly innovationVariance: number;
}

/** The model of least AIC among the orders 0 .. 10 log10(n), n / 2 at the most. */
export function fitAutoregression(chain: Float64Array): Autoregression {
  const n = chain.length;
  const maxOrder = Math.min(Math.floor(n / 2), Math.floor(10 * Math.log10(n)));
  const covariance = autocovariance(chain, maxOrder);
  let best: Autoregression = { coefficients: [], innovationVariance: (covariance[0]! * n) / (n - 1) };
  let bestScore = n * Math.log(covariance[0]!);
  // Levinson-Durbin: the coefficients of order p from those of order p - 1.
  let phi: readonly number[] = [];
  let v = covariance[0]!;
  for (let p = 1; p <= maxOrder && v > 0; p += 1) {
    const reflection = (covariance[p]! - phi.reduce((sum, value, k) => sum + value * covariance[p - 1 - k]!, 0)) / v;
    const before = phi;
    phi = [...before.map((value, k) => value - reflection * before[p - 2 - k]!), reflection];
    v *= 1 - reflection ** 2;
    const score = n * Math.log(v) + 2 * p;
    if (score < bestScore) {
      bestScore = score;
      best = { coefficients: phi, innovationVariance: (v * n) / (n - p - 1) };
    }
  }
  return best;
}

/** The spectral density at frequency zero, scaled so that the variance of the mean of n draws is about S(0) / n. */
export function spectrumAtZero(model: Autoregression): number {
  return model.innovationVariance / (1 - model.coefficients.reduce((a, b) => a + b, 0)) ** 2;
}

/** Autocovariances at lags 0 .. maxLag, with divisor n. */
function autocovariance(chain: Float64Array, maxLag: number): Float64Array {
  const centre = mean(chain);
  return Float64Array.from({ length: maxLag + 1 }, (_, lag) => {
    let sum = 0;
    for (let i = lag; i < chain.length; i += 1) sum += (chain[i]! - centre) * (chain[i - lag]! - centre);
    return sum / chain.length;
  });
}
