/**
 * The largest curvature of U at the members' positions, by power iteration on Hessian-vector products that are differences of
 * gradients: H v = (grad U(w + h v) - grad U(w - h v)) / 2h, in the coordinates w / root where there is a preconditioner.
 */
import type { RandomKey } from "../../src/core/random.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { MemberVector } from "../engine/member-vector.ts";
import type { SurfaceBatch, SurfaceEngine } from "./surface.ts";

export interface CurvatureSource {
  readonly engine: SurfaceEngine;
  readonly batch: SurfaceBatch;
  /** [members, ...shape] by parameter */
  readonly position: readonly Tensor[];
  readonly t: MemberVector;
  readonly gamma: MemberVector;
  /** Square root of a diagonal preconditioner; none for 1. */
  readonly root: readonly Tensor[];
  /** Of each member's first vector. */
  readonly keys: readonly RandomKey[];
}

/** Iterations: the estimate is from below, within some percent where the spectrum is not flat. */
const ITERATIONS = 15;
/** Gradients that it takes. */
export const CURVATURE_GRADIENTS = 2 * ITERATIONS;
/** Length of a step along v, |v| = 1, as a share of the weights' own size: float32 holds the difference. */
const DIFFERENCE = 1e-3;

/** Of each member; NaN or infinite where its gradients are. */
export function largestCurvature(source: CurvatureSource): readonly number[] {
  const { tf } = source.engine;
  let vector: readonly Tensor[] = firstVector(source);
  let lengths: readonly number[] = [];
  for (let i = 0; i < ITERATIONS; i += 1) {
    const made = tf.tidy(() => [...image(source, vector)]);
    tf.dispose([...vector]);
    const length = made.pop()!;
    lengths = [...length.dataSync<"float32">()];
    length.dispose();
    vector = made;
  }
  tf.dispose([...vector]);
  return lengths;
}

/** H v / |H v| by parameter, then |H v|, [members]. Inside a tidy. */
function image(source: CurvatureSource, vector: readonly Tensor[]): readonly Tensor[] {
  const { engine, batch, position, t, gamma, root } = source;
  const { tf } = engine;
  const step = vector.map((v, p) => tf.mul(DIFFERENCE, root[p] === undefined ? v : tf.mul(root[p], v)));
  const ahead = batch.gradients(position.map((w, p) => tf.add(w, step[p]!))).gradients;
  const behind = batch.gradients(position.map((w, p) => tf.sub(w, step[p]!))).gradients;
  const product = ahead.map((g, p) => {
    const slope = tf.mul(tf.mul(t.at(g.rank), 0.5), tf.sub(g, behind[p]!));
    const pulled = tf.div(tf.add(slope, tf.mul(gamma.at(g.rank), step[p]!)), DIFFERENCE);
    return root[p] === undefined ? pulled : tf.mul(root[p], pulled);
  });
  const length = norms(tf, product);
  return [...normalised(tf, product, length), length];
}

function firstVector({ engine, position, keys }: CurvatureSource): readonly Tensor[] {
  const { tf } = engine;
  return tf.tidy(() => {
    const normals = position.map(
      ({ shape }, b) =>
      engine.noise.normals(keys.map((key) => ({ key, a: 0, b })), shape.slice(1)), // prettier-ignore
    );
    return [...normalised(tf, normals, norms(tf, normals))];
  });
}

/** |v| of each member, [members]. */
function norms(tf: Tf, vector: readonly Tensor[]): Tensor {
  const squares = vector.map((v) => tf.sum(tf.square(tf.reshape(v, [v.shape[0], -1])), -1));
  return tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
}

function normalised(tf: Tf, vector: readonly Tensor[], length: Tensor): readonly Tensor[] {
  // A zero image stays zero.
  const safe = tf.maximum(length, 1e-30);
  return vector.map((v) => tf.div(v, tf.reshape(safe, [-1, ...v.shape.slice(1).map(() => 1)])));
}
