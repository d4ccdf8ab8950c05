import { describe, expect, test } from "vitest";
import { z } from "zod";
import { numberList, numbersOf } from "../../../src/catalogue/number-list.ts";
import { fieldsOf } from "../../../src/spec/field.ts";
import { pointsOf, problemsOf, sweepOf, type SweepFile } from "./sweep-file.ts";

const FILE: SweepFile = {
  version: 1,
  name: "lists",
  data: { kind: "realizable", inputs: 4, outputs: 3, train: 20 },
  architecture: { kind: "deep-linear", widths: [4, 2, 3] },
  train: { steps: 0, start: "canonical" },
  estimate: "none",
};

const withArchitecture = (fields: SweepFile, more: SweepFile = {}): SweepFile => ({
  ...FILE,
  architecture: { kind: "deep-linear", ...fields },
  ...more,
});

const widthsOf = (file: SweepFile): unknown[] =>
  pointsOf(sweepOf(file)).map(({ cell }) => cell.config.architecture["widths"]);

describe("a field whose value is a list", () => {
  test("takes a list, and its text, as one value", () => {
    for (const widths of [[4, 2, 3], "4 2 3", "  4   2 3 "]) {
      expect(widthsOf(withArchitecture({ widths }))).toEqual(["4 2 3"]);
    }
    expect(numbersOf("4 2 3")).toEqual([4, 2, 3]);
  });

  test("takes a list of lists as an axis, and so a list of texts, and values", () => {
    const lists = [
      [4, 2, 3],
      [4, 5, 5, 3],
    ];
    for (const widths of [lists, { values: lists }, ["4 2 3", "4 5 5 3"], ["4 2 3", [4, 5, 5, 3]]]) {
      expect(widthsOf(withArchitecture({ widths }))).toEqual(["4 2 3", "4 5 5 3"]);
    }
    expect(widthsOf(withArchitecture({ widths: ["auto", [4, 1, 3]], width: 3 }))).toEqual(["auto", "4 1 3"]);
  });

  test("is one column of a table, and reads back from the resolved sweep", () => {
    const spec = sweepOf(
      withArchitecture({
        widths: [
          [4, 2, 3],
          [4, 3],
        ],
      }),
    );
    expect(spec.axes.find(({ path }) => path === "architecture.widths")?.values).toEqual(["4 2 3", "4 3"]);
    const again = sweepOf(spec.resolved);
    expect(pointsOf(again).map(({ cell }) => cell.id)).toEqual(pointsOf(spec).map(({ cell }) => cell.id));
  });

  test("is one cell however it is written, and compares by its text in a condition", () => {
    const ids = [[4, 2, 3], "4 2 3"].map((widths) => pointsOf(sweepOf(withArchitecture({ widths })))[0]!.cell.id);
    expect(ids[0]).toBe(ids[1]);
    const widths = [
      [4, 2, 3],
      [4, 3],
    ];
    expect(widthsOf(withArchitecture({ widths }, { where: "architecture.widths != '4 3'" }))).toEqual(["4 2 3"]);
  });

  test("can stand in defaults and overrides", () => {
    const { architecture: _, ...rest } = FILE;
    const bare = { ...rest, architecture: "deep-linear", defaults: { architecture: { widths: [4, 6, 3] } } };
    expect(widthsOf(bare)).toEqual(["4 6 3"]);
    const overrides = [{ when: "architecture.rank == 1", set: { "architecture.widths": [4, 1, 3] } }];
    expect(widthsOf(withArchitecture({ widths: [4, 2, 3], rank: [1, 2] }, { overrides }))).toEqual(["4 1 3", "4 2 3"]);
  });

  test("takes decimals, exponents and signs where its numbers may have them, and one number as a list of one", () => {
    const field = fieldsOf(z.strictObject({ t: numberList(z.number()).default("1") })).get("t")!;
    for (const [given, text] of [
      [[0.25, 1e-3, 4], "0.25 0.001 4"],
      ["1e-3 .5 -2E+1", "0.001 0.5 -20"],
      [[1e-9, 1e21], "1e-9 1e+21"],
      [2, "2"],
    ] as const) {
      expect(field.check(given)?.value).toBe(text);
      expect(field.check(text)?.value).toBe(text);
      expect(numbersOf(text).every(Number.isFinite)).toBe(true);
    }
    for (const wrong of ["", "a", "1,2", "1 - 2", "0x10", "Infinity", [], [null], ["1"], [[1]], true, null]) {
      expect(field.check(wrong), JSON.stringify(wrong)).toBeUndefined();
    }
    expect(field).toMatchObject({ numeric: false, integer: false, preset: "1" });
  });
});

describe("a mistake in a list", () => {
  const HEAD = `version: 1
name: lists
data: { kind: realizable, inputs: 4, outputs: 3, train: 20 }
train: { steps: 0, start: canonical }
`;
  const at = (architecture: string, more = "") =>
    problemsOf(`${HEAD}architecture: { kind: deep-linear, ${architecture} }\n${more}`).map(
      ({ line, column, message }) => `${line}:${column} ${message}`,
    );

  test.each([
    ["widths: [4, two, 3]", '5:48 architecture.widths cannot have "two" in its list'],
    ["widths: [4, 0, 3]", "5:48 architecture.widths cannot have 0 in its list"],
    ["widths: [4, 2.5, 3]", "5:48 architecture.widths cannot have 2.5 in its list"],
    ["widths: [[4, 3], [4, [2], 3]]", "5:57 architecture.widths cannot have a list in its list"],
    ["widths: [4]", "5:44 architecture.widths cannot be [4]"],
    ["widths: 4", "5:44 architecture.widths cannot be 4"],
    ["widths: 4 x 3", '5:44 architecture.widths cannot be "4 x 3"'],
    ["widths: []", "5:44 architecture.widths is an empty list: the grid would have no cell"],
    ["widths: [[4, 3], [4, 3]]", '5:53 architecture.widths has "4 3" twice'],
    ["widths: { log: [1, 8, 4] }", "5:51 architecture.widths takes no range, for it is not numeric"],
  ])("%s is reported where it stands", (architecture, problem) => {
    expect(at(architecture)).toContain(problem);
  });

  test("every wrong item is reported, each in its place", () => {
    expect(at("widths: [4, -1, x, 3]")).toEqual([
      "5:48 architecture.widths cannot have -1 in its list",
      '5:52 architecture.widths cannot have "x" in its list',
    ]);
  });

  test("a list is no scale, and a condition names the text that it has", () => {
    expect(at("depth: 1", "scale: { widths: [4, 3] }\n")).toContain('6:10 scale has no field "widths"');
    expect(at("widths: [4, 3]", "where: architecture.widths != '4,3'\n")).toEqual([
      '6:31 where: architecture.widths is never "4,3"',
    ]);
  });
});
