/**
 * Hamiltonian Monte Carlo with Metropolis's acceptance, on a fixed set of rows, for several posteriors as one fused program
 * (Duane, Kennedy, Pendleton, Roweth 1987; Neal 2011). Every transition draws momenta p ~ N(0, 1), follows `leapfrog.ts` for a
 * number of steps and accepts the end with probability min(1, exp(-Delta H)), so that it samples U exactly at every step size,
 * up to rounding: there is no discretisation bias to correct.
 *
 *  - The number of steps of a transition is uniform in [L/2, 3L/2], drawn by the transition's number alone, and more while
 *    chains explore (`stage.ts`): all chains of all posteriors share it, and a posterior's numbers depend on nobody beside it.
 *  - The step size is learned on a posterior's own acceptance over the first part of the budget, then frozen; each chain's
 *    transition takes a random share of it (`step-size.ts`). A step that the user has set is taken as it is.
 *  - lambda-hat is read along whole trajectories. A kernel of i leapfrog steps and Metropolis's acceptance a_i leaves the
 *    posterior invariant for every i, so a_i x_i + (1 - a_i) x_0 has the expectation of x, and so has its mean over the n points
 *    of a trajectory, at no gradient more (Nishimura & Dunson, "Recycling intermediate steps to improve Hamiltonian Monte
 *    Carlo", Bayesian Analysis 15, 2020). Effective draws of deep linear networks: 1.7 times those of the ends alone.
 *  - A proposal that is not finite is refused.
 *  - Between two transitions a run can be left, and gone on with by as many of its posteriors as there are: a cut in the middle
 *    of a trajectory goes back to its start.
 *  - A posterior ends when `isDone` says so of its record, or with the budget; the others are packed together and go on.
 */
import { fillUniform, fold, type RandomKey } from "../../src/core/random.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { Piece } from "../checkpoint/cell-memory.ts";
import { joinStacks, readRows } from "../checkpoint/stacks.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { Pace } from "../engine/pace.ts";
import { acceptanceOf, energyError, expectedX, type PointReading } from "./acceptance.ts";
import { firstProgress, keptProgress, progressOf, recordOf, type HmcState, type Progress } from "./hmc-progress.ts";
import { measurePhase } from "./leapfrog.ts";
import { lanesOf, START_SD, type ChainRecord, type Lane, type Posterior } from "./posterior.ts";
import { stageAt, stepsAt } from "./stage.ts";
import { adaptStepSize, firstStepSize, jitteredStep } from "./step-size.ts";
import { stackWeights, unstackWeights, type Surface, type SurfaceBatch } from "./surface.ts";
import { trajectoryLength } from "./trajectory-length.ts";
import { followTrajectory, type Field, type Slope, type Trajectory, type TrajectoryPoint } from "./trajectory.ts";

export interface HmcPlan {
  readonly chains: number;
  /** Gradients of each chain along trajectories, at the most; it takes two more to know w0 and the start. */
  readonly budget: number;
  /** L: mean number of leapfrog steps of a transition. */
  readonly trajectory: number;
  /** The step size is what the posterior says, and is not adapted. */
  readonly fixedStep: boolean;
  /** S: rows of each cell of the surface, as many for each. */
  readonly rows: readonly Int32Array[];
}

export interface HmcEvents {
  /** Has this posterior been sampled enough? Asked now and then after the warm-up. */
  isDone(record: ChainRecord): boolean;
  /** Called after every transition with the gradients that each chain has taken. */
  onTransition(gradients: number): void;
}

/**
 * Draws of each chain before `isDone` is asked for the first time, and between two times. Chains that end as soon as their error
 * looks small enough have looked better than they are: regression with d = 4, 300 seeds, z of their means has the standard
 * deviation 1.21 with 20 and 5, 1.06 with 40 and 15, 1.06 without any stopping.
 */
const FIRST_LOOK = 40;
const LOOK_EVERY = 15;
/** x that is below 0 by less may be rounding. */
const LEAST_BELOW = 0.01;

export type HmcPiece = Piece<HmcState, ChainRecord>;

/**
 * Samples all posteriors; one record each, in their order.
 * @param pieces of each posterior: none is done, and all begin or were left after the same transition
 */
export async function sampleByHmc(
  surface: Surface,
  posteriors: readonly Posterior[],
  plan: HmcPlan,
  events: HmcEvents,
  pace: Pick<Pace, "turn">,
  pieces: readonly HmcPiece[] = [],
): Promise<readonly ChainRecord[]> {
  if (posteriors.length === 0) return [];
  const run = new HmcRun(surface, posteriors, plan, events, pieces);
  try {
    while (run.isOpen) {
      await run.transition(pace);
      events.onTransition(run.gradients);
    }
    return run.finish();
  } finally {
    run.dispose();
  }
}

/** Tensors of the open lanes. */
interface Lanes {
  readonly lanes: readonly Lane[];
  readonly anchor: readonly Tensor[];
  readonly batch: SurfaceBatch;
  /** Losses at w0, [lanes, R]. */
  readonly base: Tensor;
  readonly t: MemberVector;
  readonly gamma: MemberVector;
}

/** Where the chains stand. */
interface Stand {
  readonly position: readonly Tensor[];
  readonly gradient: readonly Tensor[];
  /** By lane. */
  readonly readings: readonly PointReading[];
}

class HmcRun {
  /** Gradients of each chain. */
  gradients = 0;
  readonly #surface: Surface;
  readonly #posteriors: readonly Posterior[];
  readonly #plan: HmcPlan;
  readonly #events: HmcEvents;
  readonly #pieces: readonly HmcPiece[];
  readonly #progress: readonly Progress[];
  #lanes: Lanes;
  #stand: Stand;
  #transitions = 0;

  constructor(
    surface: Surface,
    posteriors: readonly Posterior[],
    plan: HmcPlan,
    events: HmcEvents,
    pieces: readonly HmcPiece[],
  ) {
    this.#surface = surface;
    this.#posteriors = posteriors;
    this.#plan = plan;
    this.#events = events;
    this.#pieces = pieces;
    const left = pieces.flatMap((piece) => piece.left ?? []);
    this.#progress = posteriors.map((posterior, index) =>
      left[index] === undefined ? firstProgress(posterior, plan.chains) : progressOf(left[index]),
    );
    if (left[0] !== undefined) [this.gradients, this.#transitions] = [left[0].gradients, left[0].transitions];
    this.#lanes = this.#gather(posteriors.map((_, index) => index));
    try {
      this.#stand = left.length === 0 ? this.#start() : this.#resumed(left);
    } catch (error) {
      disposeLanes(surface.engine.tf, this.#lanes);
      throw error;
    }
    this.#remember();
  }

  get isOpen(): boolean {
    return this.#lanes.lanes.length > 0 && this.gradients + this.#nextSteps <= this.#plan.budget;
  }

  async transition(pace: Pick<Pace, "turn">): Promise<void> {
    const { budget } = this.#plan;
    const stage = stageAt(this.gradients, budget);
    const warm = stage !== "sample";
    const steps = this.#nextSteps;
    await this.#follow(steps, warm, pace);
    this.#transitions += 1;
    this.gradients += steps;
    if (stage === "explore" && stageAt(this.gradients, budget) === "settle") this.#relearn();
    if (!warm) this.#close();
  }

  get #nextSteps(): number {
    const { budget, trajectory } = this.#plan;
    return stepsAt(this.gradients, budget, trajectoryLength(this.#transitions, trajectory));
  }

  /** Step sizes are learned anew, from where they are. */
  #relearn(): void {
    for (const progress of this.#progress) progress.step = firstStepSize(progress.step.frozen);
  }

  finish(): readonly ChainRecord[] {
    const records = this.#posteriors.map((_, index) => this.#record(index));
    records.forEach((record, index) => this.#pieces[index]?.finish(record));
    return records;
  }

  dispose(): void {
    for (const piece of this.#pieces) piece.leave();
    this.#surface.engine.tf.dispose([...this.#stand.position, ...this.#stand.gradient]);
    disposeLanes(this.#surface.engine.tf, this.#lanes);
  }

  #gather(open: readonly number[]): Lanes {
    const { tf } = this.#surface.engine;
    const lanes = lanesOf(open, this.#plan.chains);
    const of = lanes.map(({ posterior }) => this.#posteriors[posterior]!);
    const anchor = stackWeights(this.#surface, of.map((each) => each.anchor)); // prettier-ignore
    const made = { batch: undefined as SurfaceBatch | undefined };
    try {
      const batch = (made.batch = this.#batch(of));
      const base = tf.tidy(() => batch.gradients(anchor).rows);
      const t = new MemberVector(tf, of.map((each) => each.t)); // prettier-ignore
      const gamma = new MemberVector(tf, of.map((each) => each.gamma)); // prettier-ignore
      return { lanes, anchor, batch, base, t, gamma };
    } catch (error) {
      made.batch?.dispose();
      tf.dispose([...anchor]);
      throw error;
    }
  }

  /** The rows of every lane's posterior. */
  #batch(of: readonly Posterior[]): SurfaceBatch {
    const rows = rowsOfLanes(this.#surface, of.map(({ cell }) => this.#plan.rows[cell]!)); // prettier-ignore
    try {
      return this.#surface.batch(of.map(({ cell }) => cell), rows); // prettier-ignore
    } finally {
      rows.dispose();
    }
  }

  #start(): Stand {
    const { tf } = this.#surface.engine;
    const position = this.#normals("start", 0).map((normal, p) =>
      tf.tidy(() => {
        const start = tf.add(this.#lanes.anchor[p]!, tf.mul(START_SD, normal));
        normal.dispose();
        return start;
      }),
    );
    try {
      const { gradient, difference } = this.#evaluate(position);
      const [t, gamma] = [this.#lanes.t, this.#lanes.gamma].map((vector) => (rank: number) => vector.at(rank));
      // There is no momentum yet, and of the sums those of a move are not read.
      const phase = { position, momentum: position };
      const push = { gradient, anchor: this.#lanes.anchor, t: t!, gamma: gamma!, kick: gamma! };
      const sums = measurePhase(tf, { phase, start: phase, push });
      const readings = this.#read({
        differences: difference.dataSync<"float32">(),
        sums: sums.dataSync<"float32">(),
      });
      tf.dispose([difference, sums]);
      return { position, gradient, readings };
    } catch (error) {
      tf.dispose(position);
      throw error;
    }
  }

  /** Where all posteriors were left. */
  #resumed(left: readonly HmcState[]): Stand {
    const { tf } = this.#surface.engine;
    const position = this.#surface.shapes.map((_, p) => joinStacks(tf, left.map((state) => state.position[p]!))); // prettier-ignore
    try {
      const { gradient, difference } = this.#evaluate(position);
      difference.dispose();
      return { position, gradient, readings: left.flatMap(({ readings }) => readings) };
    } catch (error) {
      tf.dispose(position);
      throw error;
    }
  }

  /** Says where every open posterior stands from now on. */
  #remember(): void {
    const { chains } = this.#plan;
    for (let at = 0; at < this.#lanes.lanes.length; at += chains) {
      const { posterior } = this.#lanes.lanes[at]!;
      this.#pieces[posterior]?.stands(() => this.#transitions, () => this.#stateOf(posterior, at)); // prettier-ignore
    }
  }

  /** @param lane the posterior's first */
  #stateOf(posterior: number, lane: number): HmcState {
    const { chains } = this.#plan;
    const { position, readings } = this.#stand;
    return {
      gradients: this.gradients,
      transitions: this.#transitions,
      ...keptProgress(this.#progress[posterior]!),
      readings: readings.slice(lane, lane + chains),
      position: position.map((tensor) => readRows(this.#surface.engine.tf, tensor, lane, chains)),
    };
  }

  /** Standard normals of every lane, [lanes, ...shape] by parameter. */
  #normals(purpose: string, index: number): readonly Tensor[] {
    const { noise } = this.#surface.engine;
    const keys = this.#lanes.lanes.map((lane) => fold(this.#keyOf(lane), purpose));
    return this.#surface.shapes.map((shape, b) => noise.normals(keys.map((key) => ({ key, a: index, b })), shape)); // prettier-ignore
  }

  #keyOf({ posterior, chain }: Lane): RandomKey {
    return fold(this.#posteriors[posterior]!.key, "hmc", chain);
  }

  /** Of each lane's next trajectory. */
  #epsilons(warm: boolean): readonly number[] {
    return this.#lanes.lanes.map((lane) => {
      const { step } = this.#progress[lane.posterior]!;
      if (this.#plan.fixedStep) return step.frozen;
      const uniform = new Float32Array(1);
      fillUniform(fold(this.#keyOf(lane), "step"), { a: this.#transitions, b: 0 }, uniform);
      return jitteredStep(warm ? step.epsilon : step.frozen, uniform[0]!);
    });
  }

  /** Gradient of L and mean paired difference L - L0, [lanes], at these positions. The caller owns them. */
  #evaluate(position: readonly Tensor[]): Slope {
    const { tf } = this.#surface.engine;
    const { rows, gradients } = this.#lanes.batch.gradients(position);
    const difference = tf.tidy(() => tf.mean(tf.sub(rows, this.#lanes.base), -1));
    rows.dispose();
    return { gradient: gradients, difference };
  }

  /** Follows a trajectory from the stand, and settles where the chains then stand. */
  async #follow(steps: number, warm: boolean, pace: Pick<Pace, "turn">): Promise<void> {
    const { tf } = this.#surface.engine;
    const momentum = this.#normals("momentum", this.#transitions);
    try {
      const { position, gradient } = this.#stand;
      const start = { position, gradient, momentum };
      const end = await followTrajectory(this.#field(), start, this.#epsilons(warm), steps, pace);
      try {
        this.#settle(end, warm);
      } finally {
        tf.dispose([...end.position, ...end.gradient]);
      }
    } finally {
      tf.dispose([...momentum]);
    }
  }

  #field(): Field {
    const { anchor, t, gamma } = this.#lanes;
    return { tf: this.#surface.engine.tf, anchor, t, gamma, evaluate: (position) => this.#evaluate(position) };
  }

  /** By lane. */
  #read({ differences, sums }: TrajectoryPoint): readonly PointReading[] {
    return this.#lanes.lanes.map(({ posterior }, lane) => {
      const { t, gamma } = this.#posteriors[posterior]!;
      const [kinetic, pull, square, slope] = sums.subarray(4 * lane, 4 * lane + 4);
      return {
        x: t * differences[lane]!,
        rest: kinetic! + gamma * pull!,
        displacement: Math.sqrt(square!),
        virial: t * slope! + gamma * square!,
      };
    });
  }

  /** Accepts or refuses the end, records where the chains then stand, and learns. The trajectory is lent. */
  #settle(trajectory: Trajectory, warm: boolean): void {
    const { tf } = this.#surface.engine;
    const points = trajectory.points.map((point) => this.#read(point));
    const end = points.at(-1)!;
    const before = this.#stand;
    const verdicts = this.#lanes.lanes.map((lane, i) => this.#decide(lane, energyError(end[i]!, before.readings[i]!)));
    if (!warm) this.#write(verdicts, points);
    this.#keepLowest(verdicts, trajectory.position, end);
    const from = tf.tensor1d(verdicts.map(({ accepted }, i) => (accepted ? verdicts.length + i : i)), "int32"); // prettier-ignore
    const chosen = (old: readonly Tensor[], fresh: readonly Tensor[]): readonly Tensor[] =>
      old.map((tensor, p) => tf.tidy(() => tf.gather(tf.concat([tensor, fresh[p]!], 0), from)));
    this.#stand = {
      position: chosen(before.position, trajectory.position),
      gradient: chosen(before.gradient, trajectory.gradient),
      readings: verdicts.map(({ accepted }, i) => (accepted ? end[i]! : before.readings[i]!)),
    };
    tf.dispose([from, ...before.position, ...before.gradient]);
    this.#learn(verdicts, warm, points.length);
  }

  /** The weights of the lowest draw, once it is below w0 by more than rounding. */
  #keepLowest(verdicts: readonly Verdict[], position: readonly Tensor[], end: readonly PointReading[]): void {
    const lanes = this.#lanes.lanes;
    const lower = verdicts.flatMap(({ accepted }, i) => {
      const { lowest } = this.#progress[lanes[i]!.posterior]!;
      return accepted && end[i]!.x < Math.min(lowest, -LEAST_BELOW) ? [i] : [];
    });
    if (lower.length === 0) return;
    const weights = unstackWeights(position, lanes.length);
    for (const i of lower) {
      const progress = this.#progress[lanes[i]!.posterior]!;
      if (end[i]!.x < progress.lowest) [progress.lowest, progress.best] = [end[i]!.x, weights[i]];
    }
  }

  #decide(lane: Lane, deltaH: number): Verdict {
    const uniform = new Float32Array(1);
    fillUniform(fold(this.#keyOf(lane), "accept"), { a: this.#transitions, b: 0 }, uniform);
    const acceptance = acceptanceOf(deltaH);
    return { acceptance, accepted: uniform[0]! < acceptance, deltaH };
  }

  #learn(verdicts: readonly Verdict[], warm: boolean, steps: number): void {
    const { chains } = this.#plan;
    for (let at = 0; at < verdicts.length; at += chains) {
      const own = verdicts.slice(at, at + chains);
      const progress = this.#progress[this.#lanes.lanes[at]!.posterior]!;
      const acceptance = own.reduce((sum, verdict) => sum + verdict.acceptance, 0) / chains;
      progress.gradients += chains * steps;
      if (warm) {
        progress.warmUp += 1;
        if (!this.#plan.fixedStep) progress.step = adaptStepSize(progress.step, acceptance);
        continue;
      }
      progress.acceptance += acceptance;
      progress.proposals += 1;
      progress.rejected += own.filter(({ accepted }) => !accepted).length;
      // Without those that are not finite, which are counted apart.
      const errors = own.flatMap(({ deltaH }) => (Number.isFinite(deltaH) ? [deltaH ** 2] : []));
      progress.energyErrors += errors.reduce((sum, error) => sum + error, 0);
      progress.measured += errors.length;
      progress.nonFinite += chains - errors.length;
    }
  }

  /** Writes down where every chain will stand, and the mean of x over the trajectory. */
  #write(verdicts: readonly Verdict[], points: readonly (readonly PointReading[])[]): void {
    this.#lanes.lanes.forEach(({ posterior, chain }, i) => {
      const trace = this.#progress[posterior]!.traces[chain]!;
      const before = this.#stand.readings[i]!;
      const { x, displacement, virial } = verdicts[i]!.accepted ? points.at(-1)![i]! : before;
      trace.x.push(x);
      trace.displacement.push(displacement);
      trace.virial.push(virial);
      const sum = points.reduce((total, point) => total + expectedX(point[i]!, before), 0);
      trace.mean.push(sum / points.length);
    });
  }

  /** Ends the posteriors that have been sampled enough, and packs the others. */
  #close(): void {
    const open = this.#progress.flatMap(({ isOpen }, index) => (isOpen ? [index] : []));
    const done = open.filter((index) => {
      const { length } = this.#progress[index]!.traces[0]!.x;
      return (
        length >= FIRST_LOOK && (length - FIRST_LOOK) % LOOK_EVERY === 0 && this.#events.isDone(this.#record(index))
      );
    });
    if (done.length === 0) return;
    for (const index of done) {
      this.#progress[index]!.isOpen = false;
      this.#pieces[index]?.finish(this.#record(index));
    }
    this.#pack();
    this.#remember();
  }

  #pack(): void {
    const { tf } = this.#surface.engine;
    const before = { lanes: this.#lanes, stand: this.#stand };
    const { lanes } = before.lanes;
    const kept = lanes.flatMap(({ posterior }, i) => (this.#progress[posterior]!.isOpen ? [i] : []));
    if (kept.length === 0) {
      this.#lanes = { ...before.lanes, lanes: [] };
      return;
    }
    this.#lanes = this.#gather([...new Set(kept.map((i) => lanes[i]!.posterior))]);
    const from = tf.tensor1d(kept, "int32");
    const packed = (tensors: readonly Tensor[]): readonly Tensor[] => tensors.map((tensor) => tf.gather(tensor, from));
    const { position, gradient, readings } = before.stand;
    this.#stand = { position: packed(position), gradient: packed(gradient), readings: kept.map((i) => readings[i]!) };
    disposeLanes(tf, before.lanes);
    tf.dispose([from, ...position, ...gradient]);
  }

  #record(index: number): ChainRecord {
    return recordOf(this.#progress[index]!, this.#plan.rows[0]!.length);
  }
}

interface Verdict {
  readonly acceptance: number;
  readonly accepted: boolean;
  readonly deltaH: number;
}

/** Rows of every lane, int32 [lanes, rows]. */
function rowsOfLanes(surface: Surface, rows: readonly Int32Array[]): Tensor {
  const all = new Int32Array(rows.length * rows[0]!.length);
  rows.forEach((own, lane) => all.set(own, lane * own.length));
  return surface.engine.tf.tensor2d(all, [rows.length, rows[0]!.length], "int32");
}

function disposeLanes(tf: Tf, { anchor, batch, base, t, gamma }: Lanes): void {
  batch.dispose();
  t.dispose();
  gamma.dispose();
  tf.dispose([...anchor, base]);
}
