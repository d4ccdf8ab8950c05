/** Potentials whose coefficient can be read off: a single monomial, and a sum of powers of single coordinates. */
import { invariant } from "../core/errors.ts";
import type { Coefficient } from "./coefficient.ts";
import { logGamma, type Complex } from "./log-gamma.ts";
import { logGrid, NEGLIGIBLE, stepFor } from "./log-grid.ts";

/**
 * K = prod_i w_i^(2 k_i) at w = 0: lambda = 1/(2 max k), m = the number of maxima (Watanabe 2009). k_i are integers
 * >= 0, not all of them 0.
 */
export function normalCrossing(powers: readonly number[]): Coefficient {
  checkCrossing(powers);
  const highest = Math.max(...powers);
  return { lambda: 1 / (2 * highest), multiplicity: powers.filter((k) => k === highest).length };
}

/** K = sum_i w_i^(p_i), p_i even: lambda = sum_i 1/p_i, m = 1. */
export function powerSum(powers: readonly number[]): Coefficient {
  checkSum(powers);
  return { lambda: powers.reduce((sum, p) => sum + 1 / p, 0), multiplicity: 1 };
}

/**
 * t E_t[K] for K = prod_i w_i^(2 k_i) under the density proportional to exp(-t K - (gamma/2)|w|^2), to at least 1e-9.
 *
 * Z(t) = E[exp(-t K)] under the prior is an inverse Mellin transform, along a line 0 < Re s < lambda,
 * Z = 1/(2 pi i) int Gamma(s) t^-s E[K^-s] ds, E[K^-s] = prod_i (2/gamma)^(-k_i s) Gamma(1/2 - k_i s) / sqrt(pi),
 * and t E_t[K] = -d ln Z / d ln t puts a factor s under the integral. The integrand is analytic and falls as
 * exp(-pi (1 + sum k)|Im s| / 2), so the trapezoidal rule converges exponentially.
 */
export function normalCrossingAtT(powers: readonly number[], t: number, gamma: number): number {
  checkCrossing(powers);
  checkTemperature(t, gamma);
  const total = powers.reduce((sum, k) => sum + k, 0);
  const { lambda, multiplicity } = normalCrossing(powers);
  const logT = Math.log(t) + total * Math.log(2 / gamma);
  // The line runs close to the pole whose residue Z is mostly, lambda for large t and 0 for small, where no digits cancel.
  const distance = Math.min(lambda / 2, (logT > 0 ? multiplicity : 1) / Math.abs(logT));
  const re = logT > 0 ? lambda - distance : distance;
  const step = stepFor(distance);
  const end = (-2 * Math.log(NEGLIGIBLE)) / ((Math.PI * (1 + total)) / 2);
  let z = 0;
  let slope = 0;
  for (let k = 0; k * step <= end; k += 1) {
    const s: Complex = { re, im: k * step };
    const term = mellinTerm(powers, logT, s);
    const weight = k === 0 ? 0.5 : 1;
    z += weight * term.re;
    slope += weight * (s.re * term.re - s.im * term.im);
  }
  return slope / z;
}

/** Gamma(s) exp(-s logT) prod_i Gamma(1/2 - k_i s). */
function mellinTerm(powers: readonly number[], logT: number, s: Complex): Complex {
  let { re, im } = logGamma(s);
  re -= s.re * logT;
  im -= s.im * logT;
  for (const k of powers) {
    const factor = logGamma({ re: 0.5 - k * s.re, im: -k * s.im });
    re += factor.re;
    im += factor.im;
  }
  return { re: Math.exp(re) * Math.cos(im), im: Math.exp(re) * Math.sin(im) };
}

/** t E_t[K] for K = sum_i w_i^(p_i) under exp(-t K - (gamma/2)|w|^2), to at least 1e-9: a sum of one-dimensional quadratures. */
export function powerSumAtT(powers: readonly number[], t: number, gamma: number): number {
  checkSum(powers);
  checkTemperature(t, gamma);
  return powers.reduce((sum, p) => sum + powerAtT(p, t, gamma), 0);
}

/** E[t w^p] under exp(-t w^p - gamma w^2 / 2), w > 0. */
function powerAtT(p: number, t: number, gamma: number): number {
  // The shorter of the two length scales bounds w; the density is flat below it and negligible at 40^(1/2) times it.
  const scale = Math.min(t ** (-1 / p), (gamma / 2) ** (-1 / 2));
  let z = 0;
  let sum = 0;
  for (const { x, weight } of logGrid(scale * NEGLIGIBLE, scale * 8, stepFor(Math.PI / (2 * p)))) {
    const potential = t * x ** p;
    const density = weight * Math.exp(-potential - (gamma / 2) * x * x);
    z += density;
    sum += density * potential;
  }
  return sum / z;
}

function checkCrossing(powers: readonly number[]): void {
  invariant(
    powers.every((k) => Number.isInteger(k) && k >= 0) && powers.some((k) => k > 0),
    `powers ${powers.join(", ")} of a normal crossing are integers >= 0, not all 0`,
  );
}

function checkSum(powers: readonly number[]): void {
  invariant(
    powers.length > 0 && powers.every((p) => Number.isInteger(p / 2) && p > 0),
    `powers ${powers.join(", ")} of a sum are even and positive`,
  );
}

function checkTemperature(t: number, gamma: number): void {
  invariant(t > 0 && gamma > 0 && Number.isFinite(t * gamma), `t = ${t} and gamma = ${gamma} are positive`);
}
