import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OccamError } from "../../../src/core/errors.ts";
import { idsOf, pointsOf, SMALL, sweepOf, withGrid } from "./sweep-file.ts";

const MLP = { kind: "mlp", activation: "tanh", depth: 1 };
const SGD = { kind: "sgd", learningRate: 0.1 };

describe("the grid", () => {
  test("is the product of its axes, the seed fastest", () => {
    const points = pointsOf(sweepOf(SMALL)).map(({ point }) => [point["optimizer.learningRate"], point["scale.width"], point["seed"]]); // prettier-ignore
    expect(points).toEqual([
      [0.1, 4, "1"],
      [0.1, 4, "2"],
      [0.1, 8, "1"],
      [0.1, 8, "2"],
      [0.3, 4, "1"],
      [0.3, 4, "2"],
      [0.3, 8, "1"],
      [0.3, 8, "2"],
    ]);
  });

  test("has an axis inside a variant for that variant alone", () => {
    const spec = withGrid({
      architecture: MLP,
      optimizer: [SGD, { kind: "momentum", learningRate: 0.1, momentum: [0.5, 0.9, 0.99] }, "adam"],
      scale: { width: 4 },
    });
    expect(spec.gridSize).toBe(1 + 3 + 1);
    expect(pointsOf(spec).map(({ point }) => [point["optimizer.kind"], point["optimizer.momentum"]])).toEqual([
      ["sgd", null],
      ["momentum", 0.5],
      ["momentum", 0.9],
      ["momentum", 0.99],
      ["adam", null],
    ]);
  });

  test("takes a list of kinds that share fields", () => {
    const spec = withGrid({
      architecture: MLP,
      optimizer: { kind: ["sgd", "adam"], learningRate: [0.1, 0.2] },
      scale: { width: 4 },
    });
    expect(pointsOf(spec).map(({ point }) => `${point["optimizer.kind"]} ${point["optimizer.learningRate"]}`)).toEqual([
      "sgd 0.1",
      "sgd 0.2",
      "adam 0.1",
      "adam 0.2",
    ]);
  });

  test.each([
    [{ log: [0.01, 1, 3] }, [0.01, 0.1, 1]],
    [{ log: [1, 0.001, 4] }, [1, 0.1, 0.01, 0.001]],
    [{ linear: [0.1, 0.5, 5] }, [0.1, 0.2, 0.3, 0.4, 0.5]],
    [{ values: [0.3, 0.1] }, [0.3, 0.1]],
    [{ linear: [0.5, 0.5, 1] }, [0.5]],
    [
      [0.9, { log: [0.01, 0.1, 2] }],
      [0.9, 0.01, 0.1],
    ],
  ])("reads the range %j as %j", (range, values) => {
    const spec = withGrid({ architecture: MLP, optimizer: { kind: "sgd", learningRate: range }, scale: { width: 4 } });
    expect(pointsOf(spec).map(({ cell }) => cell.config.optimizer["learningRate"])).toEqual(values);
  });

  test("rounds a range of an integer field to integers", () => {
    const spec = withGrid({ architecture: MLP, optimizer: SGD, scale: { width: { log: [8, 100, 4] } } });
    expect(pointsOf(spec).map(({ cell }) => cell.config.architecture["width"])).toEqual([8, 19, 43, 100]);
  });

  test("zips lists in step", () => {
    const spec = withGrid({
      architecture: MLP,
      optimizer: { kind: "sgd", learningRate: [0.1, 0.2] },
      scale: { width: [4, 8, 16] },
      train: { steps: [10, 20, 30], batch: 8 },
      zip: ["scale.width", "train.steps"],
    });
    expect(spec.gridSize).toBe(6);
    expect(pointsOf(spec).map(({ cell }) => [cell.config.architecture["width"], cell.config.train.steps])).toEqual([
      [4, 10],
      [8, 20],
      [16, 30],
      [4, 10],
      [8, 20],
      [16, 30],
    ]);
  });

  test("zips an axis of one variant, and leaves the other variants alone", () => {
    const spec = withGrid({
      architecture: MLP,
      optimizer: [{ kind: "sgd", learningRate: [0.1, 0.2] }, "adam"],
      scale: { width: [4, 8] },
      zip: [["optimizer.learningRate", "scale.width"]],
    });
    const shown = pointsOf(spec).map(({ point }) => `${point["optimizer.kind"]} ${point["optimizer.learningRate"]} ${point["scale.width"]}`); // prettier-ignore
    expect(shown).toEqual([
      "sgd 0.1 4",
      "sgd 0.2 8",
      expect.stringMatching(/^adam .* 4$/u),
      expect.stringMatching(/^adam .* 8$/u),
    ]);
  });

  test("zips whole sections, variant by variant, and seeds", () => {
    const spec = withGrid({
      architecture: [MLP, { kind: "polynomial", basis: "walsh", degree: 1 }],
      optimizer: ["sgd", "adam"],
      scale: { width: 4 },
      train: { steps: [10, 20] },
      seed: [7, 8],
      zip: [
        ["architecture", "optimizer"],
        ["train.steps", "seed"],
      ],
    });
    const shown = pointsOf(spec).map(({ cell: { config } }) => `${config.architecture.kind} ${config.optimizer.kind} ${config.train.steps} ${config.seed}`); // prettier-ignore
    expect(shown).toEqual(["mlp sgd 10 7", "mlp sgd 20 8", "polynomial adam 10 7", "polynomial adam 20 8"]);
  });

  test("of a list is the union of the sub-grids, and a shared cell is one cell", () => {
    const arm = (width: readonly number[]) => ({ architecture: MLP, optimizer: SGD, scale: { width } });
    const spec = withGrid([arm([4, 8]), arm([8, 16])]);
    expect(spec.gridSize).toBe(4);
    expect(pointsOf(spec).map(({ point }) => point["scale.width"])).toEqual([4, 8, 16]);
  });

  test("merges train outside the grid with train inside it, field by field", () => {
    const grid = { architecture: MLP, optimizer: SGD, scale: { width: 4 }, train: { steps: [5, 6] } };
    const configs = pointsOf(withGrid(grid, { train: { steps: 9, batch: 7 } })).map(({ cell }) => cell.config.train);
    expect(configs.map(({ steps, batch }) => [steps, batch])).toEqual([
      [5, 7],
      [6, 7],
    ]);
  });

  test("takes data as an axis", () => {
    const spec = withGrid(
      { data: [{ kind: "boolean", inputs: [4, 5] }, "moons"], architecture: MLP, optimizer: SGD, scale: { width: 4 } },
      { data: undefined, train: { steps: 10 } },
    );
    expect(pointsOf(spec).map(({ point }) => point["data.kind"])).toEqual(["boolean", "boolean", "moons"]);
  });
});

describe("a scale", () => {
  const both = [MLP, { kind: "polynomial", basis: "walsh", degree: 1 }];

  test("that an architecture does not have makes one point, whose value is null", () => {
    const spec = withGrid({ architecture: both, optimizer: SGD, scale: { width: [4, 8, 16] } });
    expect(spec.gridSize).toBe(6);
    expect(pointsOf(spec).map(({ point }) => [point["architecture.kind"], point["scale.width"]])).toEqual([
      ["mlp", 4],
      ["mlp", 8],
      ["mlp", 16],
      ["polynomial", null],
    ]);
    expect(spec.at(4)).toBeUndefined();
  });

  test("that no architecture has folds into the data", () => {
    const spec = withGrid(
      { architecture: MLP, optimizer: SGD, scale: { width: 4, train: [8, 16] } },
      { data: { kind: "boolean", inputs: 5 } },
    );
    expect(pointsOf(spec).map(({ cell }) => cell.config.data["train"])).toEqual([8, 16]);
  });

  test("zipped with an axis that does apply keeps every value of that one", () => {
    const grid = {
      architecture: both[1],
      optimizer: SGD,
      train: { steps: [5, 6] },
      zip: ["scale.width", "train.steps"],
    };
    const spec = withGrid([{ ...grid, architecture: both, scale: { width: [4, 8] } }]);
    expect(pointsOf(spec).map(({ cell }) => [cell.config.architecture.kind, cell.config.train.steps])).toEqual([
      ["mlp", 5],
      ["mlp", 6],
      ["polynomial", 5],
      ["polynomial", 6],
    ]);
  });
});

describe("defaults, overrides and filters", () => {
  test("a default fills in the variants that have the field and do not set it", () => {
    const spec = withGrid(
      { architecture: MLP, optimizer: ["sgd", { kind: "adam", learningRate: 0.5 }], scale: { width: 4 } },
      { defaults: { optimizer: { learningRate: 0.7, beta1: 0.8 }, train: { stop: { trainLoss: 0.25 } } } },
    );
    const configs = pointsOf(spec).map(({ cell }) => cell.config);
    expect(configs.map(({ optimizer }) => [optimizer["learningRate"], optimizer["beta1"]])).toEqual([
      [0.7, undefined],
      [0.5, 0.8],
    ]);
    expect(configs[0]!.train.stopTrainLoss).toBe(0.25);
  });

  test("an override acts where its condition holds, after those before it", () => {
    const spec = withGrid(
      { architecture: MLP, optimizer: SGD, scale: { width: [4, 8, 16] } },
      {
        overrides: [
          { when: "scale.width >= 8", set: { "train.steps": 50 } },
          {
            when: "train.steps == 50 && scale.width > 8",
            set: { train: { steps: 99 }, optimizer: { learningRate: 0.2 } },
          },
        ],
      },
    );
    const configs = pointsOf(spec).map(({ cell: { config } }) => [
      config.train.steps,
      config.optimizer["learningRate"],
    ]);
    expect(configs).toEqual([
      [20, 0.1],
      [50, 0.1],
      [99, 0.2],
    ]);
  });

  test("points that an override makes equal are one cell", () => {
    const overrides = [{ when: "true", set: { "optimizer.learningRate": 0.2 } }];
    expect(idsOf(sweepOf({ ...SMALL, overrides }))).toHaveLength(4);
  });

  test("an override of a scale is one of the field that it folds into", () => {
    const overrides = [{ when: "scale.width == 8", set: { "scale.width": 5 } }];
    const points = pointsOf(sweepOf({ ...SMALL, overrides }));
    expect(new Set(points.map(({ cell }) => cell.config.architecture["width"]))).toEqual(new Set([4, 5]));
    expect(new Set(points.map(({ point }) => point["scale.width"]))).toEqual(new Set([4, 5]));
  });

  test("every filter of a list must hold", () => {
    const spec = sweepOf({ ...SMALL, where: ["scale.width > 4", "seed == 2"] });
    expect(pointsOf(spec).map(({ point }) => [point["scale.width"], point["seed"]])).toEqual([
      [8, "2"],
      [8, "2"],
    ]);
  });
});

describe("an index", () => {
  const spec = withGrid([
    {
      architecture: [MLP, { kind: "polynomial", basis: "walsh", degree: [1, 2] }],
      optimizer: [{ kind: "sgd", learningRate: [0.1, 0.2, 0.3] }, "adam"],
      scale: { width: [4, 8] },
      seed: [1, 2, 3],
    },
    { architecture: MLP, optimizer: "lion", scale: { width: [4, 8] } },
  ]);

  test("names one point, and points() gives those that at() has, in order", () => {
    const some = pointsOf(spec);
    const every = Array.from({ length: spec.gridSize }, (_, index) => spec.at(index)).filter(
      (point) => point !== undefined,
    );
    expect(every.map(({ index }) => index)).toEqual(some.map(({ index }) => index));
    expect(new Set(some.map(({ cell }) => cell.id)).size).toBe(some.length);
  });

  test("has the same point whenever it is asked for", () => {
    const first = Array.from({ length: spec.gridSize }, (_, index) => spec.at(index));
    fc.assert(
      fc.property(fc.nat(spec.gridSize - 1), (index) => {
        expect(spec.at(index)).toEqual(first[index]);
      }),
    );
  });

  test.each([-1, 0.5, Number.NaN, 1e9])("%d that is outside is refused", (index) => {
    expect(() => spec.at(index)).toThrow(OccamError);
  });
});

describe("a grid of 10^10 points", () => {
  const text = {
    architecture: [MLP, { kind: "polynomial", basis: "walsh", degree: [1, 2] }],
    optimizer: { kind: ["sgd", "adam"], learningRate: { log: [1e-4, 1, 1000] } },
    regulariser: { kind: "l1", strength: { log: [1e-6, 1, 1000] } },
    scale: { width: { linear: [1, 500, 500] } },
    seed: { replicates: 10 },
  };

  test("is read, and any point of it found, without expanding it", () => {
    const before = process.memoryUsage().heapUsed;
    const spec = withGrid(text, { where: "scale.width != 7" });
    expect(spec.gridSize).toBe(3 * 2000 * 1000 * 500 * 10);
    const last = spec.at(1000 * 1000 * 1000)!;
    expect(last.cell.config.architecture.kind).toBe("mlp");
    for (let i = 0; i < 1000; i += 1) spec.at(Math.floor((i / 1000) * spec.gridSize));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150e6);
  });

  test("refuses a variant that cannot learn the data, though it is one point of millions", () => {
    const architecture = [...text.architecture.slice(0, 1), "transformer"];
    expect(() => withGrid({ ...text, architecture })).toThrow(/transformer cannot learn boolean/u);
  });

  test("refuses a point that the sample missed when it is reached", () => {
    // A modulus of 257 has a table of 66,049 rows, so the last of these sizes is too large: one point of 65,051.
    const spec = withGrid(
      {
        architecture: MLP,
        optimizer: { kind: "sgd", learningRate: { log: [0.01, 1, 1000] } },
        scale: { width: 4, train: { linear: [1000, 66_050, 65_051] } },
        train: { steps: 5, batch: 8 },
      },
      { data: { kind: "modular-addition", modulus: 257 } },
    );
    expect(spec.at(0)!.cell.config.data["train"]).toBe(1000);
    expect(() => spec.at(spec.gridSize - 1)).toThrow(OccamError);
  });
});
