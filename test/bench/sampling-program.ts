/** The sampler of the estimates, some steps at a time: its loop runs on, and waits where it gives way to the event loop. */
import { fold, rootKey } from "../../src/core/random.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { Pace } from "../../worker/engine/pace.ts";
import { openProgram, type Program } from "../../worker/engine/program.ts";
import { sampleByLangevin } from "../../worker/sample/langevin-run.ts";
import { ProgramSurface } from "../../worker/sample/program-surface.ts";
import { SAMPLERS } from "../../worker/sample/samplers.ts";
import { FusedData } from "../../worker/train/fused-data.ts";
import { tinyCell, type CellGiven } from "../support/tiny-cells.ts";

const BATCH = 128;
const MOST_STEPS = 1_000_000;
/** The fused step alone, a reading with every step: neither preconditioner nor whole steps beside it. */
const PLAN = {
  sampler: SAMPLERS["noise-averaged"].sampler,
  averages: true,
  warmUp: 0,
  thin: 1,
  batch: BATCH,
  corrects: true,
  preconditions: false,
  halfSteps: false,
} as const;

/** Lets so many steps through, then holds the loop until the next leave. */
class Gate extends Pace {
  #left = 0;
  #go: (() => void) | undefined;
  #stopped: (() => void) | undefined;

  override async turn(): Promise<void> {
    if (this.#left === 0) {
      this.#stopped?.();
      await new Promise<void>((resolve) => (this.#go = resolve));
    }
    this.#left -= 1;
    await super.turn();
  }

  /** Resolves when the loop has done so many steps more. */
  async allow(steps: number): Promise<void> {
    const stopped = new Promise<void>((resolve) => (this.#stopped = resolve));
    this.#left = steps;
    this.#go?.();
    await stopped;
  }
}

/** Chains of several cells in one program. Owns its tensors; dispose it. */
export class SamplingProgram {
  readonly program: Program;
  readonly data: FusedData;
  readonly lanes: number;
  readonly batch = BATCH;
  readonly #gate: Gate;
  readonly #abort: AbortController;
  readonly #ended: Promise<unknown>;

  private constructor(program: Program, data: FusedData, cells: number, chains: number) {
    this.program = program;
    this.data = data;
    this.lanes = cells * chains;
    this.#abort = new AbortController();
    this.#gate = new Gate(program.engine.clock, this.#abort.signal);
    const weights = program.parameters.map(({ shape }) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.01)); // prettier-ignore
    const trained = Array.from({ length: cells }, () => ({ dataset: 0, weights }));
    const surface = new ProgramSurface(program, data, trained, { distance: "loss", split: "train" });
    const posteriors = Array.from({ length: cells }, (_, cell) => ({
      cell,
      key: fold(rootKey("bench"), "cell", cell),
      anchor: weights,
      t: 150,
      gamma: 1,
      epsilon: 1e-5,
    }));
    const plan = { ...PLAN, chains, draws: MOST_STEPS };
    const run = sampleByLangevin(surface, posteriors, plan, () => undefined, this.#gate);
    this.#ended = run.catch(() => undefined).then(() => surface.dispose());
  }

  static async open(engine: Engine, given: CellGiven, cells: number, chains: number): Promise<SamplingProgram> {
    const { config } = tinyCell(given);
    const program = openProgram(engine, config);
    const data = new FusedData(program, [await engine.datasets.load(config.data)]);
    return new SamplingProgram(program, data, cells, chains);
  }

  /** Milliseconds of one step of one chain, over so many steps. */
  async turn(steps: number): Promise<number> {
    const { clock } = this.program.engine;
    const startMs = clock.monotonicMs();
    await this.#gate.allow(steps);
    return (clock.monotonicMs() - startMs) / steps / this.lanes;
  }

  async dispose(): Promise<void> {
    this.#abort.abort();
    void this.#gate.allow(1);
    await this.#ended;
    this.data.dispose();
  }
}
