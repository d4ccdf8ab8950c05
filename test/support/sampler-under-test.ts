/** Samplers, and Hamiltonian Monte Carlo, on formulas: chains of several members around w0 = 0 as one fused program. */
import { fold, type RandomKey } from "../../src/core/random.ts";
import type { Tensor } from "../../src/catalogue/entry.ts";
import { MemberVector } from "../../worker/engine/member-vector.ts";
import { sampleByHmc } from "../../worker/sample/hmc.ts";
import { lanesOf } from "../../worker/sample/posterior.ts";
import type { Sampler, SamplerState } from "../../worker/sample/sampler.ts";
import type { SurfaceEngine } from "../../worker/sample/surface.ts";
import { analyticSurface, type Potential } from "./analytic-surface.ts";

export interface Member {
  readonly key: RandomKey;
  readonly t: number;
  readonly gamma: number;
  readonly epsilon: number;
}

export interface Sampling {
  readonly potential: Potential;
  readonly members: readonly Member[];
  /** Of each member. */
  readonly chains: number;
  /** Gradients of each chain. The first 0.4 of them are warm-up. */
  readonly steps: number;
  /** Called now and then, at moments at which the same tensors should be alive. */
  onStep?(): void;
}

/** By member, then by chain: one number a draw after warm-up. */
export interface Drawn {
  /** t L(w) */
  readonly x: readonly Float64Array[];
  /** |w|^2 */
  readonly squares: readonly Float64Array[];
}

export type Subject = (engine: SurfaceEngine, sampling: Sampling) => Promise<readonly Drawn[]>;

const WARM_UP_SHARE = 0.4;
/** Draws that are read from the device together. */
const READ_EVERY = 50;

/** HMC at a fixed step: `epsilon` is that of the leapfrog. */
export function byHmc(trajectory: number): Subject {
  return async (engine, { potential, members, chains, steps, onStep }) => {
    const surface = analyticSurface(engine, potential);
    const posteriors = members.map((member) => ({ ...member, cell: 0, anchor: surface.trained[0]! }));
    const plan = { chains, budget: steps, trajectory, fixedStep: true, rows: [Int32Array.of(0)] };
    const events = { isDone: () => false, onTransition: () => onStep?.() };
    const records = await sampleByHmc(surface, posteriors, plan, events, { turn: () => Promise.resolve() });
    return records.map(({ x, displacement }) => ({ x, squares: displacement.map((chain) => chain.map((r) => r * r)) }));
  };
}

/**
 * A minibatch sampler.
 * @param kick standard deviation of the gradient's noise, which is this number with either sign
 */
export function bySampler(sampler: Sampler, kick = 0): Subject {
  return (engine, sampling) => {
    const run = new SamplerRun(engine, sampler, sampling, kick);
    for (let step = 1; step <= sampling.steps; step += 1) run.step(step);
    return Promise.resolve(run.close());
  };
}

class SamplerRun {
  readonly #engine: SurfaceEngine;
  readonly #sampler: Sampler;
  readonly #sampling: Sampling;
  readonly #kick: number;
  readonly #keys: readonly RandomKey[];
  readonly #lanes: ReturnType<typeof lanesOf>;
  readonly #vectors: Readonly<Record<"t" | "gamma" | "epsilon", MemberVector>>;
  readonly #anchor: readonly Tensor[];
  readonly #drawn: readonly { readonly x: number[]; readonly squares: number[] }[];
  #unread: Tensor[] = [];
  #state: SamplerState;

  constructor(engine: SurfaceEngine, sampler: Sampler, sampling: Sampling, kick: number) {
    const { members, potential, chains } = sampling;
    const { tf } = engine;
    [this.#engine, this.#sampler, this.#sampling, this.#kick] = [engine, sampler, sampling, kick];
    this.#lanes = lanesOf([...members.keys()], chains);
    this.#keys = this.#lanes.map(({ posterior, chain }) => fold(members[posterior]!.key, "chain", chain));
    const vector = (of: (member: Member) => number): MemberVector =>
      new MemberVector(tf, this.#lanes.map(({ posterior }) => of(members[posterior]!))); // prettier-ignore
    this.#vectors = { t: vector(({ t }) => t), gamma: vector(({ gamma }) => gamma), epsilon: vector((m) => m.epsilon) };
    this.#anchor = potential.shapes.map((shape) => tf.zeros([this.#lanes.length, ...shape]));
    this.#drawn = this.#lanes.map(() => ({ x: [], squares: [] }));
    this.#state = this.#kept(() => sampler.init(tf, this.#anchor, this.#normals(0, 0)));
  }

  step(step: number): void {
    const { tf } = this.#engine;
    const { potential, steps, onStep } = this.#sampling;
    const before = this.#state;
    this.#state = this.#kept(() => {
      const { loss, gradients } = potential.at(tf, before.position);
      if (step > WARM_UP_SHARE * steps) this.#draw(loss);
      const gradient = this.#noisy(gradients, step);
      const settings = { t: this.#at("t"), gamma: this.#at("gamma"), epsilon: this.#at("epsilon") };
      return this.#sampler.step(tf, before, {
        gradient,
        anchor: this.#anchor,
        normal: this.#normals(step, 0),
        settings,
      });
    });
    tf.dispose([...before.position, ...before.carry]);
    if (step % READ_EVERY !== 0 || this.#unread.length === 0) return;
    this.#read();
    onStep?.();
  }

  close(): readonly Drawn[] {
    const { tf } = this.#engine;
    this.#read();
    for (const vector of Object.values(this.#vectors)) vector.dispose();
    tf.dispose([...this.#anchor, ...this.#state.position, ...this.#state.carry]);
    return this.#sampling.members.map((_, member) => {
      const own = this.#drawn.filter((_, lane) => this.#lanes[lane]!.posterior === member);
      return {
        x: own.map(({ x }) => Float64Array.from(x)),
        squares: own.map(({ squares }) => Float64Array.from(squares)),
      };
    });
  }

  #at(name: "t" | "gamma" | "epsilon"): (rank: number) => Tensor {
    return (rank) => this.#vectors[name].at(rank);
  }

  /** The state alone outlives it. */
  #kept(make: () => SamplerState): SamplerState {
    const made = { state: undefined as SamplerState | undefined };
    this.#engine.tf.tidy(() => {
      made.state = make();
      return [...made.state.position, ...made.state.carry];
    });
    return made.state!;
  }

  /** Streams `from`, `from` + 1, ... of every lane, one a parameter. */
  #normals(step: number, from: number): readonly Tensor[] {
    return this.#sampling.potential.shapes.map(
      (shape, p) =>
      this.#engine.noise.normals(this.#keys.map((key) => ({ key, a: step, b: from + p })), shape), // prettier-ignore
    );
  }

  #noisy(gradients: readonly Tensor[], step: number): readonly Tensor[] {
    if (this.#kick === 0) return gradients;
    const { tf } = this.#engine;
    const normals = this.#normals(step, gradients.length);
    return gradients.map((gradient, p) => tf.add(gradient, tf.mul(this.#kick, tf.sign(normals[p]!))));
  }

  /** Within a tidy. */
  #draw(loss: Tensor): void {
    const { tf } = this.#engine;
    const squares = this.#state.position.map((w) => tf.sum(tf.reshape(tf.square(w), [this.#lanes.length, -1]), -1));
    const both = tf.stack([tf.mul(this.#vectors.t.at(1), loss), squares.reduce((sum, square) => tf.add(sum, square))]);
    this.#unread.push(tf.keep(both));
  }

  #read(): void {
    if (this.#unread.length === 0) return;
    const { tf } = this.#engine;
    const values = tf.tidy(() => tf.stack(this.#unread).dataSync<"float32">() as never) as Float32Array;
    const lanes = this.#lanes.length;
    this.#unread.forEach((tensor, draw) => {
      for (let lane = 0; lane < lanes; lane += 1) {
        this.#drawn[lane]!.x.push(values[2 * draw * lanes + lane]!);
        this.#drawn[lane]!.squares.push(values[(2 * draw + 1) * lanes + lane]!);
      }
      tensor.dispose();
    });
    this.#unread = [];
  }
}
