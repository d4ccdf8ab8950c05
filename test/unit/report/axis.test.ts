import { describe, expect, it } from "vitest";
import { armAxes, colourAxis, labelOf, varyingAxes, withoutFollowers } from "../../../src/report/axis.ts";
import { rowOf, type AxisValues } from "../../../src/result/row.ts";
import { AXES, designs, recordOf, syntheticRows } from "./synthetic-sweep.ts";

const paths = AXES.map(({ path }) => path);
const [design] = designs();
const rowsAt = (points: readonly AxisValues[]) =>
  points.map((point, index) => rowOf(recordOf(design!, index, { point })));
const scaleOf = (values: readonly (number | string)[]) =>
  varyingAxes(rowsAt(values.map((x) => ({ x }))), ["x"])[0]?.scale;

describe("the axes that a report shows", () => {
  it("are those with more than one value, without seeds and replicates", () => {
    const rows = rowsAt([
      { a: 1, b: "x", seed: "1", replicate: 0 },
      { a: 2, b: "x", seed: "2", replicate: 1 },
    ]);
    expect(varyingAxes(rows, ["a", "b", "seed", "replicate"]).map(({ path }) => path)).toEqual(["a"]);
  });

  it("do not count a missing value as a value", () => {
    expect(varyingAxes(rowsAt([{ x: 1 }, { x: null }, {}]), ["x"])).toEqual([]);
  });

  it("are logarithmic when values lie a factor apart, linear when they lie a step apart, names otherwise", () => {
    expect(scaleOf([0.01, 0.1, 1])).toBe("log");
    expect(scaleOf([16, 64])).toBe("log");
    expect(scaleOf([8, 16, 32])).toBe("log");
    expect(scaleOf([1, 2, 3, 4, 5])).toBe("linear");
    expect(scaleOf([0, 0.1, 10])).toBe("linear");
    expect(scaleOf(["16", "64"])).toBe("category");
    expect(scaleOf([1, "all"])).toBe("category");
  });

  it("list numbers in ascending order", () => {
    expect(varyingAxes(rowsAt([{ x: 10 }, { x: 9 }, { x: 100 }]), ["x"])[0]?.values).toEqual([9, 10, 100]);
  });
});

describe("the axis of colours", () => {
  it("is the architecture where that varies", () => {
    const rows = syntheticRows();
    expect(colourAxis(rows, varyingAxes(rows, paths))?.path).toBe("architecture.kind");
  });

  it("is none that some cell lacks or that has more values than there are colours", () => {
    const rows = rowsAt(
      Array.from({ length: 9 }, (_, index) => ({ many: `v${index}`, some: index > 0 ? `s${index % 2}` : null })),
    );
    expect(colourAxis(rows, varyingAxes(rows, ["many", "some"]))).toBeUndefined();
  });
});

it("arms are as many kinds as make at most sixteen of them", () => {
  const rows = syntheticRows();
  expect(armAxes(rows, varyingAxes(rows, paths)).map(({ path }) => path)).toEqual([
    "data.kind",
    "architecture.kind",
    "optimizer.kind",
  ]);
});

it("a label names what a cell has and leaves out what it lacks", () => {
  const rows = syntheticRows();
  const axes = varyingAxes(rows, paths);
  expect(labelOf(rows[0]!, axes)).toBe("digits · mlp · sgd · none · width 8");
  expect(
    labelOf(
      rows.find(({ point }) => point["regulariser.strength"] === 1e-3)!,
      axes,
    ),
  ).toBe("digits · mlp · sgd · l2 · strength 0.001 · width 8");
});

it("an axis that a kind fixes is told apart from one that varies within a kind", () => {
  const paths = ["data.kind", "data.train", "optimizer.learningRate"];
  const rows = rowsAt([
    { "data.kind": "moons", "data.train": 100, "optimizer.learningRate": 0.1 },
    { "data.kind": "moons", "data.train": 100, "optimizer.learningRate": 0.2 },
    { "data.kind": "digits", "data.train": 500, "optimizer.learningRate": 0.1 },
    { "data.kind": "digits", "data.train": null, "optimizer.learningRate": 0.1 },
  ]);
  const { axes, followers } = withoutFollowers(rows, varyingAxes(rows, paths));
  expect(axes.map(({ path }) => path)).toEqual(["data.kind", "optimizer.learningRate"]);
  expect(followers.map(({ axis, follows }) => [axis.path, follows])).toEqual([["data.train", "data.kind"]]);
});
