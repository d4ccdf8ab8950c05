import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import { hasOwnKernel } from "../../../src/catalogue/own-kernel.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, type Program } from "../../../worker/engine/program.ts";
import { sizeOf } from "../../../worker/engine/shape.ts";
import { sampleChains, type ChainRecord, type SampledCell } from "../../../worker/sample/chains.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { ESTIMATE, tinyCell } from "../../support/tiny-cells.ts";

/** 50 rows in batches of 10: five of them, so that every term of a step acts. */
const CELL = tinyCell({
  data: { kind: "teacher-student", inputs: 4, outputs: 2, train: 50, test: 10 },
  architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 6 },
});
const CONFIG = { ...ESTIMATE, chains: 3, burnIn: 5, draws: 40, thin: 2, batch: 10 };

const KERNELS = ["OccamLangevin", "OccamReading"] as const;

let engine: Engine;
let program: Program;
let data: FusedData;
beforeAll(async () => {
  engine = await openEngine("wasm");
  program = openProgram(engine, CELL.config);
  data = new FusedData(program, [await engine.datasets.load(CELL.config.data)]);
});

afterAll(() => {
  data.dispose();
  expect(engine.memory().tensors).toBe(0);
});

function cellOf(index: number): SampledCell {
  const key = fold(rootKey("chains-test"), "cell", index);
  const weights = program.parameters.map(({ shape }, b) => {
    const values = new Float32Array(sizeOf(shape));
    fillNormal(key, { a: 0, b }, values);
    return values.map((value) => 0.3 * value);
  });
  return { dataset: 0, key, weights, t: 20 + index, gamma: 1, epsilon: 0.01 };
}

function sampled(
  cells: readonly SampledCell[],
  config = CONFIG,
  onStep: (step: number) => void = () => undefined,
): Promise<
  readonly ChainRecord[]
> /* prettier-ignore */ {
  return sampleChains(program, data, cells, config, onStep, { turn: () => Promise.resolve() } as never);
}

/** Runs without these kernels. */
async function without<T>(tf: Tf, names: readonly string[], run: () => Promise<T>): Promise<T> {
  const kernels = names.map((name) => tf.getKernel(name, "wasm"));
  for (const name of names) tf.unregisterKernel(name, "wasm");
  try {
    return await run();
  } finally {
    for (const kernel of kernels) tf.registerKernel(kernel);
  }
}

const arraysOf = ({ x, halves, displacement }: ChainRecord): readonly Float64Array[] => [...x, ...halves.flat(), ...displacement]; // prettier-ignore

/**
 * Largest difference between a chain by the kernels and by plain operations after 85 steps, relative to the largest number of
 * its kind: rounding, which a stable step does not amplify. Measured: 4e-7.
 */
const SAME_CHAIN = 4e-6;

describe("chains of several cells", () => {
  test.each([10, 0])("are the same by the fused kernels and by plain operations, batch %i", async (batch) => {
    const config = { ...CONFIG, batch };
    const cells = [cellOf(0), cellOf(1)];
    for (const name of KERNELS) expect(hasOwnKernel(engine.tf, name)).toBe(true);
    const fused = await sampled(cells, config);
    const plain = await without(engine.tf, KERNELS, () => sampled(cells, config));
    fused.forEach((record, cell) => {
      arraysOf(record).forEach((values, i) => {
        const reference = arraysOf(plain[cell]!)[i]!;
        const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(largest).toBeGreaterThan(0);
        values.forEach((value, draw) => expect(Math.abs(value - reference[draw]!) / largest).toBeLessThan(SAME_CHAIN));
      });
    });
  });

  test("move: the readings differ from draw to draw and from chain to chain", async () => {
    const [record] = await sampled([cellOf(0)]);
    for (const values of record!.x) expect(new Set(values).size).toBe(CONFIG.draws);
    expect(record!.x[0]).not.toEqual(record!.x[1]);
    expect(record!.pool).toEqual({ batches: 5, rows: 10 });
  });

  test("are bitwise the same alone, among others, and beside a cell that is lost", async () => {
    const [cell, other] = [cellOf(0), cellOf(1)];
    const [alone] = await sampled([cell]);
    const lost = { ...cellOf(2), weights: other.weights.map((values) => values.map(() => Number.NaN)) };
    const wild = { ...cellOf(3), epsilon: 1e30 };
    const among = await sampled([wild, other, cell, lost]);
    expect(among[2]).toEqual(alone);
    for (const index of [0, 3]) expect(among[index]!.x.every((values) => values.every(Number.isFinite))).toBe(false);
    for (const values of among[1]!.x) expect(values.every(Number.isFinite)).toBe(true);
  });

  test("keep the number of live tensors over 1,000 steps", async () => {
    const before = engine.memory();
    const live = new Set<number>();
    const config = { ...CONFIG, burnIn: 50, draws: 950, thin: 1 };
    // Readings are flushed every 25 draws: looked at there, the count is that of the state alone.
    await sampled([cellOf(0), cellOf(1)], config, (step) => {
      if (step >= 50 && step % 25 === 0) live.add(engine.memory().tensors);
    });
    expect(live.size).toBe(1);
    expect(engine.memory()).toEqual(before);
  });
});
