/** Chains of known law, by keyed draws. */
import { fillNormal, rootKey } from "../../../src/core/random.ts";

/** Standard normal draws. */
export function independentChain(seed: string, draws: number): Float64Array {
  const normal = new Float32Array(draws);
  fillNormal(rootKey(seed), { a: 0, b: 0 }, normal);
  return Float64Array.from(normal);
}

/** x_t = rho x_{t-1} + sqrt(1 - rho^2) z_t from stationarity: mean 0, variance 1, autocorrelation rho^t. */
export function autoregressiveChain(seed: string, draws: number, rho: number): Float64Array {
  const chain = independentChain(seed, draws);
  for (let t = 1; t < draws; t += 1) chain[t] = rho * chain[t - 1]! + Math.sqrt(1 - rho ** 2) * chain[t]!;
  return chain;
}

export const shifted = (chain: Float64Array, by: number): Float64Array => chain.map((x) => x + by);
