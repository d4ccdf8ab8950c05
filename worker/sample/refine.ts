/**
 * Brings w0 to the minimum of U near it, on a fixed set of rows: accelerated gradient descent
 *   w_(k+1) = y_k - eta grad U(y_k),   y_(k+1) = w_(k+1) + k/(k+3) (w_(k+1) - w_k)
 * (Nesterov 1983) that starts its momentum again whenever the loss rises (O'Donoghue & Candes, Foundations of Computational
 * Mathematics 15, 2015), for all cells as one fused program. The pull gamma/2 |w - w0|^2 keeps it local.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { Piece } from "../checkpoint/cell-memory.ts";
import type { Stack } from "../checkpoint/saved-value.ts";
import { joinStacks, readRows } from "../checkpoint/stacks.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { Pace } from "../engine/pace.ts";
import type { Posterior } from "./posterior.ts";
import { stackWeights, unstackWeights, type Surface } from "./surface.ts";

export interface Refined {
  readonly weights: readonly Float32Array[];
  /** L(w0) - L(w), on the rows. */
  readonly gain: number;
  /** |w - w0| */
  readonly moved: number;
  /** Gradients taken. */
  readonly gradients: number;
}

export interface RefinePlan {
  readonly steps: number;
  /** Rows of each posterior, as many for each. */
  readonly rows: readonly Int32Array[];
  /** t s_max + gamma of each posterior. */
  readonly curvature: readonly number[];
  /** Where each starts from: its anchor, or lower. */
  readonly start: readonly (readonly Float32Array[])[];
}

/** One posterior between two steps. */
export interface RefineState {
  readonly step: number;
  readonly w: readonly Stack[];
  readonly y: readonly Stack[];
  readonly member: Descending;
}

export type RefinePiece = Piece<RefineState, Refined>;

/** Of one posterior. */
interface Descending extends Member {
  /** The lowest point seen: how far below the start, where, and how far from the anchor. */
  readonly best: number;
  readonly weights: readonly Float32Array[];
  readonly moved: number;
}

/**
 * Refines all posteriors, in their order. The best point that was seen counts.
 * @param pieces of each: none is done, and all begin or were left after the same step
 */
export async function refine(
  surface: Surface,
  posteriors: readonly Posterior[],
  plan: RefinePlan,
  pace: Pick<Pace, "turn">,
  pieces: readonly RefinePiece[] = [],
): Promise<readonly Refined[]> {
  if (posteriors.length === 0) return [];
  const { tf } = surface.engine;
  const numbers = new Int32Array(posteriors.length * plan.rows[0]!.length);
  plan.rows.forEach((rows, i) => numbers.set(rows, i * rows.length));
  const rows = tf.tensor2d(numbers, [posteriors.length, plan.rows[0]!.length], "int32");
  const batch = surface.batch(posteriors.map(({ cell }) => cell), rows); // prettier-ignore
  const anchor = stackWeights(surface, posteriors.map((each) => each.anchor)); // prettier-ignore
  const base = batch.gradients(anchor);
  const left = pieces.flatMap((piece) => piece.left ?? []);
  const members = posteriors.map((posterior, i) => ({ ...(left[i]?.member ?? first(posterior, plan.curvature[i]!)) }));
  let w: readonly Tensor[] = left.length === 0 ? stackWeights(surface, plan.start) : joined(tf, left, "w");
  let y: readonly Tensor[] = left.length === 0 ? w.map((tensor) => tf.clone(tensor)) : joined(tf, left, "y");
  let step = left[0]?.step ?? 0;
  pieces.forEach((piece, i) => {
    const rows = (tensors: readonly Tensor[]): readonly Stack[] => tensors.map((tensor) => readRows(tf, tensor, i, 1));
    piece.stands(() => step, () => ({ step, w: rows(w), y: rows(y), member: { ...members[i]! } })); // prettier-ignore
  });
  try {
    while (step < plan.steps) {
      const { rows: losses, gradients } = batch.gradients(y);
      const gains = read(tf.tidy(() => tf.mean(tf.sub(base.rows, losses), -1)));
      const squares = read(squaredDistance(surface, y, anchor));
      losses.dispose();
      const better = members.map((member, i) => gains[i]! - (member.gamma / (2 * member.t)) * squares[i]!);
      if (better.some((value, i) => value > members[i]!.best)) {
        const all = unstackWeights(y, members.length);
        members.forEach((member, i) => {
          if (!(better[i]! > member.best)) return;
          Object.assign(member, { best: better[i]!, weights: all[i]!, moved: Math.sqrt(squares[i]!) });
        });
      }
      const momentum = members.map((member, i) => momentumOf(member, -better[i]!));
      const next = advance(surface, { w, y, anchor, gradients }, members, momentum);
      tf.dispose([...w, ...y, ...gradients]);
      [w, y] = [next.w, next.y];
      step += 1;
      await pace.turn();
    }
    const refined = members.map(({ weights, best, moved, gamma, t }) => ({
      weights,
      gain: best + (gamma / (2 * t)) * moved ** 2,
      moved,
      gradients: plan.steps + 1,
    }));
    refined.forEach((each, i) => pieces[i]?.finish(each));
    return refined;
  } finally {
    for (const piece of pieces) piece.leave();
    batch.dispose();
    tf.dispose([rows, ...anchor, base.rows, ...base.gradients, ...w, ...y]);
  }
}

const first = ({ gamma, t, anchor }: Posterior, curvature: number): Descending => ({
  gamma,
  t,
  // Twice the curvature at w0: it grows away from a degenerate point.
  eta: 1 / (2 * curvature),
  k: 0,
  value: Infinity,
  best: 0,
  weights: anchor,
  moved: 0,
});

const joined = (tf: Tf, left: readonly RefineState[], of: "w" | "y"): readonly Tensor[] =>
  left[0]![of].map((_, p) => joinStacks(tf, left.map((state) => state[of][p]!))); // prettier-ignore

interface Descent {
  readonly w: readonly Tensor[];
  readonly y: readonly Tensor[];
  readonly anchor: readonly Tensor[];
  readonly gradients: readonly Tensor[];
}

interface Member {
  readonly t: number;
  readonly gamma: number;
  eta: number;
  k: number;
  value: number;
}

/** k/(k + 3), from 0 again after a rise; a rise right after a start means that the step is too large. */
function momentumOf(member: Member, value: number): number {
  if (!(value <= member.value)) {
    if (member.k < 2) member.eta /= 4;
    member.k = 0;
  } else member.k += 1;
  member.value = value;
  return member.k / (member.k + 3);
}

function advance(
  { engine: { tf } }: Surface,
  { w, y, anchor, gradients }: Descent,
  members: readonly Member[],
  momentum: readonly number[],
): { readonly w: readonly Tensor[]; readonly y: readonly Tensor[] } {
  const eta = new MemberVector(tf, members.map((member) => member.eta)); // prettier-ignore
  const t = new MemberVector(tf, members.map((member) => member.t)); // prettier-ignore
  const gamma = new MemberVector(tf, members.map((member) => member.gamma)); // prettier-ignore
  const push = new MemberVector(tf, momentum);
  const moved = y.map((at, p) =>
    tf.tidy(() => {
      const pull = tf.mul(gamma.at(at.rank), tf.sub(at, anchor[p]!));
      const slope = tf.add(tf.mul(t.at(at.rank), gradients[p]!), pull);
      return tf.sub(at, tf.mul(eta.at(at.rank), slope));
    }),
  );
  const ahead = moved.map((at, p) => tf.tidy(() => tf.add(at, tf.mul(push.at(at.rank), tf.sub(at, w[p]!)))));
  for (const vector of [eta, t, gamma, push]) vector.dispose();
  return { w: moved, y: ahead };
}

function squaredDistance({ engine: { tf } }: Surface, a: readonly Tensor[], b: readonly Tensor[]): Tensor {
  return tf.tidy(() => {
    const squares = a.map((x, p) => tf.sum(tf.reshape(tf.square(tf.sub(x, b[p]!)), [x.shape[0], -1]), -1));
    return squares.reduce((sum, square) => tf.add(sum, square));
  });
}

function read(tensor: Tensor): Float32Array {
  const values = tensor.dataSync<"float32">();
  tensor.dispose();
  return values;
}
