/** A fused program in training, one step at a time: what a step of the trainer does, without what it reports. */
import type { Engine } from "../../worker/engine/engine.ts";
import { openProgram, type Program } from "../../worker/engine/program.ts";
import { FusedData } from "../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../worker/train/fused-update.ts";
import { memberOf } from "../../worker/train/members.ts";
import { fillIntegers } from "../../src/core/random.ts";
import { tinyCell, type CellGiven } from "../support/tiny-cells.ts";

/** What the numbers are quoted for. */
export const SHAPES = {
  /** 16-32-32-1, 1,633 parameters. */
  mlp: {
    data: { kind: "teacher-student", inputs: 16, outputs: 1, train: 1024, test: 128 },
    architecture: { kind: "mlp", activation: "tanh", depth: 2, width: 32 },
    optimizer: { kind: "adam" },
    train: { batch: 128 },
  },
  /** 64-128-128-10, where arithmetic outweighs dispatch. */
  wideMlp: {
    data: { kind: "teacher-student", inputs: 64, outputs: 10, train: 1024, test: 128 },
    architecture: { kind: "mlp", activation: "relu", depth: 2, width: 128 },
    optimizer: { kind: "adam" },
    train: { batch: 128 },
  },
  transformer: {
    data: { kind: "text", context: 32, train: 512, test: 64 },
    architecture: { kind: "transformer", depth: 1, width: 32, heads: 4 },
    optimizer: { kind: "adam" },
    train: { batch: 16 },
  },
  cnn: {
    data: { kind: "digits", size: 28, train: 512, test: 64 },
    architecture: { kind: "cnn", depth: 2, width: 8 },
    optimizer: { kind: "adam" },
    train: { batch: 64 },
  },
} as const satisfies Record<string, CellGiven>;

/** Owns its tensors; dispose it. */
export class TrainingProgram {
  readonly program: Program;
  readonly members: number;
  readonly #data: FusedData;
  readonly #update: FusedUpdate;
  readonly #batch: number;
  #step = 0;

  private constructor(program: Program, data: FusedData, update: FusedUpdate, batch: number) {
    this.program = program;
    this.members = update.members.length;
    this.#data = data;
    this.#update = update;
    this.#batch = batch;
  }

  static async open(engine: Engine, given: CellGiven, members: number): Promise<TrainingProgram> {
    const cells = Array.from({ length: members }, (_, seed) => tinyCell({ ...given, seed }));
    const { config } = cells[0]!;
    const program = openProgram(engine, config);
    const data = new FusedData(program, [await engine.datasets.load(config.data)]);
    const update = FusedUpdate.start(program, cells.map((cell) => memberOf(cell, 0))); // prettier-ignore
    return new TrainingProgram(program, data, update, config.train.batch);
  }

  /** One update of all members, its minibatches drawn and gathered. */
  step(): void {
    const { tf } = this.program.engine;
    this.#step += 1;
    const rows = new Int32Array(this.members * this.#batch);
    this.#update.members.forEach(({ keys }, k) => {
      const own = rows.subarray(k * this.#batch, (k + 1) * this.#batch);
      fillIntegers(keys.batch, { a: this.#step, b: 0 }, this.#data.rows("train"), own);
    });
    const batch = this.#data.gather("train", this.#update.members.map(() => 0), rows); // prettier-ignore
    const losses = this.#update.apply(batch, this.#step, 1);
    const means = tf.mean(losses, -1);
    // Read, so that the step is over on backends that compute behind one's back.
    means.dataSync();
    tf.dispose([batch.input, batch.targets, means, losses]);
  }

  dispose(): void {
    this.#update.dispose();
    this.#data.dispose();
  }
}
