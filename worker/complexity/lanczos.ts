/**
 * The spectrum of the Hessian of L at w0 where no kernel matrix fits: Lanczos on Hessian-vector products that are differences
 * of gradients, H v = (g(w0 + h v) - g(w0 - h v)) / 2h, on a fixed set of rows, for all cells and probes as one fused program.
 *
 * From a random start v of signs the run is a Gauss quadrature, v^T f(H) v = d sum_k weight_k f(node_k) (Bai, Fahey & Golub,
 * 1996; Ubaru, Chen & Saad, SIAM J. Matrix Anal. 38, 2017), whose mean over probes is tr f(H). A few steps do not tell curvatures
 * of 1/t from none, so the rule of a probe is Gauss and Radau's with a node at 0: what it leaves unresolved counts as flat, and
 * tr f(H) of an f like t s / (t s + gamma), whose derivatives alternate in sign, is bounded from below. With
 * few directions the probes are the unit vectors, and the trace is exact. From the start g = grad L(w0) it
 * tells how far below w0 the quadratic approximation of U has its minimum:
 *   descent = (t^2 / 2) g^T (t H + gamma)^-1 g,
 * what the posterior mean of x loses because w0 is no minimum. Negative curvature counts as 0.
 */
import { fillUniform, fold, type RandomKey } from "../../src/core/random.ts";
import type { Tensor } from "../../src/catalogue/entry.ts";
import { gaussRule, type GaussRule } from "../../src/stats/tridiagonal.ts";
import type { Pace } from "../engine/pace.ts";
import { stackWeights, type Surface, type SurfaceBatch } from "../sample/surface.ts";

/** What Lanczos says of one cell. */
export interface LanczosSpectrum {
  /** d */
  readonly dimension: number;
  /** One rule a random probe. */
  readonly probes: readonly GaussRule[];
  /** From the gradient; undefined where it is 0. */
  readonly descent: { readonly rule: GaussRule; readonly squaredNorm: number } | undefined;
  /** Gradients that it took, of the rows it was given. */
  readonly gradients: number;
}

export interface LanczosSource {
  readonly surface: Surface;
  /** Cells of the surface. */
  readonly cells: readonly number[];
  /** w0 of each. */
  readonly anchors: readonly (readonly Float32Array[])[];
  readonly keys: readonly RandomKey[];
  /** Rows of each cell, as many for each. */
  readonly rows: readonly Int32Array[];
  /** grad L(w0) of each cell where the rows are not all that it is over; by default that of the rows. */
  readonly slopes?: readonly Float32Array[];
}

const PROBES = 3;
const STEPS = 20;
/** Up to so many directions a run knows all of H: then a probe for each, for three of signs would err by some ten percent. */
const FEW_DIRECTIONS = STEPS;
/**
 * |h v| as a share of |w0|, at least of 1, v of length 1. The difference of gradients in float32 errs by about 1e-7 |g| / h, which
 * flat directions would show as curvature; the third derivative, by h^2.
 */
const DIFFERENCE = 3e-3;
/** Nodes below this share of the largest are rounding, and count as 0. */
const ZERO = 1e-7;

/** A Lanczos run of one lane. */
interface Run {
  readonly vectors: Float32Array[];
  readonly diagonal: number[];
  readonly beside: number[];
  isOpen: boolean;
}

/** @param withProbes random starts beside the gradient */
export async function lanczos(
  source: LanczosSource,
  withProbes: boolean,
  pace: Pick<Pace, "turn">,
): Promise<readonly LanczosSpectrum[]> {
  const { surface, cells, anchors, rows } = source;
  const { tf } = surface.engine;
  const few = surface.dimension <= FEW_DIRECTIONS;
  const lanes = 1 + (withProbes ? (few ? surface.dimension : PROBES) : 0);
  const of = cells.flatMap((_, i) => Array.from({ length: lanes }, () => i));
  const all = new Int32Array(of.length * rows[0]!.length);
  of.forEach((i, lane) => all.set(rows[i]!, lane * rows[0]!.length));
  const numbers = tf.tensor2d(all, [of.length, rows[0]!.length], "int32");
  const batch = surface.batch(of.map((i) => cells[i]!), numbers); // prettier-ignore
  numbers.dispose();
  const w0 = stackWeights(surface, of.map((i) => anchors[i]!)); // prettier-ignore
  try {
    const slopes = source.slopes ?? gradientsOf(surface, batch, w0).filter((_, lane) => lane % lanes === 0);
    const probe = (i: number, at: number): Float32Array =>
      few ? unit(at - 1, surface.dimension) : signs(source.keys[i]!, at, surface.dimension);
    const starts = of.map((i, lane) => (lane % lanes === 0 ? slopes[i]! : probe(i, lane % lanes)));
    const norms = starts.map(norm);
    const runs = starts.map((start, lane) => open(start, norms[lane]!));
    const steps = Math.min(STEPS, surface.dimension);
    const h = of.map((i) => DIFFERENCE * Math.max(1, Math.hypot(...anchors[i]!.map(norm))));
    for (let step = 0; step < steps; step += 1) {
      advance({ surface, batch, w0, h }, runs, step === steps - 1);
      await pace.turn();
    }
    return cells.map((_, i) => {
      const [slope, ...random] = runs.slice(i * lanes, (i + 1) * lanes);
      const first = ruleOf(slope!);
      const probes = random.map(flooredRule).filter((rule) => rule !== undefined);
      const squaredNorm = norms[i * lanes]! ** 2;
      const descent = first === undefined || squaredNorm === 0 ? undefined : { rule: first, squaredNorm };
      return { dimension: surface.dimension, probes, descent, gradients: lanes * (1 + 2 * steps) };
    });
  } finally {
    batch.dispose();
    tf.dispose([...w0]);
  }
}

/** (t^2 / 2) g^T (t H + gamma)^-1 g */
export function descentOf({ descent }: LanczosSpectrum, t: number, gamma: number): number {
  if (descent === undefined) return 0;
  const { nodes, weights } = descent.rule;
  const sum = nodes.reduce((total, node, k) => total + weights[k]! / (t * Math.max(0, node) + gamma), 0);
  return ((t * t) / 2) * descent.squaredNorm * sum;
}

/** Estimate of tr f(H), over the probes. */
export function traceOf({ dimension, probes }: LanczosSpectrum, f: (s: number) => number): number {
  const each = probes.map(({ nodes, weights }) => {
    const least = ZERO * Math.max(0, ...nodes);
    return nodes.reduce((sum, node, k) => sum + weights[k]! * f(node > least ? node : 0), 0);
  });
  return (dimension * each.reduce((sum, value) => sum + value, 0)) / each.length;
}

/** Largest eigenvalue, from below. */
export function topOf({ probes, descent }: LanczosSpectrum): number {
  const rules = [...probes, ...(descent === undefined ? [] : [descent.rule])];
  return Math.max(0, ...rules.flatMap(({ nodes }) => nodes));
}

function open(start: Float32Array, length: number): Run {
  const usable = Number.isFinite(length) && length > 0;
  return { vectors: usable ? [start.map((value) => value / length)] : [], diagonal: [], beside: [], isOpen: usable };
}

const ruleOf = ({ diagonal, beside }: Run): GaussRule | undefined =>
  diagonal.length === 0 ? undefined : gaussRule(diagonal, beside.slice(0, diagonal.length - 1));

/**
 * With a node at 0 (Golub, SIAM Review 15, 1973): one more diagonal entry b_m^2 / d_m, d the pivots of the matrix. Where they
 * are not all positive there is negative curvature, and the plain rule serves.
 */
function flooredRule(run: Run): GaussRule | undefined {
  const { diagonal, beside } = run;
  if (beside.length < diagonal.length) return ruleOf(run);
  let pivot = diagonal[0]!;
  for (let k = 1; k < diagonal.length; k += 1) {
    if (!(pivot > 0)) return ruleOf(run);
    pivot = diagonal[k]! - beside[k - 1]! ** 2 / pivot;
  }
  if (!(pivot > 0)) return ruleOf(run);
  return gaussRule([...diagonal, beside.at(-1)! ** 2 / pivot], beside);
}

/** One step of every open run. */
function advance(at: At, runs: readonly Run[], last: boolean): void {
  if (!runs.some(({ isOpen }) => isOpen)) return;
  const zero = new Float32Array(at.surface.dimension);
  const images = hessianTimes(at, runs.map(({ vectors, isOpen }) => (isOpen ? vectors.at(-1)! : zero))); // prettier-ignore
  runs.forEach((run, lane) => {
    if (!run.isOpen) return;
    const image = images[lane]!;
    const alpha = dot(image, run.vectors.at(-1)!);
    if (!Number.isFinite(alpha)) {
      run.isOpen = false;
      return;
    }
    run.diagonal.push(alpha);
    // Twice: once leaves rounding along the vectors that have converged.
    for (let pass = 0; pass < 2; pass += 1) for (const vector of run.vectors) remove(image, vector);
    const beta = norm(image);
    // Below it the run is exact: the start lies in an invariant subspace.
    if (beta <= 1e-6 * Math.max(...run.diagonal.map(Math.abs))) {
      run.isOpen = false;
      return;
    }
    run.beside.push(beta);
    run.isOpen = !last;
    if (last) return;
    run.vectors.push(Float32Array.from(image, (value) => value / beta));
  });
}

/** Where Hessians are taken: w0 of each lane, and the length of a difference. */
interface At {
  readonly surface: Surface;
  readonly batch: SurfaceBatch;
  readonly w0: readonly Tensor[];
  readonly h: readonly number[];
}

function hessianTimes(at: At, vectors: readonly Float32Array[]): readonly Float64Array[] {
  const [ahead, behind] = [1, -1].map((sign) => {
    const moved = shifted(at, vectors, sign);
    const slopes = gradientsOf(at.surface, at.batch, moved);
    at.surface.engine.tf.dispose([...moved]);
    return slopes;
  });
  return ahead!.map((g, lane) => Float64Array.from(g, (value, i) => (value - behind![lane]![i]!) / (2 * at.h[lane]!)));
}

/** w0 + sign h v */
function shifted({ surface, w0, h }: At, vectors: readonly Float32Array[], sign: number): readonly Tensor[] {
  const { tf } = surface.engine;
  let from = 0;
  return w0.map((tensor) => {
    const size = tensor.size / vectors.length;
    const all = new Float32Array(tensor.size);
    vectors.forEach((vector, lane) => {
      const step = sign * h[lane]!;
      for (let i = 0; i < size; i += 1) all[lane * size + i] = step * vector[from + i]!;
    });
    from += size;
    return tf.tidy(() => tf.add(tensor, tf.tensor(all, tensor.shape)));
  });
}

/** Gradient of each lane's mean loss, flat. */
function gradientsOf(surface: Surface, batch: SurfaceBatch, weights: readonly Tensor[]): readonly Float32Array[] {
  const { rows, gradients } = batch.gradients(weights);
  const [lanes = 0] = rows.shape;
  const flat = Array.from({ length: lanes }, () => new Float32Array(surface.dimension));
  let from = 0;
  for (const gradient of gradients) {
    const values = gradient.dataSync<"float32">();
    const size = values.length / lanes;
    flat.forEach((out, lane) => out.set(values.subarray(lane * size, (lane + 1) * size), from));
    from += size;
  }
  surface.engine.tf.dispose([rows, ...gradients]);
  return flat;
}

/** grad L(w0) of each cell over all rows, in parts. */
export async function wholeGradients(
  surface: Surface,
  cells: readonly number[],
  anchors: readonly (readonly Float32Array[])[],
  part: number,
  pace: Pick<Pace, "turn">,
): Promise<readonly Float32Array[]> {
  const { tf } = surface.engine;
  const w0 = stackWeights(surface, anchors);
  const sums = cells.map(() => new Float32Array(surface.dimension));
  try {
    for (let from = 0; from < surface.rows; from += part) {
      const count = Math.min(part, surface.rows - from);
      const numbers = tf.tensor2d(Int32Array.from({ length: cells.length * count }, (_, i) => from + (i % count)), [cells.length, count], "int32"); // prettier-ignore
      const batch = surface.batch(cells, numbers);
      const slopes = gradientsOf(surface, batch, w0);
      sums.forEach((sum, i) => slopes[i]!.forEach((value, at) => (sum[at]! += (value * count) / surface.rows)));
      batch.dispose();
      numbers.dispose();
      await pace.turn();
    }
  } finally {
    tf.dispose([...w0]);
  }
  return sums;
}

function unit(at: number, count: number): Float32Array {
  const vector = new Float32Array(count);
  vector[at] = 1;
  return vector;
}

function signs(key: RandomKey, probe: number, count: number): Float32Array {
  const uniforms = new Float32Array(count);
  fillUniform(fold(key, "lanczos"), { a: probe, b: 0 }, uniforms);
  return uniforms.map((value) => (value < 0.5 ? -1 : 1));
}

type Vector = Float32Array | Float64Array;

function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

const norm = (a: Vector): number => Math.sqrt(dot(a, a));

function remove(from: Vector, unit: Vector): void {
  const along = dot(from, unit);
  for (let i = 0; i < from.length; i += 1) from[i]! -= along * unit[i]!;
}
