import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import { hasOwnKernel } from "../../../src/catalogue/own-kernel.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, type Program } from "../../../worker/engine/program.ts";
import { sizeOf } from "../../../worker/engine/shape.ts";
import { sampleByLangevin, type LangevinPlan } from "../../../worker/sample/langevin-run.ts";
import type { ChainRecord, Posterior } from "../../../worker/sample/posterior.ts";
import { ProgramSurface } from "../../../worker/sample/program-surface.ts";
import { SAMPLERS, type SamplerName } from "../../../worker/sample/samplers.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { tinyCell } from "../../support/tiny-cells.ts";

/** 50 rows in batches of 10: five of them, so that every term of a step acts. */
const CELL = tinyCell({
  data: { kind: "teacher-student", inputs: 4, outputs: 2, train: 50, test: 10 },
  architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 6 },
});
/** Everything but the preconditioner, whose step comes from differences of gradients and so magnifies rounding. */
const PLAN: LangevinPlan = {
  sampler: SAMPLERS["noise-averaged"].sampler,
  averages: true,
  chains: 3,
  warmUp: 10,
  draws: 40,
  thin: 2,
  batch: 10,
  corrects: true,
  preconditions: false,
  halfSteps: true,
};
const WHOLE_PLAN: LangevinPlan = { ...PLAN, preconditions: true };

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

type Sampled = Omit<Posterior, "cell">;

function posteriorOf(index: number): Sampled {
  const key = fold(rootKey("chains-test"), "cell", index);
  const anchor = program.parameters.map(({ shape }, b) => {
    const values = new Float32Array(sizeOf(shape));
    fillNormal(key, { a: 0, b }, values);
    return values.map((value) => 0.3 * value);
  });
  return { key, anchor, t: 20 + index, gamma: 1, epsilon: 0.01 };
}

/** Each posterior is one of a cell of its own. */
async function sampled(
  of: readonly Sampled[],
  plan: LangevinPlan,
  onStep: (step: number) => void = () => undefined,
): Promise<readonly ChainRecord[]> {
  const cells = of.map(({ anchor }) => ({ dataset: 0, weights: anchor }));
  const surface = new ProgramSurface(program, data, cells, { distance: "loss", split: "train" });
  try {
    const posteriors = of.map((each, cell) => ({ ...each, cell }));
    return await sampleByLangevin(surface, posteriors, plan, onStep, { turn: () => Promise.resolve() });
  } finally {
    surface.dispose();
  }
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

const arraysOf = ({ x, halves, coarse, displacement }: ChainRecord): readonly Float64Array[] => [...x, ...halves.flat(), ...coarse, ...displacement]; // prettier-ignore

/**
 * Largest difference between a chain by the kernels and by plain operations after 170 steps, relative to the largest number of
 * its kind: rounding, which a stable step does not amplify. Measured: 4e-7.
 */
const SAME_CHAIN = 4e-6;

describe("chains of several posteriors", () => {
  test.each([10, 0])("are the same by the fused kernels and by plain operations, batch %i", async (batch) => {
    const plan = { ...PLAN, batch };
    const posteriors = [posteriorOf(0), posteriorOf(1)];
    for (const name of KERNELS) expect(hasOwnKernel(engine.tf, name)).toBe(true);
    const fused = await sampled(posteriors, plan);
    const plain = await without(engine.tf, KERNELS, () => sampled(posteriors, plan));
    fused.forEach((record, cell) => {
      expect(arraysOf(record).length).toBe((batch === 0 ? 3 : 5) * plan.chains);
      arraysOf(record).forEach((values, i) => {
        const reference = arraysOf(plain[cell]!)[i]!;
        const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(largest).toBeGreaterThan(0);
        values.forEach((value, draw) => expect(Math.abs(value - reference[draw]!) / largest).toBeLessThan(SAME_CHAIN));
      });
    });
  });

  test("move: the readings differ from draw to draw and from chain to chain", async () => {
    const [record] = await sampled([posteriorOf(0)], WHOLE_PLAN);
    const every = [...record!.x, ...record!.coarse];
    for (const values of every) expect(new Set(values).size).toBe(values.length);
    expect(new Set(every.map((values) => values.join())).size).toBe(2 * WHOLE_PLAN.chains);
    expect(record).toMatchObject({ batches: 5, batchRows: 10, warmUp: 10, nonFinite: 0 });
    expect(record!.acceptance).toBeGreaterThan(0.5);
  });

  test("step and half step start where the warm-up ended and stay near each other", async () => {
    const [record] = await sampled([posteriorOf(0)], { ...PLAN, thin: 1 });
    const { x, coarse } = record!;
    x.forEach((half, chain) => {
      expect(coarse[chain]![0]).toBe(half[0]);
      const spread = Math.max(...half) - Math.min(...half);
      half.forEach((value, draw) => expect(Math.abs(value - coarse[chain]![draw]!)).toBeLessThan(0.5 * spread));
    });
    const extrapolated = x[0]!.map((half, draw) => 2 * half - coarse[0]![draw]!);
    expect([...record!.mean[0]!]).toEqual([...extrapolated]);
  });

  test.each<readonly [string, LangevinPlan]>([
    ["as estimates take them", WHOLE_PLAN],
    ...Object.entries(SAMPLERS).map(([name, { sampler, controlVariates }]): [string, LangevinPlan] => [
      `by ${name as SamplerName}`,
      { ...PLAN, sampler, averages: false, corrects: controlVariates, halfSteps: false },
    ]),
  ])("%s are bitwise the same alone, among others, and beside a cell that is lost", async (_, plan) => {
    const [posterior, other] = [posteriorOf(0), posteriorOf(1)];
    const [alone] = await sampled([posterior], plan);
    const lost = { ...posteriorOf(2), anchor: other.anchor.map((values) => values.map(() => Number.NaN)) };
    const wild = { ...posteriorOf(3), epsilon: 1e30 };
    const among = await sampled([wild, other, posterior, lost], plan);
    expect(among[2]).toEqual(alone);
    for (const index of [0, 3]) {
      expect(among[index]!.x.every((values) => values.every(Number.isFinite))).toBe(false);
      expect(among[index]!.nonFinite).toBeGreaterThan(0);
    }
    for (const values of among[1]!.x) expect(values.every(Number.isFinite)).toBe(true);
  });

  test("keep the number of live tensors over 1,000 steps", async () => {
    const before = engine.memory();
    const live = new Set<number>();
    const plan = { ...WHOLE_PLAN, warmUp: 50, draws: 950, thin: 1 };
    // Readings are flushed every 25 draws: looked at there, the count is that of the state alone. The rows of the acceptance
    // test come with its first step, at an eighth of the draws.
    await sampled([posteriorOf(0), posteriorOf(1)], plan, (step) => {
      if (step >= 200 && step % 25 === 0) live.add(engine.memory().tensors);
    });
    expect(live.size).toBe(1);
    expect(engine.memory()).toEqual(before);
  });
});
