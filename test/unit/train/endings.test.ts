/** Members that end at different steps, for different reasons, in one program. */
import { beforeAll, expect, test } from "vitest";
import { canonicalJson } from "../../../src/core/canonical-json.ts";
import { resultDigest } from "../../../src/result/cell-result.ts";
import type { Cell } from "../../../src/spec/cell.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { recordShard, type RecordedShard } from "../../support/shard-recorder.ts";
import { tinyCell } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

const OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam"];

/**
 * Least squares: some learn fast enough to stop early, at one evaluation or another, some are far above the largest stable
 * learning rate and diverge, sooner or later, and some use every step.
 */
const cells = Array.from({ length: 30 }, (_, i) =>
  tinyCell({
    data: { kind: "teacher-student", inputs: 3, train: 40, test: 20 },
    architecture: { kind: "polynomial", degree: 1, initScale: 1 },
    optimizer: { kind: OPTIMIZERS[i % 5]!, learningRate: [0.001, 0.01, 0.1, 5, 50, 1e4][Math.floor(i / 5)]! },
    regulariser: i % 4 === 0 ? { kind: "l2", strength: 0.001 } : { kind: "none" },
    seed: i,
    train: { steps: 120, batch: 16, evalEvery: 10, stopTrainLoss: 0.36 },
  }),
);

/** Everything that a shard says of one cell, but for times and who ran beside it. */
function saidOf(shard: RecordedShard, { id }: Cell): string {
  return canonicalJson({
    digest: resultDigest(shard.results.get(id)!),
    metrics: shard.metrics.get(id)!.map(({ series, step, value }) => `${series} ${step} ${value}`),
  });
}

test("thirty members that stop, diverge or go on end as they do alone, bit by bit", async () => {
  const before = engine.memory().tensors;
  const together = await recordShard(engine, cells);
  const ends = cells.map(({ id }) => together.results.get(id)!);
  const stepsOf = (stopped: string): readonly number[] =>
    ends.filter((end) => end.stopped === stopped).map(({ steps }) => steps);
  // The case is what it says: all three ends, early ones at many different steps.
  expect(stepsOf("budget").length).toBeGreaterThan(4);
  expect(new Set(stepsOf("train-loss")).size).toBeGreaterThan(2);
  expect(new Set(stepsOf("diverged")).size).toBeGreaterThan(2);
  for (const cell of cells) expect(saidOf(await recordShard(engine, [cell]), cell)).toBe(saidOf(together, cell));
  expect(engine.memory().tensors).toBe(before);
});
