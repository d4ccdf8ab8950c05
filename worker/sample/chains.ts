/**
 * Runs the chains of several cells as one fused program and records x = t (L(w) - L(w0)) along them. Members are cells x
 * chains; everything random is keyed by (cell, chain, step, tensor), so a chain is the same whoever shares the program.
 *
 * Each step: a batch of the cell's pool is drawn; at the position BEFORE the step, x is read and the gradient is taken, both
 * on that batch and with its control variates (`batch-pool.ts`); then the sampler steps. Chains start at w0 + N(0, 1e-3^2).
 */
import { fillIntegers, fold, type RandomKey } from "../../src/core/random.ts";
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { EstimateConfig } from "../../src/spec/cell.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { Pace } from "../engine/pace.ts";
import { rowGradients, type Program } from "../engine/program.ts";
import type { FusedData } from "../train/fused-data.ts";
import { padded } from "../train/members.ts";
import { BatchPool, type PoolBatch, type PoolShape } from "./batch-pool.ts";
import type { Sampler, SamplerSettings, SamplerState } from "./sampler.ts";
import { sgld } from "./sgld.ts";

/** A trained cell and how to sample around it. */
export interface SampledCell {
  readonly dataset: number;
  /** The root of the cell's chance. */
  readonly key: RandomKey;
  /** w0: one array a parameter. */
  readonly weights: readonly Float32Array[];
  readonly t: number;
  readonly gamma: number;
  readonly epsilon: number;
}

/** What the chains of one cell recorded: arrays by chain, one number a draw. */
export interface ChainRecord {
  /** x = t (L_B(w) - L_B(w0) - D_B . (w - w0)) */
  readonly x: readonly Float64Array[];
  /** x read on each half of the batch: two readings with independent noise. Empty when every batch is the whole set. */
  readonly halves: readonly (readonly [Float64Array, Float64Array])[];
  /** |w - w0| */
  readonly displacement: readonly Float64Array[];
  readonly pool: PoolShape;
  /** Minibatch gradients spent on this cell. */
  readonly gradients: number;
}

/** Standard deviation of a chain's start about w0, in every coordinate. */
const START_SD = 1e-3;
/** Steps whose readings are taken from the device together. */
const READ_EVERY = 25;

/** The kernel that estimates are made with; see `sgld.ts`. */
const SAMPLER: Sampler = sgld("noise-averaged");

/** Samples all cells. @param onStep called after every step, with the number of steps done and their total */
export async function sampleChains(
  program: Program,
  data: FusedData,
  cells: readonly SampledCell[],
  config: EstimateConfig,
  onStep: (step: number, steps: number) => void,
  pace: Pace,
): Promise<readonly ChainRecord[]> {
  if (cells.length === 0) return [];
  const run = new ChainRun(program, data, cells, config);
  try {
    const steps = config.burnIn + config.draws * config.thin;
    for (let step = 0; step < steps; step += 1) {
      run.step(step);
      onStep(step + 1, steps);
      await pace.turn();
    }
    return run.records();
  } finally {
    run.dispose();
  }
}

/** One chain of one cell. */
interface Lane {
  /** Index of the cell. */
  readonly cell: number;
  readonly chain: number;
  readonly noise: RandomKey;
  readonly batch: RandomKey;
}

interface Reading {
  /** Mean paired differences of each half of the rows, corrected, [lanes, 2]. */
  readonly differences: Tensor;
  /** |w - w0|^2, [lanes] */
  readonly squares: Tensor;
}

class ChainRun {
  readonly #program: Program;
  /** Padded; the first `#count` are real. */
  readonly #cells: readonly SampledCell[];
  readonly #count: number;
  readonly #config: EstimateConfig;
  readonly #lanes: readonly Lane[];
  readonly #pool: BatchPool;
  /** w0 of every lane's cell. */
  readonly #anchor: readonly Tensor[];
  readonly #vectors: { readonly t: MemberVector; readonly gamma: MemberVector; readonly epsilon: MemberVector };
  readonly #settings: SamplerSettings;
  #state: SamplerState;
  #unread: Reading[] = [];
  /** By lane: x on each half, and |w - w0|. */
  readonly #first: readonly Float64Array[];
  readonly #second: readonly Float64Array[];
  readonly #displacement: readonly Float64Array[];
  #draws = 0;

  constructor(program: Program, data: FusedData, cells: readonly SampledCell[], config: EstimateConfig) {
    const { tf, leastMembers } = program.engine;
    this.#program = program;
    this.#count = cells.length;
    this.#cells = padded(cells, leastMembers);
    this.#config = config;
    this.#lanes = padded(lanesOf(cells, config.chains), leastMembers);
    const anchors = stackWeights(program, this.#cells);
    try {
      this.#pool = new BatchPool(program, data, this.#cells, anchors, config.batch);
      const at = this.#lanes.map(({ cell }) => cell);
      this.#anchor = tf.tidy(() => anchors.map((tensor) => tf.gather(tensor, tf.tensor1d(at, "int32"))));
    } finally {
      for (const tensor of anchors) tensor.dispose();
    }
    const vector = (of: (cell: SampledCell) => number): MemberVector =>
      new MemberVector(tf, this.#lanes.map(({ cell }) => of(this.#cells[cell]!))); // prettier-ignore
    this.#vectors = { t: vector(({ t }) => t), gamma: vector(({ gamma }) => gamma), epsilon: vector((c) => c.epsilon) };
    const { t, gamma, epsilon } = this.#vectors;
    this.#settings = { t: (rank) => t.at(rank), gamma: (rank) => gamma.at(rank), epsilon: (rank) => epsilon.at(rank) };
    const record = (): readonly Float64Array[] => this.#lanes.map(() => new Float64Array(config.draws));
    [this.#first, this.#second, this.#displacement] = [record(), record(), record()];
    this.#state = this.#start();
  }

  step(step: number): void {
    const { tf } = this.#program.engine;
    const before = this.#state;
    const drawn = this.#pool.take(this.#lanes.map(({ cell }) => cell), this.#batches(step)); // prettier-ignore
    const next = { state: before, reading: undefined as Reading | undefined };
    tf.tidy(() => {
      const { rows, gradients } = rowGradients(this.#program, before.position, drawn.batch);
      const delta = before.position.map((w, p) => tf.sub(w, this.#anchor[p]!));
      next.reading = this.#isDraw(step) ? this.#read(rows, drawn, delta) : undefined;
      const gradient = gradients.map((g, p) => {
        const correction = drawn.corrections[p];
        return correction === undefined ? g : tf.sub(g, tf.mul(0.5, tf.add(correction[0], correction[1])));
      });
      const inputs = { gradient, anchor: this.#anchor, normal: this.#normals(step + 1), settings: this.#settings };
      next.state = SAMPLER.step(tf, before, inputs);
      const kept = next.reading === undefined ? [] : [next.reading.differences, next.reading.squares];
      return [...kept, ...next.state.position, ...next.state.carry];
    });
    this.#state = next.state;
    if (next.reading !== undefined) this.#unread.push(next.reading);
    tf.dispose([...before.position, ...before.carry, drawn.batch.input, drawn.batch.targets, drawn.base]);
    tf.dispose(drawn.corrections.flat());
    if (this.#unread.length === READ_EVERY) this.#flush();
  }

  records(): readonly ChainRecord[] {
    this.#flush();
    const { chains, burnIn, draws, thin } = this.#config;
    const { shape } = this.#pool;
    return Array.from({ length: this.#count }, (_, cell) => {
      const lanes = Array.from({ length: chains }, (_, chain) => cell * chains + chain);
      const pairs = lanes.map((lane) => [this.#first[lane]!, this.#second[lane]!] as const);
      return {
        x: pairs.map(([first, second]) => first.map((value, i) => (value + second[i]!) / 2)),
        halves: shape.batches === 1 ? [] : pairs,
        displacement: lanes.map((lane) => this.#displacement[lane]!),
        pool: shape,
        gradients: shape.batches + chains * (burnIn + draws * thin),
      };
    });
  }

  dispose(): void {
    const { tf } = this.#program.engine;
    this.#pool.dispose();
    for (const vector of Object.values(this.#vectors)) vector.dispose();
    tf.dispose([...this.#anchor, ...this.#state.position, ...this.#state.carry]);
    for (const { differences, squares } of this.#unread) tf.dispose([differences, squares]);
  }

  #start(): SamplerState {
    const { tf, noise } = this.#program.engine;
    const state = { made: undefined as SamplerState | undefined };
    tf.tidy(() => {
      const position = this.#anchor.map((w0, p) => {
        // Index of the start's draws: after those of the steps, which have one index a parameter.
        const index = this.#anchor.length + p;
        const streams = this.#lanes.map((lane) => ({ key: lane.noise, a: 0, b: index }));
        return tf.add(w0, tf.mul(START_SD, noise.normals(streams, w0.shape.slice(1))));
      });
      state.made = SAMPLER.init(tf, position, this.#normals(0));
      return [...state.made.position, ...state.made.carry];
    });
    return state.made!;
  }

  #normals(step: number): readonly Tensor[] {
    return this.#anchor.map((w0, p) => {
      const streams = this.#lanes.map((lane) => ({ key: lane.noise, a: step, b: p }));
      return this.#program.engine.noise.normals(streams, w0.shape.slice(1));
    });
  }

  /** The batch that each lane takes at this step. */
  #batches(step: number): readonly number[] {
    const { batches } = this.#pool.shape;
    if (batches === 1) return this.#lanes.map(() => 0);
    const drawn = new Int32Array(1);
    return this.#lanes.map((lane) => {
      fillIntegers(lane.batch, { a: step, b: 0 }, batches, drawn);
      return drawn[0]!;
    });
  }

  #isDraw(step: number): boolean {
    const { burnIn, thin } = this.#config;
    return step >= burnIn && (step - burnIn) % thin === 0;
  }

  #read(rows: Tensor, drawn: PoolBatch, delta: readonly Tensor[]): Reading {
    const { tf } = this.#program.engine;
    const lanes = this.#lanes.length;
    const dot = (a: Tensor, b: Tensor): Tensor => tf.sum(tf.reshape(tf.mul(a, b), [lanes, -1]), -1);
    const squares = delta.map((d) => dot(d, d)).reduce((sum, term) => tf.add(sum, term));
    const paired = tf.sub(rows, drawn.base);
    if (drawn.corrections.length === 0) {
      const mean = tf.mean(paired, -1);
      return { differences: tf.stack([mean, mean], 1), squares };
    }
    const means = tf.mean(tf.reshape(paired, [lanes, 2, -1]), -1);
    const along = [0, 1].map((half) =>
      delta.map((d, p) => dot(drawn.corrections[p]![half as 0 | 1], d)).reduce((sum, term) => tf.add(sum, term)),
    );
    return { differences: tf.sub(means, tf.stack(along, 1)), squares };
  }

  #flush(): void {
    for (const { differences, squares } of this.#unread) {
      const [d, s] = [differences.dataSync<"float32">(), squares.dataSync<"float32">()];
      this.#lanes.forEach(({ cell }, lane) => {
        const { t } = this.#cells[cell]!;
        this.#first[lane]![this.#draws] = t * d[2 * lane]!;
        this.#second[lane]![this.#draws] = t * d[2 * lane + 1]!;
        this.#displacement[lane]![this.#draws] = Math.sqrt(s[lane]!);
      });
      this.#draws += 1;
      differences.dispose();
      squares.dispose();
    }
    this.#unread = [];
  }
}

function lanesOf(cells: readonly SampledCell[], chains: number): readonly Lane[] {
  return cells.flatMap(({ key }, cell) =>
    Array.from({ length: chains }, (_, chain) => ({
      cell,
      chain,
      noise: fold(key, "chain-noise", chain),
      batch: fold(key, "chain-batch", chain),
    })),
  );
}

/** [cells, ...shape] by parameter. The caller owns the tensors. */
function stackWeights(program: Program, cells: readonly SampledCell[]): readonly Tensor[] {
  const { tf } = program.engine;
  return program.parameters.map(({ shape }, p) => {
    const size = cells[0]!.weights[p]!.length;
    const all = new Float32Array(cells.length * size);
    cells.forEach(({ weights }, cell) => all.set(weights[p]!, cell * size));
    return tf.tensor(all, [cells.length, ...shape], "float32");
  });
}
