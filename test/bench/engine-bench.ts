/**
 * What the engine costs, as ratios measured in one run on one machine: fused against one at a time, the cost of a member as
 * K grows, a sampler step against a training step, and tensors alive over 1,000 steps.
 */
import type { Cell } from "../../src/spec/cell.ts";
import { fold, rootKey } from "../../src/core/random.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { Pace } from "../../worker/engine/pace.ts";
import { openProgram } from "../../worker/engine/program.ts";
import { sampleChains } from "../../worker/sample/chains.ts";
import { FusedData } from "../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../worker/train/fused-update.ts";
import { memberOf } from "../../worker/train/members.ts";
import { runShard } from "../../worker/trainer/run-shard.ts";
import { ESTIMATE, tinyCell, type CellGiven } from "../support/tiny-cells.ts";

/** One measured number, with what it is compared to. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** value relative to its reference, where it has one. */
  readonly ratio: number | null;
  readonly against: string;
}

/** Digits at 14 x 14 through 196-32-10: 6,634 parameters, the size of the quickstart's cells. */
const DIGITS_MLP: CellGiven = {
  data: { kind: "digits", size: 14, train: 1000, test: 500 },
  architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 32 },
  optimizer: { kind: "adam" },
  train: { steps: 100, batch: 64, evalEvery: 100 },
};

/** Small enough to be bound by dispatch: where fusing pays the most. */
const MOONS_MLP: CellGiven = {
  data: { kind: "moons", train: 256, test: 128 },
  architecture: { kind: "mlp", activation: "tanh", depth: 2, width: 8 },
  optimizer: { kind: "adam" },
  train: { steps: 100, batch: 32, evalEvery: 100 },
};

const SHORT_ESTIMATE = { ...ESTIMATE, draws: 50, burnIn: 20, batch: 64, kernelRows: 64 };

export async function benchEngine(engine: Engine): Promise<readonly Measurement[]> {
  return [
    ...(await fusedAgainstAlone(engine, "digits MLP 196-32-10", DIGITS_MLP)),
    ...(await fusedAgainstAlone(engine, "moons MLP 2-8-8-2", MOONS_MLP)),
    ...(await widthCurve(engine)),
    ...(await samplerAgainstTraining(engine)),
    await liveTensors(engine),
  ];
}

const cellsOf = (given: CellGiven, count: number): readonly Cell[] =>
  Array.from({ length: count }, (_, seed) => tinyCell({ ...given, seed }));

async function fusedAgainstAlone(engine: Engine, name: string, given: CellGiven): Promise<readonly Measurement[]> {
  const count = 16;
  const cells = cellsOf({ ...given, estimate: SHORT_ESTIMATE }, count);
  await cellsPerMinute(engine, [cells.slice(0, 1)]);
  const alone = await cellsPerMinute(engine, cells.map((cell) => [cell])); // prettier-ignore
  const fused = await cellsPerMinute(engine, [cells]);
  const unit = "cells/min";
  return [
    {
      name: `${name}, train and estimate, one at a time`,
      value: alone,
      unit,
      ratio: null,
      against: "(on wasm, each padded to two)",
    },
    { name: `${name}, train and estimate, ${count} fused`, value: fused, unit, ratio: fused / alone, against: "one at a time" }, // prettier-ignore
  ];
}

async function cellsPerMinute(engine: Engine, shards: readonly (readonly Cell[])[]): Promise<number> {
  let results = 0;
  const nothing = (): void => undefined;
  const result = (): void => void (results += 1);
  const failed = (id: string, kind: string, reason: string): void => {
    throw new Error(`cell ${id}: ${kind}: ${reason}`);
  };
  const startMs = engine.clock.monotonicMs();
  for (const cells of shards) {
    const events = { progress: nothing, metrics: nothing, log: nothing, result, failed };
    await runShard(engine, { cells }, events, new AbortController().signal);
  }
  return (60_000 * results) / (engine.clock.monotonicMs() - startMs);
}

/** Training steps of K members. */
async function widthCurve(engine: Engine): Promise<readonly Measurement[]> {
  const curve: Measurement[] = [];
  for (const [name, given] of [
    ["digits MLP", DIGITS_MLP],
    ["moons MLP", MOONS_MLP],
  ] as const) /* prettier-ignore */ {
    let reference: number | undefined;
    for (const width of [1, 2, 4, 8, 16, 32]) {
      const value = await trainingStepMs(engine, given, width);
      reference ??= value;
      const unit = "ms/member/step";
      curve.push({ name: `${name}, training, K = ${width}`, value, unit, ratio: value / reference, against: "K = 1" });
    }
  }
  return curve;
}

/** Milliseconds of a training step, for each member. */
async function trainingStepMs(engine: Engine, given: CellGiven, width: number): Promise<number> {
  const cells = cellsOf(given, Math.max(width, engine.leastMembers));
  const { config } = cells[0]!;
  const program = openProgram(engine, config);
  const data = new FusedData(program, [await engine.datasets.load(config.data)]);
  const update = FusedUpdate.start(program, cells.map((cell) => memberOf(cell, 0))); // prettier-ignore
  const datasets = cells.map(() => 0);
  const rows = Int32Array.from({ length: cells.length * config.train.batch }, (_, i) => i % data.rows("train"));
  const step = (index: number): void => {
    const batch = data.gather("train", datasets, rows);
    const losses = update.apply(batch, index, 1);
    losses.dataSync();
    engine.tf.dispose([batch.input, batch.targets, losses]);
  };
  const ms = msOf(engine, step) / width;
  update.dispose();
  data.dispose();
  return ms;
}

/** Milliseconds of one call, over about a second, after a warm-up. */
function msOf(engine: Engine, step: (index: number) => void): number {
  const leastMs = 1000;
  for (let i = 1; i <= 3; i += 1) step(i);
  let calls = 0;
  const startMs = engine.clock.monotonicMs();
  while (engine.clock.monotonicMs() - startMs < leastMs) {
    calls += 1;
    step(3 + calls);
  }
  return (engine.clock.monotonicMs() - startMs) / calls;
}

async function samplerAgainstTraining(engine: Engine): Promise<readonly Measurement[]> {
  const [members, chains, draws] = [4, 4, 40];
  const training = await trainingStepMs(engine, DIGITS_MLP, members * chains);
  const cell = tinyCell(DIGITS_MLP);
  const program = openProgram(engine, cell.config);
  const data = new FusedData(program, [await engine.datasets.load(cell.config.data)]);
  const weights = program.parameters.map(({ shape }) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.01));
  const cells = Array.from({ length: members }, (_, i) => ({
    dataset: 0,
    key: fold(rootKey("bench"), "cell", i),
    weights,
    t: 100,
    gamma: 1,
    epsilon: 1e-4,
  }));
  const config = { ...ESTIMATE, chains, draws, burnIn: 0, batch: 64 };
  const pace = new Pace(engine.clock, new AbortController().signal);
  const stamps: number[] = [];
  await sampleChains(program, data, cells, config, () => stamps.push(engine.clock.monotonicMs()), pace);
  data.dispose();
  const warmUp = 5;
  const value = (stamps.at(-1)! - stamps[warmUp]!) / (stamps.length - 1 - warmUp) / (members * chains);
  const name = `digits MLP, sampler step, ${members} cells x ${chains} chains`;
  return [{ name, value, unit: "ms/chain/step", ratio: value / training, against: `training step, K = ${members * chains}` }]; // prettier-ignore
}

async function liveTensors(engine: Engine): Promise<Measurement> {
  const cells = cellsOf(MOONS_MLP, 4);
  const { config } = cells[0]!;
  const program = openProgram(engine, config);
  const data = new FusedData(program, [await engine.datasets.load(config.data)]);
  const update = FusedUpdate.start(program, cells.map((cell) => memberOf(cell, 0))); // prettier-ignore
  const batch = data.gather("train", [0, 0, 0, 0], new Int32Array(4 * config.train.batch));
  update.apply(batch, 1, 1).dispose();
  const before = engine.memory().tensors;
  for (let step = 2; step <= 1001; step += 1) update.apply(batch, step, 1).dispose();
  const value = engine.memory().tensors - before;
  update.dispose();
  data.dispose();
  engine.tf.dispose([batch.input, batch.targets]);
  return { name: "tensors gained over 1,000 training steps", value, unit: "tensors", ratio: null, against: "" };
}
