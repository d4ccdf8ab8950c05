import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { EstimateConfig } from "../../../src/spec/cell.ts";
import { estimandsOf, surfacesOf, type Estimand } from "../../../worker/complexity/estimand.ts";
import type { TrainedWell } from "../../../worker/complexity/trained.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, type Program } from "../../../worker/engine/program.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { memberOf } from "../../../worker/train/members.ts";
import { normals, sizeOf } from "../../support/stacked.ts";
import { ESTIMATE, tinyCell, type CellGiven } from "../../support/tiny-cells.ts";

let engine: Engine;
let classifier: Program;
let regressor: Program;
let tensors = 0;
beforeAll(async () => {
  engine = await openEngine("wasm");
  classifier = openProgram(engine, tinyCell(JUNTA(1)).config);
  regressor = openProgram(
    engine,
    tinyCell({ data: { kind: "teacher-student", inputs: 3, train: 20, test: 10 } }).config,
  );
});
beforeEach(() => {
  tensors = engine.memory().tensors;
});
afterEach(() => {
  expect(engine.memory().tensors).toBe(tensors);
});

const JUNTA = (seed: number): CellGiven => ({
  data: { kind: "boolean", function: "junta", inputs: 6, k: 2, train: 40, seed },
  architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 4 },
  seed,
});

const labelsOf = (program: Program, over: Partial<EstimateConfig>): readonly string[] =>
  estimandsOf(program, { ...ESTIMATE, ...over }).map(({ label }) => label);

describe("the estimands of a configuration", () => {
  test("are the training loss by default, over all parameters and rows", () => {
    expect(estimandsOf(classifier, ESTIMATE)).toEqual([
      { label: "loss", distance: "loss", split: "train", free: undefined, rows: "all" },
    ]);
  });

  test("take the distance that is natural to the outputs, or the one asked for", () => {
    const behavioural = { estimand: "behavioural" } as const;
    expect(labelsOf(classifier, behavioural)).toEqual(["behavioural-kl"]);
    expect(labelsOf(regressor, behavioural)).toEqual(["behavioural-mse"]);
    expect(labelsOf(classifier, { ...behavioural, distance: "mse" })).toEqual(["behavioural-mse"]);
  });

  test("are two where both are asked for, the loss first, and say what is held or left out", () => {
    const asked = { estimand: "both", parameters: "weight1", rows: "class:1", inputs: "all" } as const;
    expect(labelsOf(classifier, asked)).toEqual([
      "loss of weight1 on class:1",
      "behavioural-kl of weight1 on class:1 on all inputs",
    ]);
    const splits = estimandsOf(classifier, { ...ESTIMATE, ...asked }).map(({ split }) => split);
    expect(splits).toEqual(["train", "all"]);
  });

  test("free the parameters whose names begin so", () => {
    const names = classifier.parameters.map(({ name }) => name);
    const freeOf = (parameters: string): readonly string[] =>
      estimandsOf(classifier, { ...ESTIMATE, parameters })[0]!.free!.map((p) => names[p]!);
    expect(freeOf("weight")).toEqual(names.filter((name) => name.startsWith("weight")));
    expect(freeOf(names[1]!)).toEqual(names.filter((name) => name.startsWith(names[1]!)));
    expect(() => freeOf("head")).toThrow(/no parameter begins with "head"/);
  });
});

describe("the surfaces of an estimand", () => {
  const LOSS: Estimand = { label: "loss", distance: "loss", split: "train", free: undefined, rows: "all" };

  async function withCells(
    run: (data: FusedData, cells: readonly TrainedWell[]) => void,
    seeds: readonly number[] = [1, 2, 3, 4],
  ): Promise<void> {
    const cells = seeds.map((seed) => tinyCell(JUNTA(seed)));
    const data = new FusedData(classifier, await Promise.all(cells.map(({ config }) => engine.datasets.load(config.data)))); // prettier-ignore
    const trained = cells.map((cell, dataset) => ({
      outcome: "ok",
      member: memberOf(cell, dataset),
      weights: classifier.parameters.map(({ shape }, p) => normals(`estimand ${p}`, sizeOf(shape))),
    })) as unknown as readonly TrainedWell[];
    run(data, trained);
    data.dispose();
  }

  test("are one for all cells over all rows", async () => {
    await withCells((data, cells) => {
      const surfaces = surfacesOf(classifier, data, cells, LOSS);
      expect(surfaces.map((each) => each.cells)).toEqual([cells]);
      const surface = surfaces[0]!.open();
      expect(surface).toMatchObject({ rows: 40, dimension: classifier.parameterCount });
      surface.dispose();
    });
  });

  test("of a class hold the rows of that class, cells with equal counts beside each other", async () => {
    await withCells((data, cells) => {
      const counts = cells.map(
        ({ member }) => data.firstTargets("train", member.dataset).filter((c) => c === 1).length,
      );
      const surfaces = surfacesOf(classifier, data, cells, { ...LOSS, rows: "class:1" });
      expect(new Set(surfaces.flatMap((each) => each.cells)).size).toBe(cells.length);
      expect(surfaces.length).toBe(new Set(counts).size);
      for (const each of surfaces) {
        const surface = each.open();
        for (const cell of each.cells) expect(surface.rows).toBe(counts[cells.indexOf(cell)]);
        surface.dispose();
      }
    });
  });

  test("of a class that no row is of are refused", async () => {
    await withCells((data, cells) => {
      expect(() => surfacesOf(classifier, data, cells, { ...LOSS, rows: "class:9" })).toThrow(/0 rows are of class 9/);
    });
  });
});
