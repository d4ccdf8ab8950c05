import { beforeAll, describe, expect, test } from "vitest";
import { optimizerOf } from "../../../src/catalogue/registry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram } from "../../../worker/engine/program.ts";
import { evaluate } from "../../../worker/train/evaluate.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../../worker/train/fused-update.ts";
import { memberOf } from "../../../worker/train/members.ts";
import { trainingBytes } from "../../../src/spec/memory.ts";
import { tinyCell, type CellGiven, type Given } from "../../support/tiny-cells.ts";

let engine: Engine;
let meter: AllocationMeter;
beforeAll(async () => {
  engine = await openEngine("wasm");
  meter = new AllocationMeter(engine);
});

interface WasmModule {
  readonly asm: { readonly free: (address: number) => void };
  _malloc: (bytes: number) => number;
  _free: (address: number) => void;
}

/** Counts the bytes that live at the backend's allocator, tensors and scratch alike, and the most at once. */
class AllocationMeter {
  #live = 0;
  #peak = 0;
  readonly #sizes = new Map<number, number>();

  constructor({ tf }: Engine) {
    const { wasm } = tf.backend() as unknown as { readonly wasm: WasmModule };
    const { _malloc: allocate } = wasm;
    const { free } = wasm.asm;
    wasm._malloc = (bytes) => {
      const address = allocate(bytes);
      this.#sizes.set(address, bytes);
      this.#live += bytes;
      this.#peak = Math.max(this.#peak, this.#live);
      return address;
    };
    wasm._free = (address) => {
      this.#live -= this.#sizes.get(address) ?? 0;
      this.#sizes.delete(address);
      free(address);
    };
  }

  /** The most bytes beyond those that live now. */
  peakOf(work: () => void): number {
    const before = this.#live;
    this.#peak = before;
    work();
    return this.#peak - before;
  }
}

const MEMBERS = 4;

/** Bytes of one member at the peak of training steps and an evaluation, and what they were estimated at. */
async function peakAndEstimate(given: CellGiven): Promise<{ readonly peak: number; readonly estimate: number }> {
  const { tf } = engine;
  const cells = Array.from({ length: MEMBERS }, (_, seed) => tinyCell({ ...given, seed }));
  const { config } = cells[0]!;
  const program = openProgram(engine, config);
  const data = new FusedData(program, [await engine.datasets.load(config.data)]);
  const datasets = cells.map(() => 0);
  const rows = Int32Array.from({ length: MEMBERS * config.train.batch }, (_, i) => i % data.rows("train"));
  const peak = meter.peakOf(() => {
    const update = FusedUpdate.start(program, cells.map((cell) => memberOf(cell, 0))); // prettier-ignore
    for (let step = 1; step <= 2; step += 1) {
      const batch = data.gather("train", datasets, rows);
      tf.dispose([batch.input, batch.targets, update.apply(batch, step, 1)]);
    }
    evaluate(program, data, "train", update.weights, datasets);
    update.dispose();
  });
  data.dispose();
  const slots = optimizerOf(config.optimizer).slots.length;
  return { peak: peak / MEMBERS, estimate: trainingBytes(program, config.train.batch, slots) };
}

const digits = (size: number): Given => ({ kind: "digits", size, train: 500, test: 100 });
const train = { batch: 64 };

describe("the memory of a member", () => {
  test.each<readonly [string, CellGiven]>([
    ["mlp", { data: digits(14), architecture: { kind: "mlp", activation: "gelu", depth: 2, width: 64 }, train }],
    ["cnn", { data: digits(28), architecture: { kind: "cnn" }, train }],
    ["transformer", { data: { kind: "modular-addition" }, architecture: { kind: "transformer" }, train }],
  ])("is below its estimate, and not far: %s", async (_, given) => {
    for (const kind of ["sgd", "adam"]) {
      const { peak, estimate } = await peakAndEstimate({ ...given, optimizer: { kind } });
      expect(peak).toBeLessThan(estimate);
      expect(peak).toBeGreaterThan(estimate / 8);
    }
  });
});
