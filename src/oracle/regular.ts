/** Models that are regular, or quadratic, where the coefficient is half a count of parameters. */
import { invariant } from "../core/errors.ts";

/** lambda of a regular model of d parameters: d/2 (m = 1). */
export function regular(parameters: number): number {
  invariant(Number.isInteger(parameters) && parameters >= 0, `${parameters} is no count of parameters`);
  return parameters / 2;
}

/**
 * lambda of softmax regression, `classes` C, `features` p and a bias, on inputs in general position: (C - 1)(p + 1)/2. Adding one
 * vector to the weights of every class changes nothing, so a class's worth of parameters does not count.
 */
export function softmaxLinear(classes: number, features: number): number {
  return regular((classes - 1) * (features + 1));
}

/**
 * t E_t[K] for K = 1/2 sum_i s_i w_i^2 under exp(-t K - (gamma/2)|w|^2): 1/2 sum_i t s_i / (t s_i + gamma), with s_i >= 0 the
 * eigenvalues of the Hessian.
 */
export function quadraticAtT(eigenvalues: readonly number[], t: number, gamma: number): number {
  invariant(t > 0 && gamma > 0, `t = ${t} and gamma = ${gamma} are positive`);
  return eigenvalues.reduce((sum, s) => sum + (t * s) / (t * s + gamma), 0) / 2;
}
