import { beforeAll, describe, expect, test } from "vitest";
import { cellResultSchema } from "../../../src/result/cell-result.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram } from "../../../worker/engine/program.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../../worker/train/fused-update.ts";
import { byOptimizer, memberOf, optimizerSlices } from "../../../worker/train/members.ts";
import { learningRateFactor } from "../../../worker/train/schedule.ts";
import { recordShard } from "../../support/shard-recorder.ts";
import type { EstimateConfig } from "../../../src/spec/cell.ts";
import { ESTIMATE, tinyCell } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

const SHORT_ESTIMATE: EstimateConfig = {
  ...ESTIMATE,
  chains: 2,
  budget: 40,
  trajectory: 4,
  kernelRows: 16,
  refine: "never",
};

describe("a shard", () => {
  test("lowers the loss of every cell, and gives each one valid result", async () => {
    const cells = [1, 2, 3].map((seed) =>
      tinyCell({ seed, train: { steps: 200, evalEvery: 50 }, estimate: SHORT_ESTIMATE }),
    );
    const { results, metrics, progress } = await recordShard(engine, cells);
    for (const { id } of cells) {
      const losses = metrics.get(id)!.filter(({ series }) => series === "train.loss");
      expect(losses.map(({ step }) => step)).toEqual([0, 50, 100, 150, 200]);
      const result = results.get(id)!;
      expect(cellResultSchema.parse(result)).toEqual(result);
      expect(result).toMatchObject({ outcome: "ok", steps: 200, stopped: "budget", fuseWidth: 3, backend: "wasm" });
      expect(result.trainLoss).toBe(losses.at(-1)!.value);
      expect(result.trainLoss!).toBeLessThan(0.6 * losses[0]!.value);
      expect(result.estimate).toMatchObject({ sampler: "hmc", chains: 2, n: 64, batch: 64, anchorMoved: 0 });
      expect(result.estimate!.draws).toBeGreaterThanOrEqual(4);
      expect(result.behavioural).toBeNull();
      const series = new Set(metrics.get(id)!.map((point) => point.series));
      const named = ["batch.loss", "train.loss", "test.loss", "train.accuracy", "test.accuracy", "chain.0", "chain.1"];
      expect([...series].sort()).toEqual(named.sort());
    }
    expect(new Set(progress.map(({ phase }) => phase))).toEqual(new Set(["train", "estimate"]));
  });

  test("stops a cell at the first evaluation whose training loss is low enough", async () => {
    const cell = tinyCell({
      optimizer: { kind: "adam", learningRate: 0.05 },
      train: { steps: 500, stopTrainLoss: 0.25 },
    });
    const { results, metrics } = await recordShard(engine, [cell]);
    const result = results.get(cell.id)!;
    expect(result).toMatchObject({ stopped: "train-loss", outcome: "ok" });
    const losses = metrics.get(cell.id)!.filter(({ series }) => series === "train.loss");
    expect(losses.at(-1)).toMatchObject({ step: result.steps, value: result.trainLoss });
    expect(result.trainLoss!).toBeLessThanOrEqual(0.25);
    for (const { value } of losses.slice(0, -1)) expect(value).toBeGreaterThan(0.25);
  });

  test("fails a cell whose data cannot be had, alone", async () => {
    // The same shapes, so the same fuse key: a Boolean function of another kind is fine, one whose table fails is not.
    const good = tinyCell();
    const bad = tinyCell({ seed: 2 });
    const broken: Engine = {
      ...engine,
      datasets: Object.assign(Object.create(engine.datasets) as Engine["datasets"], {
        calls: 0,
        load(this: { calls: number }, config: typeof good.config.data) {
          this.calls += 1;
          if (this.calls === 2) return Promise.reject(new Error("the file is not there"));
          return engine.datasets.load(config);
        },
      }),
    };
    const { results, failed } = await recordShard(broken, [good, bad]);
    expect(results.get(good.id)).toMatchObject({ outcome: "ok" });
    expect(failed.get(bad.id)).toEqual({ kind: "error", reason: "data moons: the file is not there" });
    expect(results.has(bad.id)).toBe(false);
  });

  test("fails a cell whose architecture does not take the task, with the reason", async () => {
    const cell = tinyCell({ architecture: { kind: "cnn" } });
    const { results, failed } = await recordShard(engine, [cell]);
    expect(failed.get(cell.id)).toMatchObject({ kind: "error", reason: expect.stringContaining("cnn reads images") });
    expect(results.size).toBe(0);
  });

  test("an abort ends it promptly, without a result and without a tensor left", async () => {
    const before = engine.memory().tensors;
    for (const phase of ["progress", "metrics"] as const) {
      const controller = new AbortController();
      const cell = tinyCell({ train: { steps: 100_000, evalEvery: 100 }, estimate: SHORT_ESTIMATE });
      const { results, failed } = await recordShard(engine, [cell], controller.signal, (kind) => {
        if (kind === phase) controller.abort();
      });
      expect(results.size + failed.size).toBe(0);
    }
    expect(engine.memory().tensors).toBe(before);
  });

  test("is served by the event loop while it computes", async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await recordShard(engine, [tinyCell({ train: { steps: 400, evalEvery: 400 } })]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });

  test("leaves no tensor, whatever its cells do", async () => {
    const before = engine.memory().tensors;
    const cells = [0.1, 1e12, 0.3].map((learningRate, seed) =>
      tinyCell({
        data: { kind: "teacher-student", inputs: 3, train: 64, test: 16 },
        optimizer: { kind: "momentum", learningRate },
        regulariser: { kind: "dropout", strength: 0.2 },
        seed,
        estimate: SHORT_ESTIMATE,
      }),
    );
    const { results } = await recordShard(engine, cells);
    expect([...results.values()].map(({ outcome }) => outcome).sort()).toEqual(["diverged", "ok", "ok"]);
    expect(engine.memory().tensors).toBe(before);
  });

  test("memory too small for all its cells cuts it into several programs, and changes no number", async () => {
    const cells = [1, 2, 3, 4].map((seed) => tinyCell({ seed, estimate: SHORT_ESTIMATE }));
    const wide = await recordShard(engine, cells);
    const narrow = await recordShard({ ...engine, memoryBudgetBytes: 1 }, cells);
    for (const { id } of cells) {
      const [a, b] = [wide.results.get(id)!, narrow.results.get(id)!];
      expect([a.fuseWidth, b.fuseWidth]).toEqual([4, 1]);
      expect({ ...b, timing: a.timing, fuseWidth: a.fuseWidth }).toEqual(a);
    }
  });

  test("a failed allocation halves the program and tries again; a single cell that does not fit fails alone", async () => {
    const cells = [1, 2, 3].map((seed) => tinyCell({ seed }));
    const reference = await recordShard(engine, cells);
    const { tf, noise } = engine;
    const tight = (most: number): Engine => ({
      ...engine,
      noise: {
        uniforms: (streams, shape) => noise.uniforms(streams, shape),
        normals: (streams, shape) => {
          if (streams.length > most) throw new RangeError("Array buffer allocation failed");
          return noise.normals(streams, shape);
        },
      },
    });
    const before = tf.memory().numTensors;
    const halved = await recordShard(tight(2), cells);
    for (const { id } of cells) expect(halved.results.get(id)!.trainLoss).toBe(reference.results.get(id)!.trainLoss);
    const none = await recordShard(tight(0), cells);
    expect([...none.failed.values()].map(({ kind }) => kind)).toEqual(Array(3).fill("out-of-memory"));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("a fused update", () => {
  test("keeps the number of tensors constant over 1,000 steps", async () => {
    const members = byOptimizer(
      ["sgd", "adam", "sgd", "lion"].map((kind, seed) =>
        memberOf(tinyCell({ optimizer: { kind }, regulariser: { kind: "weight-noise", strength: 0.01 }, seed }), 0),
      ),
    );
    expect(optimizerSlices(members).map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ["sgd", 0, 2],
      ["adam", 2, 3],
      ["lion", 3, 4],
    ]);
    const { config } = members[0]!.cell;
    const program = openProgram(engine, config);
    const data = new FusedData(program, [await engine.datasets.load(config.data)]);
    const update = FusedUpdate.start(program, members);
    const batch = data.gather("train", [0, 0, 0, 0], new Int32Array(4 * 8));
    const counts = new Set<number>();
    for (let step = 1; step <= 1000; step += 1) {
      update.apply(batch, step, 1).dispose();
      // Vectors of hyperparameters are made at the first step.
      if (step > 1) counts.add(engine.memory().tensors);
    }
    expect(counts.size).toBe(1);
    expect(batch.input.isDisposed || batch.targets.isDisposed).toBe(false);
    update.dispose();
    data.dispose();
    engine.tf.dispose([batch.input, batch.targets]);
  });
});

describe("schedules", () => {
  const config = { steps: 100, batch: 1, evalEvery: 1, stopTrainLoss: null };

  test("constant is 1; cosine falls from 1 over 1/2 towards 0", () => {
    expect(learningRateFactor({ ...config, schedule: "constant" }, 70)).toBe(1);
    const cosine = [1, 51, 100].map((step) => learningRateFactor({ ...config, schedule: "cosine" }, step));
    expect(cosine[0]).toBe(1);
    expect(cosine[1]).toBeCloseTo(0.5);
    expect(cosine[2]).toBeCloseTo(0.000247, 5);
  });
});
