import { describe, expect, test } from "vitest";
import { fuseKeyOf } from "../../../src/spec/cell.ts";
import { planSweep } from "../../../src/spec/plan.ts";
import { configFromJson, configToJson } from "../../../src/wire/cell-grant.ts";
import { pointsOf, problemsOf, SMALL, sweepOf, type SweepFile } from "./sweep-file.ts";

const HEAD = `version: 1
name: starts
`;
const REALIZABLE = "data: { kind: realizable, inputs: 4, outputs: 3, train: 20 }\n";
const MOONS = "data: { kind: moons, train: 20 }\n";
const OPTIMIZER = "optimizer: sgd\n";

const problemAt = (text: string) =>
  problemsOf(HEAD + text).map(({ line, column, message, accepted }) => ({
    at: `${line}:${column}`,
    message,
    accepted,
  }));

const FILE: SweepFile = {
  version: 1,
  name: "starts",
  data: { kind: "realizable", inputs: 4, outputs: 3, train: 20, test: 10 },
  architecture: [
    { kind: "deep-linear", widths: [4, 2, 3], rank: [0, 1] },
    { kind: "reduced-rank", width: 2, rank: 1 },
  ],
  train: { steps: 0, start: ["canonical", "generic", "teacher"] },
  seed: [1, 2],
};

describe("a start that is a truth", () => {
  test("needs no optimizer where nothing is trained", () => {
    const points = pointsOf(sweepOf(FILE));
    expect(points).toHaveLength(18);
    for (const { cell } of points) expect(cell.config.optimizer).toEqual({ kind: "sgd", learningRate: 0.1 });
    expect(problemAt(`${MOONS}architecture: mlp\ntrain: { steps: [0, 10] }\n`)[0]!.message).toMatch(/no optimizer/);
  });

  test("shares a program with other starts and ranks of its architecture", () => {
    const keys = pointsOf(sweepOf(FILE)).map(({ cell }) => fuseKeyOf(cell.config));
    expect(new Set(keys).size).toBe(2);
  });

  test("travels to a worker and back as the same cell", () => {
    for (const { cell } of pointsOf(sweepOf(FILE))) {
      expect(configFromJson(configToJson(cell.config), "here")).toEqual(cell.config);
    }
  });

  test("is no part of a cell that starts at random, written or not", () => {
    const cells = [{}, { start: "random" }].map((train) => {
      const spec = sweepOf({ ...SMALL, train: { steps: 20, batch: 8, ...train } });
      return pointsOf(spec).map(({ cell }) => cell);
    });
    expect(cells[0]![0]!.config.train).not.toHaveProperty("start");
    expect(cells[1]!.map(({ id }) => id)).toEqual(cells[0]!.map(({ id }) => id));
  });

  test("is planned at the price of one evaluation, its estimate, and the targets", () => {
    const { totals, fuseGroups, cells } = planSweep(sweepOf(FILE));
    expect(cells).toBe(18);
    // 2 (4 2 + 2 3) FLOPs a row, 30 rows, for each cell.
    expect(totals.trainFlops).toBe(18 * 28 * 30);
    expect(totals.estimateFlops).toBeGreaterThan(1e6);
    expect(fuseGroups.map(({ label }) => label).sort()).toEqual([
      "deep-linear widths 4 2 3 · 20 rows of 4 inputs to 3 values · no training",
      "reduced-rank width 2 · 20 rows of 4 inputs to 3 values · no training",
    ]);
  });
});

describe("a start that does not go with the rest", () => {
  test("data without targets say which starts make them", () => {
    expect(problemAt(`${REALIZABLE}architecture: { kind: deep-linear, widths: [4, 3] }\n${OPTIMIZER}`)).toEqual([
      {
        at: "3:15",
        message: expect.stringMatching(/^realizable data have no targets but the outputs/),
        accepted: "train.start: one of canonical, generic, teacher",
      },
    ]);
    expect(problemAt(`${REALIZABLE}architecture: mlp\n${OPTIMIZER}`)[0]!.accepted).toBe("train.start: one of teacher");
  });

  test("data with targets of their own take random starts alone", () => {
    expect(problemAt(`${MOONS}architecture: mlp\ntrain: { steps: 0, start: teacher }\n`)).toEqual([
      {
        at: "5:27",
        message: "train.start teacher is the truth of realizable data, and moons data have targets of their own",
        accepted: "random, or data of the kind realizable",
      },
    ]);
  });

  test("an architecture without such weights names those that have them", () => {
    const text = `${REALIZABLE}architecture: [mlp, { kind: deep-linear, widths: [4, 3] }]\ntrain: { steps: 0, start: generic }\n`;
    expect(problemAt(text)).toEqual([
      {
        at: "5:27",
        message: "train.start: mlp names no generic weights",
        accepted: "teacher; generic for deep-linear, reduced-rank",
      },
    ]);
  });

  test("is found at the point that has it, in a large grid too", () => {
    const spec = sweepOf({
      ...FILE,
      data: { kind: "realizable", inputs: 4, outputs: 3, train: 20 },
      architecture: { kind: "deep-linear", widths: [4, 2, 3] },
      train: { steps: { linear: [1, 10_000_000, 10_000_000] }, start: "teacher" },
      optimizer: "sgd",
      overrides: [{ when: "train.steps == 17", set: { "train.start": "random" } }],
    });
    const index = [...Array(40).keys()].filter((i) => {
      try {
        spec.at(i);
        return false;
      } catch {
        return true;
      }
    });
    expect(index).toEqual([32, 33]);
    expect(() => spec.at(32)).toThrow(/point 32 .*no targets but the outputs/);
  });

  test.each([
    ["{ kind: deep-linear, widths: [4, 2, 3], rank: 3 }", /rank 3 is more than 2, the smallest of the widths 4-2-3/],
    ["{ kind: deep-linear, widths: [4, 2, 2] }", /its widths 4-2-2 go from 4 to 2, and the data from 4 inputs to 3/],
    ["{ kind: reduced-rank, rank: 4 }", /rank 4 is more than 3/],
    ["{ kind: normal-crossing, powers: [1, 2] }", /reads rows of one number; use data with inputs: 1/],
  ])("%s is refused by its data", (architecture, message) => {
    const text = `${REALIZABLE}architecture: ${architecture}\ntrain: { steps: 0, start: canonical }\n`;
    expect(problemAt(text).map((each) => each.message)).toEqual([expect.stringMatching(message)]);
  });
});
