import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { planSweep } from "../../../src/spec/plan.ts";
import { parseSweep } from "../../../src/spec/sweep.ts";
import { pointsOf } from "./sweep-file.ts";

const folder = new URL("../../../examples/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
const read = (name: string) => parseSweep(readFileSync(new URL(name, folder), "utf8"), name);

describe("every example", () => {
  test.each(names)("%s is a sweep named after its file, small enough for a laptop", (name) => {
    const spec = read(name);
    expect(`${spec.name}.yaml`).toBe(name);
    const plan = planSweep(spec);
    expect(plan.exact).toBe(true);
    expect(plan.cells).toBeGreaterThan(0);
    // Ten minutes on one core, at the assumed speed.
    expect(plan.times.find((time) => time.backend === "wasm")!.seconds).toBeLessThan(600);
  });
});

describe("the calibration example", () => {
  test("has linear regressions with d = 5, 9 and 17 parameters", () => {
    const plan = planSweep(read("calibration.yaml"));
    const parameters = plan.fuseGroups.map((group) => group.parameters);
    expect(parameters.toSorted((left, right) => left - right)).toEqual([5, 9, 17]);
  });
});

describe("the tour of the grid", () => {
  test("trains the cell that two of its sub-grids share once", () => {
    const spec = read("conditional-axes.yaml");
    const points = pointsOf(spec);
    expect(new Set(points.map(({ cell }) => cell.id)).size).toBe(points.length);
    const rates = points
      .filter(({ point }) => point["architecture.degree"] === 3)
      .map(({ point }) => point["optimizer.learningRate"]);
    expect(new Set(rates)).toEqual(new Set([0.1]));
  });
});
