/** A leapfrog trajectory of all chains, measured at every point (`leapfrog.ts` has the equations). */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { Pace } from "../engine/pace.ts";
import { measurePhase, pushChains, type Phase } from "./leapfrog.ts";

/** What chains move in; lent. */
export interface Field {
  readonly tf: Tf;
  /** w0, [chains, ...shape] by parameter */
  readonly anchor: readonly Tensor[];
  readonly t: MemberVector;
  readonly gamma: MemberVector;
  /** At these positions. The caller owns what it gets. */
  evaluate(position: readonly Tensor[]): Slope;
}

export interface Slope {
  /** grad L, [chains, ...shape] by parameter */
  readonly gradient: readonly Tensor[];
  /** L - L0, [chains] */
  readonly difference: Tensor;
}

/** Where a trajectory starts; lent. */
export interface TrajectoryStart extends Phase {
  readonly gradient: readonly Tensor[];
}

export interface Trajectory {
  /** Of its end. The caller owns them. */
  readonly position: readonly Tensor[];
  readonly gradient: readonly Tensor[];
  /** By step. */
  readonly points: readonly TrajectoryPoint[];
}

/** Read from the device. */
export interface TrajectoryPoint {
  /** L - L0, by chain. */
  readonly differences: Float32Array;
  /** What `measurePhase` says, four numbers a chain. */
  readonly sums: Float32Array;
}

interface Pushing {
  readonly start: TrajectoryStart;
  /** epsilon, and half of it. */
  readonly full: MemberVector;
  readonly half: MemberVector;
}

/** Owns its tensors until the end is handed over. */
interface Walk {
  phase: Phase;
  gradient: readonly Tensor[];
  readonly points: { readonly difference: Tensor; readonly sums: Tensor }[];
}

/**
 * Follows `steps` steps; gives way after each. Where it throws, nothing is left on the device but what was lent.
 * @param epsilon by chain
 */
export async function followTrajectory(
  field: Field,
  start: TrajectoryStart,
  epsilon: readonly number[],
  steps: number,
  pace: Pick<Pace, "turn">,
): Promise<Trajectory> {
  const { tf } = field;
  const half = epsilon.map((value) => value / 2);
  const pushing: Pushing = { start, full: new MemberVector(tf, epsilon), half: new MemberVector(tf, half) };
  const walk: Walk = { phase: start, gradient: start.gradient, points: [] };
  try {
    for (let step = 0; step < steps; step += 1) {
      advance(field, pushing, walk);
      await pace.turn();
    }
    const points = read(tf, walk.points);
    tf.dispose([...walk.phase.momentum]);
    return { position: walk.phase.position, gradient: walk.gradient, points };
  } catch (error) {
    abandon(tf, start, walk);
    throw error;
  } finally {
    for (const vector of [pushing.full, pushing.half]) vector.dispose();
    for (const { difference, sums } of walk.points) tf.dispose([difference, sums]);
  }
}

function advance(field: Field, { start, full, half }: Pushing, walk: Walk): void {
  const { tf } = field;
  const { phase: before, gradient } = walk;
  walk.phase = push(field, before, gradient, before === start ? half : full, full);
  if (before !== start) tf.dispose([...before.position, ...before.momentum]);
  const evaluated = field.evaluate(walk.phase.position);
  if (before !== start) tf.dispose([...gradient]);
  walk.gradient = evaluated.gradient;
  const sums = measurePhase(tf, { phase: walk.phase, start, push: { ...forces(field, walk.gradient), kick: (rank) => half.at(rank) } }); // prettier-ignore
  walk.points.push({ difference: evaluated.difference, sums });
}

function push(field: Field, phase: Phase, gradient: readonly Tensor[], kick: MemberVector, drift: MemberVector): Phase {
  const moved = { phase: undefined as Phase | undefined };
  field.tf.tidy(() => {
    const given = { ...forces(field, gradient), kick: (rank: number) => kick.at(rank), drift: (rank: number) => drift.at(rank) }; // prettier-ignore
    moved.phase = pushChains(field.tf, phase, given);
    return [...moved.phase.position, ...moved.phase.momentum];
  });
  return moved.phase!;
}

const forces = ({ anchor, t, gamma }: Field, gradient: readonly Tensor[]) => ({
  gradient,
  anchor,
  t: (rank: number) => t.at(rank),
  gamma: (rank: number) => gamma.at(rank),
});

/** All points together: a device is asked twice a trajectory, not twice a step. */
function read(tf: Tf, points: Walk["points"]): readonly TrajectoryPoint[] {
  const differences = tf.stack(points.map(({ difference }) => difference));
  const sums = tf.stack(points.map((point) => point.sums));
  const [all, every] = [differences.dataSync<"float32">(), sums.dataSync<"float32">()];
  tf.dispose([differences, sums]);
  const chains = all.length / points.length;
  return points.map((_, step) => ({
    differences: all.subarray(step * chains, (step + 1) * chains),
    sums: every.subarray(4 * step * chains, 4 * (step + 1) * chains),
  }));
}

function abandon(tf: Tf, start: TrajectoryStart, { phase, gradient }: Walk): void {
  if (phase !== start) tf.dispose([...phase.position, ...phase.momentum]);
  if (gradient !== start.gradient) tf.dispose([...gradient]);
}
