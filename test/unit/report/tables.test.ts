import { describe, expect, it } from "vitest";
import { varyingAxes } from "../../../src/report/axis.ts";
import { groupByAxis } from "../../../src/report/group.ts";
import { durationText, figureText, lambdaText, percentText } from "../../../src/report/number-text.ts";
import { axisTable, badVerdictTable, extremeTables, failedTable, summaryTable } from "../../../src/report/tables.ts";
import { CurveKeeper, type SeriesChunk } from "../../../src/report/series.ts";
import { rowOf } from "../../../src/result/row.ts";
import { AXES, designs, recordOf, resultOf, syntheticRows } from "./synthetic-sweep.ts";

const rows = syntheticRows();
const axes = varyingAxes(
  rows,
  AXES.map(({ path }) => path),
);
const [design] = designs();

describe("the tables of a report", () => {
  it("count every cell once in the summary", () => {
    const counts = summaryTable(rows, 161_000).rows.filter(([name]) => name!.startsWith("cells: "));
    expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(rows.length);
    expect(summaryTable(rows, 161_000).rows).toContainEqual(["wall time, from submission to end", "2 min 41 s"]);
  });

  it("give each axis value its cells, its ok cells and their mean", () => {
    const axis = axes.find(({ path }) => path === "architecture.kind")!;
    const table = axisTable(axis, groupByAxis(rows, axis));
    expect(table.rows.map(([value]) => value)).toEqual(["mlp", "polynomial"]);
    expect(table.rows.reduce((sum, row) => sum + Number(row[1]), 0)).toBe(rows.length);
    for (const row of table.rows) expect(row[3]).toMatch(/^[\d.]+ \[[\d.]+, [\d.]+\]$/);
  });

  it("list the lowest and the highest lambda-hat of ok cells alone", () => {
    const [lowest, highest] = extremeTables(rows, axes);
    const first = (table: typeof lowest): number[] => table!.rows.map(([text]) => Number.parseFloat(text!));
    expect(first(lowest)).toEqual(first(lowest).toSorted((a, b) => a - b));
    expect(first(highest)).toEqual(first(highest).toSorted((a, b) => b - a));
    for (const [text] of [...lowest!.rows, ...highest!.rows]) expect(text).toMatch(/\(ok\)$/);
  });

  it("list every cell without a result with its reason", () => {
    const failed = failedTable(rows, axes);
    expect(failed.rows).toHaveLength(rows.filter(({ status }) => status !== "committed").length);
    expect(failed.rows.map((row) => row[2])).toContain("lost 3 times: the trainer process died");
    expect(failed.rows.map((row) => row[2])).toContain("loss NaN at step 312");
  });

  it("list at most fifty cells and say how many there are", () => {
    const many = Array.from({ length: 60 }, (_, index) =>
      rowOf(recordOf(design!, index, { result: resultOf(design!, "biased") })),
    );
    expect(badVerdictTable(many, []).rows).toHaveLength(50);
    expect(badVerdictTable(many, []).caption).toBe("The first 50 of 60 cells; results.csv has all.");
  });

  it("say that there is nothing wrong only when there is something to judge", () => {
    const good = [rowOf(recordOf(design!, 0))];
    expect(badVerdictTable(good, []).absent).toBe("None: the verdict of every estimate is ok.");
    const untold = [rowOf(recordOf(design!, 0, { result: { ...resultOf(design!), estimate: null } }))];
    expect(badVerdictTable(untold, []).absent).toBe("No cell has an estimate.");
  });
});

describe("numbers in words", () => {
  it("have four significant digits and no false zeros", () => {
    expect(
      [0, 12.34567, 1234.567, 100, 0.00012345, 123456789, -0.5, null, Number.NaN].map((x) => figureText(x)),
    ).toEqual(["0", "12.35", "1235", "100", "1.23e-4", "1.23e8", "-0.5", "—", "—"]);
  });

  it("give durations in the unit that a person would take", () => {
    expect([12, 1500, 61_000, 7_260_000].map(durationText)).toEqual(["12 ms", "1.5 s", "1 min 1 s", "2 h 1 min"]);
    expect(percentText(0.9125)).toBe("91.3 %");
  });

  it("give lambda-hat with its error and verdict, even where the number is missing", () => {
    const text = (verdict: "ok" | "biased" | "diverged"): string =>
      lambdaText(rowOf(recordOf(design!, 0, { result: resultOf(design!, verdict) })));
    expect(text("ok")).toMatch(/^[\d.]+ ± [\d.]+ \(ok\)$/);
    expect(text("biased")).toMatch(/ \(biased!\)$/);
    expect(text("diverged")).toBe("— (diverged!)");
  });
});

describe("a kept curve", () => {
  const chunk = (count: number): SeriesChunk => ({
    cellId: "a",
    names: ["train.loss"],
    name: Array.from({ length: count }, () => 0),
    step: Array.from({ length: count }, (_, index) => BigInt(index)),
    value: Array.from({ length: count }, (_, index) => index),
  });

  it("has every point of a short series", () => {
    const keeper = new CurveKeeper(["a"]);
    keeper.take(chunk(300));
    expect(keeper.curves("a", "train.loss")[0]!.points).toHaveLength(300);
  });

  it("stays bounded and evenly spaced however long the series is, and however it is cut", () => {
    const whole = new CurveKeeper(["a"]);
    whole.take(chunk(100_000));
    const [curve] = whole.curves("a", "train.loss");
    expect(curve!.total).toBe(100_000);
    expect(curve!.points.length).toBeGreaterThan(200);
    expect(curve!.points.length).toBeLessThanOrEqual(512);
    const gaps = new Set(curve!.points.slice(1).map(({ step }, index) => step - curve!.points[index]!.step));
    expect(gaps.size).toBe(1);
    const parts = new CurveKeeper(["a"]);
    const { names, name, step, value } = chunk(100_000);
    for (let from = 0; from < 100_000; from += 777) {
      const to = from + 777;
      parts.take({
        cellId: "a",
        names,
        name: name.slice(from, to),
        step: step.slice(from, to),
        value: value.slice(from, to),
      });
    }
    expect(parts.curves("a", "")[0]!.points).toEqual(curve!.points);
  });

  it("is not kept for a cell that nobody asked for", () => {
    const keeper = new CurveKeeper(["b"]);
    keeper.take(chunk(3));
    expect(keeper.curves("a", "")).toEqual([]);
  });

  it("lists chain.2 before chain.10", () => {
    const keeper = new CurveKeeper(["a"]);
    const names = ["chain.10", "chain.2", "train.loss"];
    keeper.take({ cellId: "a", names, name: [0, 1, 2], step: [0n, 0n, 0n], value: [1, 2, 3] });
    expect(keeper.curves("a", "chain.").map(({ series }) => series)).toEqual(["chain.2", "chain.10"]);
  });
});
