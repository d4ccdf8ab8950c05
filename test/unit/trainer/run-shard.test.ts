import { beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../../src/catalogue/entry.ts";
import { fuseKeyOf, type Cell, type EstimateConfig } from "../../../src/spec/cell.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { FuseWidths } from "../../../worker/engine/fuse-width.ts";
import type { CellResult } from "../../../src/result/cell-result.ts";
import { runShard } from "../../../worker/trainer/run-shard.ts";
import type { MetricPoint, ShardProgress } from "../../../worker/trainer/shard.ts";
import { ESTIMATE, tinyCell, type CellGiven } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

interface Recorded {
  readonly results: ReadonlyMap<string, CellResult>;
  readonly metrics: ReadonlyMap<string, readonly MetricPoint[]>;
  readonly failed: readonly string[];
  readonly progress: readonly ShardProgress[];
  /** Kinds of events, in their order. */
  readonly order: readonly string[];
}

async function run(cells: readonly Cell[], widths?: FuseWidths): Promise<Recorded> {
  const results = new Map<string, CellResult>();
  const metrics = new Map<string, readonly MetricPoint[]>();
  const [failed, progress, order]: [string[], ShardProgress[], string[]] = [[], [], []];
  const events = {
    progress: (at: ShardProgress) => {
      progress.push(at);
      order.push("progress");
    },
    metrics: (id: string, points: readonly MetricPoint[]) => {
      metrics.set(id, [...(metrics.get(id) ?? []), ...points]);
      order.push("metrics");
    },
    log: () => undefined,
    result: (id: string, result: CellResult) => {
      expect(results.has(id)).toBe(false);
      results.set(id, result);
      order.push("result");
    },
    failed: (id: string, kind: string, reason: string) => failed.push(`${id} ${kind}: ${reason}`),
  };
  await runShard(engine, { cells }, events, new AbortController().signal, widths);
  return { results, metrics, failed, progress, order };
}

/** 2-120-120-2: 15,122 parameters, so that some members fill some megabytes. */
const WIDE: CellGiven = {
  data: { kind: "moons", train: 64, test: 32 },
  architecture: { kind: "mlp", activation: "tanh", depth: 2, width: 120 },
  optimizer: { kind: "adam" },
  train: { steps: 20, batch: 32, evalEvery: 10 },
};
const SHORT_ESTIMATE: EstimateConfig = { ...ESTIMATE, budget: 30, trajectory: 3, kernelRows: 16, refine: "never" };

const cellsOf = (given: CellGiven, count: number): readonly Cell[] =>
  Array.from({ length: count }, (_, seed) => tinyCell({ ...given, seed }));

/** Fills the memory of the backend but for one hole of so many mebibytes; gives what fills it. */
function leave(mebibytes: number): readonly Tensor[] {
  const hole = take(mebibytes);
  const taken: Tensor[] = [];
  for (const size of [256, 16, 1, 1 / 16]) {
    try {
      for (;;) taken.push(take(size));
    } catch {
      // Smaller ones may still fit.
    }
  }
  hole.dispose();
  return taken;
}

/** A tensor that nobody writes: it takes addresses and none of the machine's memory. */
function take(mebibytes: number): Tensor {
  const { tf } = engine;
  const backend = tf.backend() as unknown as { makeOutput(shape: number[], dtype: "float32"): never };
  return tf.engine().makeTensorFromTensorInfo(backend.makeOutput([(mebibytes * 2 ** 20) / 4], "float32"));
}

function expectSame(given: Recorded, reference: Recorded): void {
  expect(given.failed).toEqual([]);
  for (const [id, result] of reference.results) {
    const { timing: _, fuseWidth: _width, ...same } = result;
    expect(given.results.get(id)).toMatchObject(same);
    expect(given.metrics.get(id)).toEqual(reference.metrics.get(id));
  }
}

/** Filling 4 GiB and running the same cells three times takes seconds, and a busy machine takes several times as long. */
const PATIENCE_MS = 120_000;

describe("memory that runs out", { timeout: PATIENCE_MS }, () => {
  test("halves the program until it fits, changes no number, says nothing twice, and is remembered", async () => {
    const cells = cellsOf(WIDE, 8);
    const key = fuseKeyOf(cells[0]!.config);
    const reference = await run(cells);
    const before = engine.memory().tensors;
    const held = leave(3);
    const widths = new FuseWidths();
    const tight = await run(cells, widths);
    const most = widths.mostTrained(key);
    const again = await run(cells, widths);
    engine.tf.dispose([...held]);
    expectSame(tight, reference);
    expectSame(again, reference);
    expect([...reference.results.values()].map(({ fuseWidth }) => fuseWidth)).toEqual(Array(8).fill(8));
    expect(Math.max(...[...tight.results.values()].map(({ fuseWidth }) => fuseWidth))).toBeLessThan(8);
    expect(most).toBeLessThan(8);
    expect(widths.mostTrained(key)).toBe(most);
    expect(engine.memory().tensors).toBe(before);
  });

  test("while sampling, samples fewer cells at a time and trains none again", async () => {
    const cells = cellsOf({ ...WIDE, optimizer: { kind: "sgd" }, estimate: SHORT_ESTIMATE }, 8);
    const key = fuseKeyOf(cells[0]!.config);
    const reference = await run(cells);
    const before = engine.memory().tensors;
    const held = leave(12);
    const widths = new FuseWidths();
    const tight = await run(cells, widths);
    engine.tf.dispose([...held]);
    expectSame(tight, reference);
    expect([...tight.results.values()].map(({ fuseWidth }) => fuseWidth)).toEqual(Array(8).fill(8));
    expect(widths.mostTrained(key)).toBe(Infinity);
    expect(widths.mostEstimated(key)).toBeLessThan(8);
    expect(engine.memory().tensors).toBe(before);
  });
});

describe("a shard wider than what is best", () => {
  test("runs in programs of the best width, and the results of the first come before the last begins", async () => {
    const cells = cellsOf({ train: { steps: 60, evalEvery: 30 } }, 8);
    const key = fuseKeyOf(cells[0]!.config);
    const widths = new FuseWidths();
    for (const [width, stepMs] of [
      [1, 4],
      [2, 4],
      [4, 8],
      [8, 16],
    ] as const) {
      widths.timed(key, { width, stepMs });
    }
    expect(widths.best(key)).toBe(2);
    const shard = await run(cells, widths);
    const { order } = shard;
    expect([...shard.results.values()].map(({ fuseWidth }) => fuseWidth)).toEqual(Array(8).fill(2));
    expect(order.indexOf("result")).toBeLessThan(order.length / 2);
    // Each program ends at its share of what is left: 2 of 8 cells, 2 of 6, 2 of 4, 2 of 2.
    const ends = shard.progress.filter(({ live }) => live === 0).map(({ step }) => step);
    expect(ends).toEqual([15, 20, 30, 60]);
    expectSame(shard, await run(cells));
  });

  test("learns the width from its own steps, leaves no tensor, and changes no number", async () => {
    const cells = cellsOf({ train: { steps: 3000, evalEvery: 3000 } }, 4);
    const key = fuseKeyOf(cells[0]!.config);
    const before = engine.memory().tensors;
    const widths = new FuseWidths();
    const shard = await run(cells, widths);
    expect(widths.lastPoint(key)!.width).toBeGreaterThanOrEqual(2);
    // Networks so small are all dispatch: several of them step in little more than the time of one.
    expect(widths.best(key)).toBe(Infinity);
    expect(engine.memory().tensors).toBe(before);
    const short = cellsOf({ train: { steps: 20, evalEvery: 10 } }, 4);
    await run(short, widths);
    expect(widths.lastPoint(fuseKeyOf(short[0]!.config))).toBeUndefined();
    const [first] = cells;
    expectSame(await run([first!]), {
      ...shard,
      results: new Map([[first!.id, shard.results.get(first!.id)!]]),
    });
  });
});
