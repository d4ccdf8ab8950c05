import { describe, expect, test } from "vitest";
import { architectureOf } from "../../../src/catalogue/registry.ts";
import { taskOf, type CellConfig } from "../../../src/spec/cell.ts";
import { costOf } from "../../../src/spec/cost.ts";
import { pointsOf, SMALL, sweepOf, withGrid, type SweepFile } from "./sweep-file.ts";

/** The only cell of a grid of one point. */
function configOf(grid: SweepFile, more: SweepFile = {}): CellConfig {
  return pointsOf(withGrid(grid, more))[0]!.cell.config;
}

const MLP = { architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 4 }, optimizer: "sgd" };

describe("the cost of a cell", () => {
  test.each([
    ["an MLP", MLP, 5 * 4 + 4 + 4 * 2 + 2],
    [
      "a deeper one",
      { ...MLP, architecture: { ...MLP.architecture, depth: 3 } },
      5 * 4 + 4 + 2 * (4 * 4 + 4) + 4 * 2 + 2,
    ],
    // 1 + 5 + 10 subsets of at most two of five inputs, for each of two classes.
    [
      "a Walsh polynomial",
      { ...MLP, architecture: { kind: "polynomial", basis: "walsh", degree: 2 } },
      (1 + 5 + 10) * 2,
    ],
  ])("counts the parameters of %s", (_name, grid, parameters) => {
    expect(costOf(configOf(grid)).parameters).toBe(parameters);
  });

  test("of training is three forward passes a row and step, the updates, and the evaluations", () => {
    const config = configOf(MLP, { train: { steps: 25, batch: 8, evalEvery: 10 } });
    const forward = architectureOf(config.architecture).forwardFlops(config.architecture, taskOf(config));
    // Evaluations at steps 0, 10, 20 and 25, of all 32 rows of the table.
    const expected = 25 * (3 * forward * 8 + 10 * 34) + 4 * forward * 32;
    expect(costOf(config).trainFlops).toBe(expected);
    // A dense layer is a multiply-add for each weight.
    expect(forward).toBeGreaterThanOrEqual(2 * (5 * 4 + 4 * 2));
  });

  test("of an estimate grows with chains, gradients, curves and surfaces, and is nothing without one", () => {
    const at = (estimate: unknown) => costOf(configOf(MLP, { estimate })).estimateFlops;
    const base = { chains: 4, budget: 1000, kernelRows: 1 };
    expect(at("none")).toBe(0);
    expect(at({ ...base, chains: 8 }) / at(base)).toBeCloseTo(2, 2);
    expect(at({ ...base, budget: 2000 }) / at(base)).toBeCloseTo(2, 2);
    expect(at({ ...base, estimand: "both" }) / at(base)).toBeCloseTo(2, 2);
    expect(at({ ...base, curve: { nBeta: [0.25, 1, 4] } }) / at(base)).toBeCloseTo(3, 2);
    expect(at({ ...base, subset: 8 }) / at(base)).toBeLessThan(0.9);
    const sgld = { sampler: "sgld", chains: 4, kernelRows: 1, draws: 1000, burnIn: 0, batch: "all" };
    expect(at(sgld)).toBe(at(base));
    expect(at({ ...sgld, draws: 500, thin: 2 })).toBe(at(sgld));
    expect(at({ ...sgld, draws: 500, burnIn: 500 })).toBe(at(sgld));
    expect(at({ ...base, kernelRows: 100 })).toBeGreaterThan(at(base));
  });

  test("in memory has two more copies of the weights for each slot of the optimizer", () => {
    const bytes = (optimizer: string) => costOf(configOf({ ...MLP, optimizer })).bytesPerMember;
    expect(bytes("adam") - bytes("sgd")).toBe(2 * 2 * 34 * 4);
    expect(bytes("momentum") - bytes("sgd")).toBe(2 * 34 * 4);
  });

  test("is the same for cells that differ in their seed and rates alone", () => {
    const [first, ...others] = pointsOf(withGrid({ ...(SMALL["grid"] as SweepFile), scale: { width: 4 } })).map(({ cell }) => costOf(cell.config)); // prettier-ignore
    for (const other of others) expect(other).toEqual(first);
    expect(sweepOf(SMALL).gridSize).toBe(8);
  });
});
