/** Reduced-rank regression with truth 0 at a finite temperature, exactly: what a perfect sampler reads at t. */
import { invariant } from "../core/errors.ts";
import { logGrid, NEGLIGIBLE, stepFor, type LogNode } from "./log-grid.ts";

export interface ReducedRankShape {
  /** M. */
  readonly inputs: number;
  /** H. */
  readonly hidden: number;
  /** N. */
  readonly outputs: number;
}

/** Largest min(M, H, N): each eigenvalue more is a larger Pfaffian. */
const MAX_EIGENVALUES = 3;

/**
 * t E_t[K] for K = |B A|_F^2, A [H, M], B [N, H], under exp(-t K - (gamma/2)(|A|^2 + |B|^2)), to at least 1e-6.
 *
 * B's rows are Gaussian given A: Z(t) = E[det(I + c G G^T)^(-N/2)], c = 2t / gamma^2, G [H, M] standard normal. With q = min(H, M)
 * and p = max(H, M), the eigenvalues of the Wishart matrix have the density prod_i x_i^((p-q-1)/2) exp(-x_i/2) prod_{i<j}
 * |x_i - x_j| (Muirhead 1982, theorem 3.2.18), so that Z is an integral of q dimensions over the weight
 * w(x) = x^((p-q-1)/2) exp(-x/2) (1 + c x)^(-N/2) and t E_t[K] = -d ln Z / d ln c. De Bruijn's formula makes it a Pfaffian of
 * integrals of one and two dimensions. K is the same for (M, H, N) and (N, H, M), so q is the least of the three.
 */
export function reducedRankAtT(shape: ReducedRankShape, t: number, gamma: number): number {
  const { hidden } = shape;
  const inputs = Math.min(shape.inputs, shape.outputs);
  const outputs = Math.max(shape.inputs, shape.outputs);
  const q = Math.min(hidden, inputs);
  invariant([inputs, hidden, outputs].every(Number.isInteger) && q > 0, "a shape of positive integers");
  invariant(q <= MAX_EIGENVALUES, `min(M, H, N) = ${q} is above ${MAX_EIGENVALUES}`);
  invariant(t > 0 && gamma > 0, `t = ${t} and gamma = ${gamma} are positive`);
  const power = (Math.max(hidden, inputs) - q - 1) / 2;
  const z = partition(q, peakedAtOne({ power, c: (2 * t) / (gamma * gamma), halfN: outputs / 2, logScale: 0 }));
  return z.slope / z.value;
}

/** w(x) = x^power exp(-x/2) (1 + c x)^(-halfN) exp(-logScale). */
interface Weight {
  readonly power: number;
  readonly c: number;
  readonly halfN: number;
  readonly logScale: number;
}

/** ln (x w(x)). */
function logDensity(weight: Weight, x: number): number {
  return (weight.power + 1) * Math.log(x) - x / 2 - weight.halfN * Math.log1p(weight.c * x) - weight.logScale;
}

/** The weight scaled so that x w(x) is at most 1, at its maximum: no product of three of them leaves float64's range. */
function peakedAtOne(weight: Weight): Weight {
  const { power, c, halfN } = weight;
  // d/d ln x: (power + 1) - x/2 - halfN c x/(1 + c x) = 0, a quadratic in x of which the other root is negative.
  const b = 1 / 2 - c * (power + 1 - halfN);
  const root = Math.sqrt(b * b + 2 * c * (power + 1));
  const x = b > 0 ? (2 * (power + 1)) / (b + root) : (root - b) / c;
  return { ...weight, logScale: logDensity(weight, x) };
}

/** A quantity and minus its derivative by ln c. */
interface Dual {
  readonly value: number;
  readonly slope: number;
}

/** Z up to a constant factor. */
function partition(q: number, weight: Weight): Dual {
  const grid = nodesOf(weight, q);
  if (q === 1) return moment(0, grid);
  const pairs = pairIntegrals(weight, grid, q);
  if (q === 2) return pairs.first;
  const [b1, b2, b3] = [0, 1, 2].map((power) => moment(power, grid));
  // The Pfaffian of the 3 x 3 matrix of pair integrals, bordered by the moments.
  return plus(plus(product(pairs.first, b3!), product(pairs.outer, b2!), -1), product(pairs.last, b1!));
}

/** A node of the quadrature with its density w(x) dx and minus its derivative by ln c. */
interface DensityNode extends Dual {
  readonly x: number;
}

/** Nodes from where w's smallest scale 1/c has died out as x^(power + 1) to where exp(-x/2) has, whatever the polynomials. */
function nodesOf(weight: Weight, q: number): readonly DensityNode[] {
  const scale = Math.min(1, 1 / weight.c);
  const lowest = scale * NEGLIGIBLE ** (1 / (weight.power + 1));
  const highest = 8 * (weight.power + q) - 4 * Math.log(NEGLIGIBLE);
  return logGrid(lowest, highest, STEP).map((node) => ({ x: node.x, ...density(weight, node) }));
}

/** exp(-x/2) is analytic and bounded within a right angle of the axis. */
const STEP = stepFor(Math.PI / 2);

function density(weight: Weight, node: LogNode): Dual {
  const cx = weight.c * node.x;
  const value = (node.weight / node.x) * Math.exp(logDensity(weight, node.x));
  return { value, slope: (value * weight.halfN * cx) / (1 + cx) };
}

/** int x^power w(x) dx. */
function moment(power: number, grid: readonly DensityNode[]): Dual {
  return {
    value: grid.reduce((sum, node) => sum + node.x ** power * node.value, 0),
    slope: grid.reduce((sum, node) => sum + node.x ** power * node.slope, 0),
  };
}

/** Integrals of w(x) w(y) over x < y: of y - x (1, 2), of y^2 - x^2 (1, 3) and of x y (y - x) (2, 3). */
interface PairIntegrals {
  readonly first: Dual;
  readonly outer: Dual;
  readonly last: Dual;
}

/** In x and the gap y - x, both on a logarithmic grid, the integrands are analytic: no corner at x = y. */
function pairIntegrals(weight: Weight, grid: readonly DensityNode[], q: number): PairIntegrals {
  const scale = Math.min(1, 1 / weight.c);
  const gaps = logGrid(scale * Math.sqrt(NEGLIGIBLE), grid.at(-1)!.x + q, STEP);
  const [first, outer, last] = [new Float64Array(2), new Float64Array(2), new Float64Array(2)];
  for (const low of grid) {
    for (const gap of gaps) {
      const y = low.x + gap.x;
      const high = density(weight, { x: y, weight: gap.weight });
      const value = gap.x * low.value * high.value;
      const slope = gap.x * (low.value * high.slope + low.slope * high.value);
      add(first, value, slope, 1);
      add(outer, value, slope, low.x + y);
      add(last, value, slope, low.x * y);
    }
  }
  return { first: dual(first), outer: dual(outer), last: dual(last) };
}

function add(sum: Float64Array, value: number, slope: number, factor: number): void {
  sum[0]! += value * factor;
  sum[1]! += slope * factor;
}

function dual(sum: Float64Array): Dual {
  return { value: sum[0]!, slope: sum[1]! };
}

function product(a: Dual, b: Dual): Dual {
  return { value: a.value * b.value, slope: a.value * b.slope + a.slope * b.value };
}

function plus(a: Dual, b: Dual, sign: 1 | -1 = 1): Dual {
  return { value: a.value + sign * b.value, slope: a.slope + sign * b.slope };
}
