/**
 * The trapezoidal rule in ln x for integrals over (0, infinity): integral f(x) dx ~ sum f(x_k) x_k h. For f analytic in a sector
 * |arg x| < a and small at both ends the error falls as exp(-2 pi a / h), so a fixed step reaches rounding (Trefethen and
 * Weideman, SIAM Review 56(3), 2014).
 */

/** A node and its weight x h. */
export interface LogNode {
  readonly x: number;
  readonly weight: number;
}

/** Relative size of what may be neglected: at the ends of an integral and as its discretisation error. */
export const NEGLIGIBLE = 1e-16;

/** The step in ln x for an integrand that is analytic and decays in |arg x| < angle: exp(-2 pi angle / h) is negligible. */
export function stepFor(angle: number): number {
  return (2 * Math.PI * angle) / -Math.log(NEGLIGIBLE);
}

export function logGrid(lowest: number, highest: number, step: number): readonly LogNode[] {
  const count = Math.ceil(Math.log(highest / lowest) / step) + 1;
  return Array.from({ length: count }, (_, k) => {
    const x = lowest * Math.exp(k * step);
    return { x, weight: x * step };
  });
}
