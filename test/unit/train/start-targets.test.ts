/** Realizable data on a worker: the truth is where the cell starts, and the noise is what it says. */
import { beforeAll, describe, expect, test } from "vitest";
import { mean, variance } from "../../../src/stats/moments.ts";
import type { Engine } from "../../../worker/engine/engine.ts";
import { openProgram } from "../../../worker/engine/program.ts";
import { memberOf } from "../../../worker/train/members.ts";
import { startTargets } from "../../../worker/train/start-targets.ts";
import { recordShard } from "../../support/shard-recorder.ts";
import { openTestEngine } from "../../support/test-backend.ts";
import { tinyCell, type CellGiven, type Given } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

const DATA: Given = { kind: "realizable", inputs: 4, outputs: 3, train: 700, test: 90 };
const NUMBER: Given = { kind: "realizable", inputs: 1, outputs: 1, train: 60, test: 30 };
const at = (start: "canonical" | "generic" | "teacher", steps = 0): CellGiven => ({ train: { steps, start } });

const CELLS: readonly (readonly [string, CellGiven])[] = [
  ["deep-linear, canonical", { architecture: { kind: "deep-linear", widths: "4 5 2 3", rank: 1 }, data: DATA, ...at("canonical") }],
  ["deep-linear, generic", { architecture: { kind: "deep-linear", depth: 1, width: 3, rank: 2, outputScale: 3 }, data: DATA, ...at("generic") }],
  ["reduced-rank, generic", { architecture: { kind: "reduced-rank", width: 2, rank: 1 }, data: DATA, ...at("generic") }],
  ["normal-crossing, canonical", { architecture: { kind: "normal-crossing", powers: "1 2" }, data: NUMBER, ...at("canonical") }],
  ["normal-crossing, teacher", { architecture: { kind: "normal-crossing", powers: "2 3" }, data: NUMBER, ...at("teacher") }],
  ["mlp, teacher", { architecture: { kind: "mlp", activation: "gelu", depth: 2, width: 7 }, data: DATA, ...at("teacher") }],
  ["polynomial, teacher", { architecture: { kind: "polynomial", degree: 2, initScale: 0.5 }, data: { ...DATA, distribution: "uniform" }, ...at("teacher") }],
]; // prettier-ignore

describe("a cell of realizable data", () => {
  test.each(CELLS)("%s: is evaluated where it starts, at a loss of exactly 0, and ends there", async (_, given) => {
    const cells = [1, 2, 3].map((seed) => tinyCell({ ...given, seed }));
    const { results, metrics, failed } = await recordShard(engine, cells);
    expect(failed.size).toBe(0);
    for (const { id } of cells) {
      expect(results.get(id)).toMatchObject({
        outcome: "ok",
        steps: 0,
        stopped: "budget",
        trainLoss: 0,
        testLoss: 0,
        trainAccuracy: null,
      });
      expect(metrics.get(id)!.map(({ step }) => step)).toEqual([0, 0]);
    }
  });

  test("stays at its truth through training where there is no noise, and leaves it where there is", async () => {
    const given = {
      architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 5 },
      ...at("teacher", 30),
    } as const;
    const [still, moved] = [0, 0.5].map((noise) => tinyCell({ ...given, data: { ...DATA, noise } }));
    const { results } = await recordShard(engine, [still!, moved!]);
    expect(results.get(still!.id)).toMatchObject({ steps: 30, trainLoss: 0 });
    // E 1/2 |noise|^2 of three outputs is 0.375 at the truth; the fit is below it, by about lambda / n.
    expect(results.get(moved!.id)!.trainLoss).toBeGreaterThan(0.33);
    expect(results.get(moved!.id)!.trainLoss).toBeLessThan(0.42);
  });

  test("adds one and the same noise to the outputs of every cell, of the sd that is asked for", async () => {
    const cells = [1, 2].flatMap((seed) =>
      [0, 0.3].map((noise) => tinyCell({ ...CELLS[0]![1], data: { ...DATA, noise }, seed, ...at("generic") })),
    );
    const program = openProgram(engine, cells[0]!.config);
    const loaded = await Promise.all(cells.map(({ config }) => engine.datasets.load(config.data)));
    const before = engine.memory().tensors;
    const data = startTargets(
      program,
      cells.map((cell, dataset) => memberOf(cell, dataset)),
      loaded,
    );
    expect(engine.memory().tensors).toBe(before);
    const noiseOf = (clean: number): Float64Array =>
      Float64Array.from(data[clean + 1]!.train.y, (y, i) => y - data[clean]!.train.y[i]!);
    const [first, second] = [noiseOf(0), noiseOf(2)];
    first.forEach((value, i) => expect(Math.abs(value - second[i]!)).toBeLessThan(1e-5));
    // 2,100 draws: the sd is known to 1.5 %, the mean to 0.0065.
    expect(Math.sqrt(variance(first)) / 0.3).toBeGreaterThan(0.94);
    expect(Math.sqrt(variance(first)) / 0.3).toBeLessThan(1.06);
    expect(Math.abs(mean(first))).toBeLessThan(0.026);
    expect(data[0]!.train.x).toBe(loaded[0]!.train.x);
  });

  test("is refused by a worker that it should not have come to", async () => {
    const cells = [
      tinyCell({ architecture: { kind: "mlp" }, data: DATA, ...at("canonical") }),
      tinyCell({ architecture: { kind: "mlp" }, data: DATA, train: { steps: 0 } }),
    ];
    const { failed } = await recordShard(engine, cells);
    expect([...failed.values()].map(({ reason }) => reason)).toEqual([
      "mlp: train.start: mlp names no canonical weights",
      expect.stringMatching(/^mlp: realizable data have no targets/),
    ]);
  });
});
