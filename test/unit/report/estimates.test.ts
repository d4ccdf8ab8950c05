import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { colourAxis, varyingAxes } from "../../../src/report/axis.ts";
import { render, type Plot } from "../../../src/report/figure.ts";
import { groupByAxis } from "../../../src/report/group.ts";
import { plotsBehavioural } from "../../../src/report/plot-behavioural.ts";
import { plotsCurve } from "../../../src/report/plot-curve.ts";
import { plotLambdaByAxis } from "../../../src/report/plot-lambda-by-axis.ts";
import { plotsTruth } from "../../../src/report/plot-truth.ts";
import { LAMBDA_B } from "../../../src/report/estimated.ts";
import { axisTable, badVerdictTable, extremeTables } from "../../../src/report/tables.ts";
import { truthTables } from "../../../src/report/truth-table.ts";
import { writeReport } from "../../../src/report/write-report.ts";
import { estimateColumns, estimateRowsOf, hasFurtherEstimates } from "../../../src/result/estimate-row.ts";
import { RESULT_COLUMNS, rowOf, type ResultRow } from "../../../src/result/row.ts";
import { truthAt } from "../../../src/result/truth-beside.ts";
import { estimatedInput, estimatedRows, GAMMA_FACTORS, rowsAtTruth, T_FACTORS } from "./estimated-sweep.ts";
import { marksOf, parseSvg, textOf } from "./svg.ts";
import { AXES, designs, recordOf, resultOf, syntheticInput, syntheticRows } from "./synthetic-sweep.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const rows = estimatedRows();
const paths = AXES.map(({ path }) => path);
const axes = varyingAxes(rows, paths);
const colour = colourAxis(rows, axes);
const valueOf = (name: string, row: ResultRow) => RESULT_COLUMNS.find((column) => column.name === name)!.get(row);
/** One of each kind: a report of them takes little time. */
const few = (): readonly ResultRow[] => [rows[0]!, rows.at(-1)!];

async function drawn(plot: Plot) {
  return parseSvg((await render(plot)).svg);
}

describe("the columns of a second estimate", () => {
  it("stand beside those of the first, with a verdict of their own", () => {
    const row = rows.find(({ result }) => result?.behavioural?.verdict === "unconverged")!;
    const { estimate, behavioural } = row.result!;
    expect(valueOf("lambda_hat", row)).toBe(estimate!.lambdaHat);
    expect(valueOf("behavioural_lambda_hat", row)).toBe(behavioural!.lambdaHat);
    expect(valueOf("behavioural_verdict", row)).toBe("unconverged");
    expect(valueOf("behavioural_estimand", row)).toBe("behavioural-kl");
    const names = RESULT_COLUMNS.map(({ name }) => name);
    for (const name of ["lambda_hat", "lambda_se", "verdict", "verdict_reason", "quad", "r_hat", "ess"]) {
      expect(names).toContain(`behavioural_${name}`);
    }
  });

  it("are empty where there is none", () => {
    const row = syntheticRows()[0]!;
    const filled = RESULT_COLUMNS.filter(({ name, get }) => name.startsWith("behavioural_") && get(row) !== null);
    expect(filled).toEqual([]);
  });

  it("leave the truth out where the estimate is not of the whole training loss", () => {
    const [row] = rowsAtTruth(0);
    expect(valueOf("truth_local_lambda", row!)).not.toBeNull();
    expect(valueOf("truth_at_t", row!)).not.toBeNull();
    for (const estimand of ["loss of weight1", "behavioural-mse"]) {
      const other = { ...row!, result: { ...row!.result!, estimate: { ...row!.result!.estimate!, estimand } } };
      expect(["truth_lambda", "truth_local_lambda", "truth_at_t"].map((name) => valueOf(name, other))).toEqual([
        null,
        null,
        null,
      ]);
    }
  });
});

describe("the table of estimates", () => {
  it("has one row a cell, estimand, t and gamma, the cell's estimate first", () => {
    const cell = rows[0]!;
    const found = estimateRowsOf(cell);
    expect(found).toHaveLength(1 + T_FACTORS.length + GAMMA_FACTORS.length + 1);
    const columns = estimateColumns(rows, paths);
    const table = found.map((row) => Object.fromEntries(columns.map(({ name, get }) => [name, get(row)])));
    expect(table.map((row) => [row["estimand"], row["t_factor"], row["gamma_factor"]])).toEqual([
      ["loss", 1, 1],
      ...T_FACTORS.map((factor) => ["loss", factor, 1]),
      ...GAMMA_FACTORS.map((factor) => ["loss", 1, factor]),
      ["behavioural-kl", 1, 1],
    ]);
    for (const row of table) {
      expect(row["cell_id"]).toBe(cell.cellId);
      expect(row["data_kind"]).toBe("digits");
      expect(row["verdict"]).not.toBeNull();
    }
    expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length);
  });

  it("has the exact value at each t beside the estimate there", () => {
    const [cell] = rowsAtTruth(0);
    const column = estimateColumns(rows, []).find(({ name }) => name === "truth_at_t")!;
    const truths = estimateRowsOf(cell!).map((row) => column.get(row));
    expect(new Set(truths).size).toBe(1 + T_FACTORS.length);
    expect(truths[0]).toBe(truthAt(cell!.config, cell!.result!.estimate!));
  });

  it("is written only where it says more than the table of cells, and an old one is taken away", async () => {
    expect(hasFurtherEstimates(syntheticRows())).toBe(false);
    expect(hasFurtherEstimates(few())).toBe(true);
    const folder = await temporaryFolder();
    const files = await writeReport(folder, estimatedInput(few()));
    expect((await readdir(folder)).sort()).toEqual([...files].sort());
    const lines = (await readFile(join(folder, "estimates.csv"), "utf8")).trimEnd().split("\r\n");
    expect(lines.length - 1).toBe(few().flatMap(estimateRowsOf).length);
    const bytes = await readFile(join(folder, "estimates.parquet"));
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    expect(await parquetReadObjects({ file: buffer })).toHaveLength(lines.length - 1);
    const plain = await writeReport(folder, syntheticInput(syntheticRows().slice(0, 1)));
    expect(plain).not.toContain("estimates.csv");
    expect((await readdir(folder)).sort()).toEqual([...plain].sort());
  });
});

describe("plots of curves", () => {
  const plots = plotsCurve(rows, colour);

  it("are one over t and one over gamma, and none where no cell has a curve", () => {
    expect(plots.map(({ id }) => id)).toEqual(["lambda-over-t", "lambda-over-gamma"]);
    expect(plotsCurve(syntheticRows(), colour)).toEqual([]);
  });

  it("have a line a cell, a mark an estimate, and the exact value dashed", async () => {
    const curved = rows.filter(({ result }) => (result?.estimate?.curve.length ?? 0) > 0);
    const overT = await drawn(plots[0]!);
    expect(marksOf(overT, "curves").length).toBeGreaterThanOrEqual(curved.length);
    const marks = curved.length * (1 + T_FACTORS.length);
    expect(marksOf(overT, "cells").length + marksOf(overT, "bad").length).toBe(marks);
    expect(marksOf(overT, "truth")).toHaveLength(3);
    const overGamma = await drawn(plots[1]!);
    const flat = curved.filter(({ gridIndex }) => gridIndex < rows.length - 3).length;
    expect(marksOf(overGamma, "bad")).toHaveLength(flat);
    expect(marksOf(overGamma, "truth")).toHaveLength(0);
    expect(textOf(overGamma)).toContain("log scale");
  });
});

describe("the behavioural estimate in a report", () => {
  it("is drawn against the first, trusted where both verdicts are ok", async () => {
    const [plot] = plotsBehavioural(rows, colour);
    const svg = await drawn(plot!);
    const both = rows.filter(
      ({ result }) => result?.behavioural?.lambdaHat != null && result.estimate?.lambdaHat != null,
    );
    const ok = both.filter(({ result }) => result!.estimate!.verdict === "ok" && result!.behavioural!.verdict === "ok");
    expect(marksOf(svg, "cells")).toHaveLength(ok.length);
    expect(marksOf(svg, "bad")).toHaveLength(both.length - ok.length);
    expect(plotsBehavioural(syntheticRows(), colour)).toEqual([]);
  });

  it("has a plot by axis and means of its own", async () => {
    const axis = axes.find(({ path }) => path === "scale.width")!;
    const groups = groupByAxis(rows, axis);
    const plot = plotLambdaByAxis(axis, groups, undefined, LAMBDA_B) as Plot;
    expect([plot.id, plot.title]).toEqual(["lambda-b-by-scale-width", "λ̂_B by scale.width"]);
    const widest = groups.at(-1)!;
    expect(widest.lambdaB!.mean).toBeLessThan(widest.lambdaHat!.mean);
    const table = axisTable(axis, groups);
    expect(table.columns.map(({ title }) => title)).toContain("mean λ̂_B of the ok");
    expect(axisTable(axis, groupByAxis(syntheticRows(), axis)).columns).toHaveLength(table.columns.length - 2);
  });

  it("stands in the tables with its verdict, and its bad verdicts are listed", () => {
    const [lowest] = extremeTables(rows.slice(0, -3), axes);
    for (const [, second] of lowest!.rows) expect(second).toMatch(/ \((ok|unconverged!)\)$/);
    const bad = badVerdictTable(rows.slice(0, 40), axes);
    const expected = rows.slice(0, 40).flatMap(({ result }) => [result?.estimate, result?.behavioural]).filter((one) => one && one.verdict !== "ok").length; // prettier-ignore
    expect(bad.rows).toHaveLength(expected);
    expect(new Set(bad.rows.map(([of]) => of))).toEqual(new Set(["λ̂", "λ̂_B"]));
  });
});

describe("the estimate against the truth", () => {
  it("is drawn for the cells where it is known", async () => {
    const [plot] = plotsTruth(rows, undefined);
    expect(plot!.caption).toContain("n = 3 cells");
    expect(plot!.caption).toContain("exactly at the estimate's own t and γ for 3 of them");
    expect(marksOf(await drawn(plot!), "cells")).toHaveLength(3);
    expect(plotsTruth(syntheticRows(), undefined)).toEqual([]);
  });

  it("is a table with how far each is off", () => {
    const [table] = truthTables(rows, axes);
    expect(table!.rows).toHaveLength(3);
    expect(table!.rows.map((row) => row[5])).toEqual(["-1", "+0", "+1"]);
    expect(table!.rows[0]![4]).toMatch(/^-\d\.\d %$/);
    expect(truthTables([rowOf(recordOf(designs()[0]!, 0, { result: resultOf(designs()[0]!) }))], axes)).toEqual([]);
  });
});
