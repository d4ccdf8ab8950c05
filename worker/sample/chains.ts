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
import { BatchPool, type PoolShape } from "./batch-pool.ts";
import { chainKeys, moveChains, startChains, type ChainKeys } from "./langevin.ts";
import { readChains, type Reading } from "./reading.ts";
import type { SamplerSettings, SamplerState } from "./sampler.ts";
import type { SgldKernel } from "./sgld.ts";

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
const KERNEL: SgldKernel = "noise-averaged";

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

class ChainRun {
  readonly #program: Program;
  readonly #cells: readonly SampledCell[];
  readonly #config: EstimateConfig;
  readonly #lanes: readonly Lane[];
  /** The cell of each lane. */
  readonly #cellOf: readonly number[];
  readonly #keys: ChainKeys;
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
    const { tf } = program.engine;
    this.#program = program;
    this.#cells = cells;
    this.#config = config;
    this.#lanes = lanesOf(cells, config.chains);
    this.#cellOf = this.#lanes.map(({ cell }) => cell);
    const anchors = stackWeights(program, cells);
    try {
      this.#pool = new BatchPool(program, data, cells, anchors, config.batch);
      this.#anchor = tf.tidy(() => anchors.map((tensor) => tf.gather(tensor, tf.tensor1d([...this.#cellOf], "int32"))));
    } finally {
      for (const tensor of anchors) tensor.dispose();
    }
    this.#keys = chainKeys(tf, this.#lanes.map(({ noise }) => noise)); // prettier-ignore
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
    const { engine } = this.#program;
    const before = this.#state;
    const drawn = this.#pool.take(this.#cellOf, this.#batches(step));
    engine.tf.tidy(() => {
      const { rows: losses, gradients } = rowGradients(this.#program, before.position, drawn.batch);
      const given = { ...drawn, anchor: this.#anchor };
      const read = this.#isDraw(step) ? [readChains(engine.tf, { ...given, position: before.position, losses })] : [];
      const move = { ...given, gradient: gradients, keys: this.#keys, step: step + 1, settings: this.#settings };
      this.#state = moveChains(engine, KERNEL, before, move);
      this.#unread.push(...read);
      const kept = read.flatMap(({ differences, squares }) => [differences, squares]);
      return [...kept, ...this.#state.position, ...this.#state.carry];
    });
    engine.tf.dispose([...before.position, ...before.carry, drawn.batch.input, drawn.batch.targets, drawn.rows]);
    if (this.#unread.length === READ_EVERY) this.#flush();
  }

  records(): readonly ChainRecord[] {
    this.#flush();
    const { chains, burnIn, draws, thin } = this.#config;
    const { shape } = this.#pool;
    return this.#cells.map((_, cell) => {
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
    tf.dispose([...this.#anchor, ...this.#state.position, ...this.#state.carry, this.#keys.words]);
    for (const { differences, squares } of this.#unread) tf.dispose([differences, squares]);
  }

  #start(): SamplerState {
    const { engine } = this.#program;
    const { tf } = engine;
    const started = { state: undefined as SamplerState | undefined };
    tf.tidy(() => {
      const position = this.#anchor.map((w0, p) => {
        // Index of the start's draws: after those of the steps, which have one index a parameter.
        const index = this.#anchor.length + p;
        const streams = this.#keys.keys.map((key) => ({ key, a: 0, b: index }));
        return tf.add(w0, tf.mul(START_SD, engine.noise.normals(streams, w0.shape.slice(1))));
      });
      started.state = startChains(engine, KERNEL, position, this.#keys);
      return [...started.state.position, ...started.state.carry];
    });
    return started.state!;
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
