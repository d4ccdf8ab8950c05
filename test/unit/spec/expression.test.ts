import { describe, expect, test } from "vitest";
import { pointsOf, problemsOf, SMALL, withGrid } from "./sweep-file.ts";

const GRID = {
  architecture: [
    { kind: "mlp", activation: "tanh", depth: 2 },
    { kind: "polynomial", basis: "walsh", degree: [1, 2] },
  ],
  optimizer: { kind: "sgd", learningRate: [0.1, 0.5] },
  scale: { width: [4, 8] },
};

/** What a filter keeps, as "mlp 4 0.1". */
function kept(where: string | readonly string[]): string[] {
  return pointsOf(withGrid(GRID, { where })).map(({ point }) => {
    return `${point["architecture.kind"]} ${point["scale.width"] ?? point["architecture.degree"]} ${point["optimizer.learningRate"]}`;
  });
}

const ALL = [
  "mlp 4 0.1",
  "mlp 8 0.1",
  "mlp 4 0.5",
  "mlp 8 0.5",
  "polynomial 1 0.1",
  "polynomial 1 0.5",
  "polynomial 2 0.1",
  "polynomial 2 0.5",
];
const only = (...parts: string[]) => ALL.filter((point) => parts.some((part) => point.includes(part)));

describe("an expression", () => {
  test.each([
    ["true", ALL],
    ["architecture.kind == 'mlp'", only("mlp")],
    ["scale.width == 8", only("mlp 8")],
    ["scale.width == 8.0", only("mlp 8")],
    ["scale.width * 2 == 16", only("mlp 8")],
    ["scale.width in [8, 16]", only("mlp 8")],
    ["architecture.degree / 2 == 0.5", only("polynomial 1")],
    ["architecture.degree % 2 == 0", only("polynomial 2")],
    ["optimizer.learningRate + 1 > 1.2", only("0.5")],
    ["optimizer.learningRate < 1", ALL],
    ["train.steps == 20 && train.batch <= 8", ALL],
    ["estimate.sampler == 'none'", ALL],
    ["train.stop.trainLoss == null", ALL],
    ["[4, 8].exists(w, w == scale.width)", only("mlp")],
    ["data['inputs'] == 5", ALL],
    ["architecture.basis.startsWith('wal') || architecture.kind == 'mlp'", ALL],
  ])("%s keeps what a user expects", (where, expected) => {
    const guarded = where.includes("%") || where.includes("/") || where.includes("*") ? guard(where) : where;
    expect(kept(guarded).toSorted()).toEqual(expected.toSorted());
  });

  /** Arithmetic needs a number; comparisons do not. */
  function guard(where: string): string {
    const field = /[a-z]+\.[a-z]+/u.exec(where)![0];
    return `${field} != null && ${where}`;
  }

  test("reads a field that a variant does not have as null, which is neither below nor above anything", () => {
    expect(kept("architecture.degree < 2")).toEqual(only("polynomial 1"));
    expect(kept("!(architecture.degree >= 2)").toSorted()).toEqual(only("mlp", "polynomial 1").toSorted());
    expect(kept("architecture.degree == null")).toEqual(kept("architecture.kind == 'mlp'"));
  });

  test("that has no value for some point is a mistake of the file, found before anything runs", () => {
    const text = JSON.stringify({ ...SMALL, grid: GRID, where: "architecture.degree * 2 > 3" });
    const [problem] = problemsOf(text);
    expect(problem!.message).toMatch(/no value for some points.*null/u);
    expect(problem!.column).toBe(text.indexOf('"architecture.degree *') + 1);
  });

  test("cannot use has(), which would always be true", () => {
    const problems = problemsOf(JSON.stringify({ ...SMALL, where: "has(architecture.degree)" }));
    expect(problems[0]!.message).toMatch(/has\(\) is always true/u);
  });

  test("of a file with replicates cannot name their seeds", () => {
    const grid = { ...GRID, seed: { replicates: 2 } };
    const problems = problemsOf(JSON.stringify({ ...SMALL, grid, where: "seed == 1" }));
    expect(problems[0]!.message).toMatch(/derived; number them by replicate/u);
  });

  test("may name a kind of the catalogue that this sweep does not have", () => {
    expect(kept("architecture.kind != 'cnn'").toSorted()).toEqual(ALL.toSorted());
  });
});
