/**
 * Chains of unadjusted dynamics on minibatches, for several posteriors as one fused program. Members are posteriors x chains;
 * everything random is keyed by (posterior, chain, step, tensor), so a chain is the same whoever shares the program.
 *
 * Each step: a batch of the cell's pool is drawn; at the position BEFORE the step, x is read and the gradient is taken, both on
 * that batch and with its control variates where the plan takes them (`batch-pool.ts`); then the sampler steps.
 *
 * What the plan may add against bias:
 *  - a diagonal preconditioner, learned in the middle of the warm-up and frozen (`preconditioner.ts`);
 *  - step and half step: beside every chain that takes half steps runs one that takes whole ones, with the same batches and with
 *    noise (xi_1 + xi_2)/sqrt 2 from the two half steps, so that the pair differs by discretisation alone. What the step biases
 *    to first order (noise of minibatches) or to second (the noise-averaged kernel on a fixed set) is extrapolated away draw by
 *    draw: 2 x_half - x_whole, or (4 x_half - x_whole)/3;
 *  - Metropolis's acceptance of a hypothetical step now and then, on a fixed set of rows (`mala-test.ts`).
 */
import { fillIntegers, fold, type RandomKey } from "../../src/core/random.ts";
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { Piece } from "../checkpoint/cell-memory.ts";
import { readRows } from "../checkpoint/stacks.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { Pace } from "../engine/pace.ts";
import { BatchPool, type PoolBatch } from "./batch-pool.ts";
import { CURVATURE_GRADIENTS, largestCurvature } from "./curvature.ts";
import { chainKeys, correctedGradient, moveChains, normals, type ChainKeys } from "./langevin.ts";
import { cutSet, joinRoots, joinSets, readSet, type ChainSet, type LangevinState } from "./langevin-state.ts";
import { malaAcceptance } from "./mala-test.ts";
import { lanesOf, START_SD, type ChainRecord, type Lane, type Posterior } from "./posterior.ts";
import { GradientSquares } from "./preconditioner.ts";
import { readChains } from "./reading.ts";
import type { Sampler, SamplerSettings, SamplerState } from "./sampler.ts";
import { stackWeights, type Surface, type SurfaceBatch } from "./surface.ts";

export interface LangevinPlan {
  /** A rule of `samplers.ts`. */
  readonly sampler: Sampler;
  /** The sampler is the noise-averaged kernel, for which one fused step stands ready. */
  readonly averages: boolean;
  readonly chains: number;
  /** Steps before the first draw. */
  readonly warmUp: number;
  readonly draws: number;
  /** Steps from one draw to the next. */
  readonly thin: number;
  /** Rows of a batch; 0: all. */
  readonly batch: number;
  /** Control variates for gradient and reading. */
  readonly corrects: boolean;
  readonly preconditions: boolean;
  readonly halfSteps: boolean;
}

/** Steps whose readings are taken from the device together. */
const READ_EVERY = 25;
/** Parts of the warm-up: without preconditioner, learning it, and with it. */
const LEARN_FROM = 0.3;
const LEARN_TO = 0.7;
/** Hypothetical steps of the acceptance test, evenly over the draws, and the rows that they are judged on, at the most. */
const TESTS = 8;
const TEST_ROWS = 1024;

export type LangevinPiece = Piece<LangevinState, ChainRecord>;

/**
 * Samples all posteriors, whose anchors agree where they are of one cell. One record each, in their order.
 * @param pieces of each posterior: none is done, and all begin or were left after the same step
 */
export async function sampleByLangevin(
  surface: Surface,
  posteriors: readonly Posterior[],
  plan: LangevinPlan,
  onStep: (step: number, steps: number) => void,
  pace: Pick<Pace, "turn">,
  pieces: readonly LangevinPiece[] = [],
): Promise<readonly ChainRecord[]> {
  if (posteriors.length === 0) return [];
  const run = new LangevinRun(surface, posteriors, plan, pieces);
  try {
    const steps = plan.warmUp + plan.draws * plan.thin;
    while (run.steps < steps) {
      run.step();
      onStep(run.steps, steps);
      await pace.turn();
    }
    const records = run.records();
    records.forEach((record, index) => pieces[index]?.finish(record));
    return records;
  } finally {
    run.dispose();
  }
}

class LangevinRun {
  /** Done so far. */
  steps = 0;
  readonly #surface: Surface;
  readonly #posteriors: readonly Posterior[];
  readonly #plan: LangevinPlan;
  readonly #lanes: readonly Lane[];
  /** The cell of each lane. */
  readonly #cellOf: readonly number[];
  readonly #keys: ChainKeys;
  readonly #pool: BatchPool;
  /** w0 of every lane. */
  readonly #anchor: readonly Tensor[];
  readonly #t: MemberVector;
  readonly #gamma: MemberVector;
  readonly #displacement: readonly Float64Array[];
  readonly #pieces: readonly LangevinPiece[];
  readonly #squares: GradientSquares;
  #epsilons: readonly number[];
  #root: readonly Tensor[] = [];
  /** The chains that estimates rest on. */
  #fine: ChainSet;
  /** Those of whole steps beside them. */
  #coarse: ChainSet | undefined;
  #tests: SurfaceBatch | undefined;
  #acceptances: (readonly number[])[] = [];
  /** Of each chain. */
  #gradients = 0;
  /** Steps of the fine chains: the address of their noise. */
  #ticks = 0;

  constructor(
    surface: Surface,
    posteriors: readonly Posterior[],
    plan: LangevinPlan,
    pieces: readonly LangevinPiece[],
  ) {
    const { tf } = surface.engine;
    this.#surface = surface;
    this.#posteriors = posteriors;
    this.#plan = plan;
    this.#lanes = lanesOf(posteriors.map((_, index) => index), plan.chains); // prettier-ignore
    const own = this.#lanes.map(({ posterior }) => posteriors[posterior]!);
    this.#cellOf = own.map(({ cell }) => cell);
    this.#pool = this.#openPool();
    this.#anchor = stackWeights(surface, own.map(({ anchor }) => anchor)); // prettier-ignore
    this.#keys = chainKeys(tf, this.#lanes.map((lane) => this.#keyOf(lane, "chain-noise"))); // prettier-ignore
    this.#t = new MemberVector(tf, own.map(({ t }) => t)); // prettier-ignore
    this.#gamma = new MemberVector(tf, own.map(({ gamma }) => gamma)); // prettier-ignore
    this.#pieces = pieces;
    const left = pieces.flatMap((piece) => piece.left ?? []);
    const perLane = (posterior: number): number => left[posterior]?.epsilon ?? posteriors[posterior]!.epsilon;
    this.#epsilons = this.#lanes.map(({ posterior }) => perLane(posterior));
    this.#displacement =
      left.length === 0
        ? this.#lanes.map(() => new Float64Array(plan.draws))
        : left.flatMap(({ displacement }) => displacement.map((values) => values.slice()));
    this.#squares = new GradientSquares(tf, left.map(({ squares }) => squares)); // prettier-ignore
    this.#fine = left.length === 0 ? this.#chainSet(this.#start(), this.#epsilons) : this.#resume(left);
    posteriors.forEach((_, index) => pieces[index]?.stands(() => this.steps, () => this.#stateOf(index))); // prettier-ignore
  }

  step(): void {
    const step = this.steps;
    const { warmUp, thin } = this.#plan;
    if (step === Math.floor(LEARN_TO * warmUp)) this.#precondition();
    if (step === warmUp) this.#split();
    const isDraw = step >= warmUp && (step - warmUp) % thin === 0;
    if (isDraw && this.#coarse !== undefined) this.#test(step);
    const drawn = this.#draw(step, 0);
    const noise = this.#coarse === undefined ? [] : this.#noiseAhead();
    const learns = this.#plan.preconditions && step >= LEARN_FROM * warmUp && step < Math.floor(LEARN_TO * warmUp);
    this.#move(this.#fine, drawn, isDraw, learns);
    if (this.#coarse !== undefined) {
      this.#moveWhole(this.#coarse, drawn, isDraw, noise);
      const again = this.#draw(step, 1);
      this.#move(this.#fine, again, false, false);
      this.#release(again);
    }
    this.#release(drawn);
    if (this.#fine.unread.length === READ_EVERY) this.#flush();
    this.steps += 1;
  }

  records(): readonly ChainRecord[] {
    this.#flush();
    const { chains, warmUp } = this.#plan;
    const { shape } = this.#pool;
    return this.#posteriors.map((_, index) => {
      const lanes = Array.from({ length: chains }, (_, chain) => index * chains + chain);
      const pairs = lanes.map((lane) => [this.#fine.first[lane]!, this.#fine.second[lane]!] as const);
      const x = pairs.map(mean);
      const coarse = lanes.flatMap((lane) => this.#coarseReadings(lane));
      const acceptances = this.#acceptances.flatMap((of) => lanes.map((lane) => of[lane]!));
      return {
        x,
        mean: coarse.length === 0 ? x : x.map((fine, chain) => fine.map((half, i) => this.#extrapolated(half, coarse[chain]![i]!))), // prettier-ignore
        coarse,
        halves: shape.batches === 1 ? [] : pairs,
        displacement: lanes.map((lane) => this.#displacement[lane]!),
        virial: [],
        acceptance: acceptances.length === 0 ? null : acceptances.reduce((sum, value) => sum + value, 0) / acceptances.length, // prettier-ignore
        energyError: null,
        rejected: 0,
        nonFinite: x.reduce((count, draws) => count + draws.filter((value) => !Number.isFinite(value)).length, 0),
        epsilon: this.#epsilons[lanes[0]!]!,
        warmUp,
        best: undefined,
        // The pool's tables take a gradient of each of its batches.
        gradients: shape.batches + chains * this.#gradients,
        batchRows: shape.rows,
        batches: shape.batches,
      };
    });
  }

  /** Where all posteriors were left; gives the fine chains. */
  #resume(left: readonly LangevinState[]): ChainSet {
    const { tf } = this.#surface.engine;
    const { chains } = this.#plan;
    const first = left[0]!;
    [this.steps, this.#ticks, this.#gradients] = [first.step, first.ticks, first.gradients];
    this.#acceptances = first.acceptances.map((_, test) => left.flatMap(({ acceptances }) => acceptances[test]!));
    if (first.root.length > 0) this.#root = joinRoots(tf, left.map(({ root }) => root), chains); // prettier-ignore
    const coarse = left.flatMap((state) => state.coarse ?? []);
    if (coarse.length > 0) this.#coarse = joinSets(tf, coarse, this.#epsilons);
    const share = coarse.length > 0 ? 2 : 1;
    return joinSets(tf, left.map(({ fine }) => fine), this.#epsilons.map((epsilon) => epsilon / share)); // prettier-ignore
  }

  #stateOf(posterior: number): LangevinState {
    this.#flush();
    const { tf } = this.#surface.engine;
    const { chains } = this.#plan;
    const from = posterior * chains;
    return {
      step: this.steps,
      ticks: this.#ticks,
      gradients: this.#gradients,
      epsilon: this.#epsilons[from]!,
      displacement: this.#displacement.slice(from, from + chains),
      squares: this.#squares.cut(from, chains),
      root: this.#root.map((tensor) => readRows(tf, tensor, from, 1)),
      fine: cutSet(tf, this.#fine, from, chains),
      coarse: this.#coarse && cutSet(tf, this.#coarse, from, chains),
      acceptances: this.#acceptances.map((of) => of.slice(from, from + chains)),
    };
  }

  dispose(): void {
    const { tf } = this.#surface.engine;
    for (const piece of this.#pieces) piece.leave();
    this.#pool.dispose();
    this.#squares.dispose();
    this.#tests?.dispose();
    for (const vector of [this.#t, this.#gamma]) vector.dispose();
    for (const set of [this.#fine, this.#coarse]) if (set !== undefined) this.#disposeSet(set);
    tf.dispose([...this.#anchor, ...this.#root, this.#keys.words]);
  }

  #keyOf({ posterior, chain }: Lane, purpose: string): RandomKey {
    return fold(this.#posteriors[posterior]!.key, purpose, chain);
  }

  /** One pool for the cells of the surface, at their posteriors' anchors. */
  #openPool(): BatchPool {
    const { tf } = this.#surface.engine;
    const first = this.#surface.trained.map((weights, cell) => {
      const own = this.#posteriors.find((posterior) => posterior.cell === cell);
      return { anchor: own?.anchor ?? weights, key: own?.key ?? this.#posteriors[0]!.key };
    });
    const anchors = stackWeights(this.#surface, first.map(({ anchor }) => anchor)); // prettier-ignore
    try {
      const keys = first.map(({ key }) => key);
      return new BatchPool(this.#surface, keys, anchors, this.#plan.batch, this.#plan.corrects);
    } finally {
      tf.dispose([...anchors]);
    }
  }

  #start(): readonly Tensor[] {
    const { tf, noise } = this.#surface.engine;
    return this.#anchor.map((w0, p) => {
      // Index of the start's draws: after those of the steps, which have one index a parameter.
      const streams = this.#keys.keys.map((key) => ({ key, a: 0, b: this.#anchor.length + p }));
      return tf.tidy(() => tf.add(w0, tf.mul(START_SD, noise.normals(streams, w0.shape.slice(1)))));
    });
  }

  /** Takes the positions over. */
  #chainSet(position: readonly Tensor[], epsilons: readonly number[]): ChainSet {
    const { tf } = this.#surface.engine;
    const normal = normals(this.#surface.engine, position, this.#keys, this.#ticks);
    const made = { state: undefined as SamplerState | undefined };
    tf.tidy(() => {
      made.state = this.#plan.sampler.init(tf, position, normal);
      return [...made.state.position, ...made.state.carry];
    });
    const state = made.state!;
    tf.dispose([...normal, ...position]);
    const record = (): readonly Float64Array[] => this.#lanes.map(() => new Float64Array(this.#plan.draws));
    return { state, epsilon: new MemberVector(tf, epsilons), unread: [], first: record(), second: record(), draws: 0 };
  }

  #disposeSet({ state, epsilon, unread }: ChainSet): void {
    epsilon.dispose();
    this.#surface.engine.tf.dispose([...state.position, ...state.carry]);
    for (const { differences, squares } of unread) this.#surface.engine.tf.dispose([differences, squares]);
  }

  /** The batch of each lane at half `half` of this step. */
  #draw(step: number, half: number): PoolBatch {
    const { batches } = this.#pool.shape;
    const drawn = new Int32Array(1);
    const numbers = this.#lanes.map((lane) => {
      if (batches === 1) return 0;
      fillIntegers(this.#keyOf(lane, "chain-batch"), { a: step, b: half }, batches, drawn);
      return drawn[0]!;
    });
    return this.#pool.take(this.#cellOf, numbers);
  }

  #release({ batch, rows }: PoolBatch): void {
    batch.dispose();
    rows.dispose();
  }

  #settings({ epsilon }: ChainSet): SamplerSettings {
    const [t, gamma] = [this.#t, this.#gamma];
    return { t: (rank) => t.at(rank), gamma: (rank) => gamma.at(rank), epsilon: (rank) => epsilon.at(rank) };
  }

  /** A step of the chains that draw their own noise. */
  #move(set: ChainSet, drawn: PoolBatch, isDraw: boolean, learns: boolean): void {
    const { engine } = this.#surface;
    const { tf } = engine;
    const before = set.state;
    this.#ticks += 1;
    const { rows: losses, gradients } = drawn.batch.gradients(before.position);
    this.#gradients += 1;
    tf.tidy(() => {
      const given = { ...drawn, anchor: this.#anchor };
      if (isDraw) set.unread.push(readChains(tf, { ...given, position: before.position, losses }));
      const move = { ...given, gradient: gradients, root: this.#root, keys: this.#keys, step: this.#ticks, settings: this.#settings(set) }; // prettier-ignore
      if (learns) this.#learn(before.position, correctedGradient(tf, move));
      if (this.#plan.averages) set.state = moveChains(engine, "noise-averaged", before, move);
      else {
        const normal = normals(engine, this.#anchor, this.#keys, this.#ticks);
        const gradient = correctedGradient(tf, move);
        set.state = this.#plan.sampler.step(tf, before, { gradient, anchor: this.#anchor, normal, settings: move.settings, root: this.#root }); // prettier-ignore
      }
      return this.#kept(set);
    });
    tf.dispose([losses, ...gradients, ...before.position, ...before.carry]);
  }

  /** A whole step beside two half steps, with their noise and the first one's batch. */
  #moveWhole(set: ChainSet, drawn: PoolBatch, isDraw: boolean, normal: readonly Tensor[]): void {
    const { tf } = this.#surface.engine;
    const before = set.state;
    const { rows: losses, gradients } = drawn.batch.gradients(before.position);
    this.#gradients += 1;
    tf.tidy(() => {
      const given = { ...drawn, anchor: this.#anchor };
      if (isDraw) set.unread.push(readChains(tf, { ...given, position: before.position, losses }));
      const gradient = correctedGradient(tf, { ...given, gradient: gradients });
      const settings = this.#settings(set);
      set.state = this.#plan.sampler.step(tf, before, { gradient, anchor: this.#anchor, normal, settings, root: this.#root }); // prettier-ignore
      return this.#kept(set);
    });
    tf.dispose([losses, ...gradients, ...normal, ...before.position, ...before.carry]);
  }

  /** What a tidy of a move leaves alone: a set's state and its last reading. */
  #kept({ state, unread }: ChainSet): Tensor[] {
    const last = unread.at(-1);
    return [...state.position, ...state.carry, ...(last === undefined ? [] : [last.differences, last.squares])];
  }

  /** (xi_1 + xi_2) / sqrt 2 of the two half steps that come. */
  #noiseAhead(): readonly Tensor[] {
    const { engine } = this.#surface;
    const { tf } = engine;
    const [first, second] = [1, 2].map((ahead) => normals(engine, this.#anchor, this.#keys, this.#ticks + ahead));
    const both = first!.map((xi, p) => tf.tidy(() => tf.mul(Math.SQRT1_2, tf.add(xi, second![p]!))));
    tf.dispose([...first!, ...second!]);
    return both;
  }

  #learn(position: readonly Tensor[], gradient: readonly Tensor[]): void {
    const { tf } = this.#surface.engine;
    const drift = position.map((w, p) => {
      const pull = tf.mul(this.#gamma.at(w.rank), tf.sub(w, this.#anchor[p]!));
      return tf.add(tf.mul(this.#t.at(w.rank), gradient[p]!), pull);
    });
    this.#squares.add(drift);
  }

  /** Freezes the preconditioner, and sets the step so that it is the same share of the stiffest direction's time as before. */
  #precondition(): void {
    if (!this.#plan.preconditions || this.#squares.count === 0) return;
    const gamma = this.#lanes.map(({ posterior }) => this.#posteriors[posterior]!.gamma);
    const plain = this.#curvatures([]);
    this.#root = this.#squares.root(this.#plan.chains, gamma);
    const scaled = this.#curvatures(this.#root);
    this.#squares.dispose();
    const epsilons = this.#lanes.map((_, lane) => (this.#epsilons[lane]! * plain[lane]!) / scaled[lane]!);
    this.#epsilons = this.#smallestOfPosterior(epsilons);
    const before = this.#fine;
    const kept = before.state.position.map((tensor) => this.#surface.engine.tf.clone(tensor));
    this.#disposeSet(before);
    this.#fine = this.#chainSet(kept, this.#epsilons);
  }

  /** Largest curvature of U where each chain stands, on the rows of one batch. */
  #curvatures(root: readonly Tensor[]): readonly number[] {
    const drawn = this.#pool.take(this.#cellOf, this.#lanes.map(() => 0)); // prettier-ignore
    const keys = this.#lanes.map((lane) => this.#keyOf(lane, "curvature"));
    const { engine } = this.#surface;
    const values = largestCurvature({ engine, batch: drawn.batch, position: this.#fine.state.position, t: this.#t, gamma: this.#gamma, root, keys }); // prettier-ignore
    this.#release(drawn);
    this.#gradients += CURVATURE_GRADIENTS;
    return values;
  }

  /** One step for all chains of a posterior. */
  #smallestOfPosterior(values: readonly number[]): readonly number[] {
    const { chains } = this.#plan;
    return values.map((_, lane) => {
      const from = lane - (lane % chains);
      return Math.min(...values.slice(from, from + chains));
    });
  }

  /** From here on two sets of chains, from the same positions. */
  #split(): void {
    if (!this.#plan.halfSteps) return;
    const { tf } = this.#surface.engine;
    const clones = (): readonly Tensor[] => this.#fine.state.position.map((tensor) => tf.clone(tensor));
    const [whole, half] = [clones(), clones()];
    this.#disposeSet(this.#fine);
    this.#coarse = this.#chainSet(whole, this.#epsilons);
    this.#fine = this.#chainSet(half, this.#epsilons.map((value) => value / 2)); // prettier-ignore
  }

  /** Now and then, how a hypothetical step of the half-step chains would be judged. */
  #test(step: number): void {
    const { warmUp, draws, thin } = this.#plan;
    const every = Math.max(1, Math.floor(draws / TESTS));
    if (((step - warmUp) / thin) % every !== every - 1) return;
    const { tf } = this.#surface.engine;
    this.#tests ??= this.#testBatch();
    const normal = normals(this.#surface.engine, this.#anchor, { ...this.#keys, keys: this.#lanes.map((lane) => this.#keyOf(lane, "mala")) }, step); // prettier-ignore
    const { position } = this.#fine.state;
    const { epsilon } = this.#fine;
    this.#acceptances.push(
      malaAcceptance({ tf, batch: this.#tests, position, anchor: this.#anchor, normal, root: this.#root, t: this.#t, gamma: this.#gamma, epsilon }), // prettier-ignore
    );
    tf.dispose([...normal]);
    this.#gradients += 2;
  }

  #testBatch(): SurfaceBatch {
    const { tf } = this.#surface.engine;
    const count = Math.min(TEST_ROWS, this.#surface.rows);
    const every = this.#surface.rows / count;
    const rows = tf.tensor2d(
      Int32Array.from({ length: this.#lanes.length * count }, (_, i) => Math.floor((i % count) * every)),
      [this.#lanes.length, count],
      "int32",
    );
    const batch = this.#surface.batch(this.#cellOf, rows);
    rows.dispose();
    return batch;
  }

  #coarseReadings(lane: number): readonly Float64Array[] {
    const set = this.#coarse;
    return set === undefined ? [] : [mean([set.first[lane]!, set.second[lane]!])];
  }

  /** What is left at a vanishing step: bias of first order by minibatch noise, of second on a fixed set. */
  #extrapolated(half: number, whole: number): number {
    return this.#pool.shape.batches > 1 ? 2 * half - whole : (4 * half - whole) / 3;
  }

  #flush(): void {
    const t = this.#lanes.map(({ posterior }) => this.#posteriors[posterior]!.t);
    readSet(this.#fine, t, this.#displacement);
    if (this.#coarse !== undefined) readSet(this.#coarse, t, undefined);
  }
}

const mean = ([a, b]: readonly [Float64Array, Float64Array]): Float64Array => a.map((value, i) => (value + b[i]!) / 2);
