import { describe, expect, it } from "vitest";
import { colourAxis, varyingAxes, type ReportAxis } from "../../../src/report/axis.ts";
import { edgeNote, estimatedCells, isOk, lambdaScale, scaleOver } from "../../../src/report/estimated.ts";
import { render, wrapped, type Absent, type Plot } from "../../../src/report/figure.ts";
import { groupByAxis } from "../../../src/report/group.ts";
import { outcomeCounts } from "../../../src/report/outcome.ts";
import { plotsAgainstLambda } from "../../../src/report/plot-against-lambda.ts";
import { plotChains, tracedCells } from "../../../src/report/plot-chains.ts";
import { plotLambdaByAxis } from "../../../src/report/plot-lambda-by-axis.ts";
import { plotOutcomes } from "../../../src/report/plot-outcomes.ts";
import { plotQuad } from "../../../src/report/plot-quad.ts";
import { plotsTraining, trainingCells } from "../../../src/report/plot-training.ts";
import { CurveKeeper } from "../../../src/report/series.ts";
import { VERDICT_STYLE } from "../../../src/report/theme.ts";
import { VERDICTS } from "../../../src/result/cell-result.ts";
import { rowOf, type ResultRow } from "../../../src/result/row.ts";
import { AXES, designs, recordOf, resultOf, syntheticRows, syntheticSeries } from "./synthetic-sweep.ts";
import { marksOf, parseSvg, textOf, type SvgElement } from "./svg.ts";

const rows = syntheticRows();
const axes = varyingAxes(
  rows,
  AXES.map(({ path }) => path),
);
const colour = colourAxis(rows, axes);
const axisAt = (path: string): ReportAxis => axes.find((axis) => axis.path === path)!;
/** Made once: an interval is a thousand resamples. */
const widths = groupByAxis(rows, axisAt("scale.width"));
const byAxis = (path: string, from = rows, paint = colour): Plot | Absent =>
  plotLambdaByAxis(
    axisAt(path),
    from === rows && path === "scale.width" ? widths : groupByAxis(from, axisAt(path)),
    paint,
  );

async function drawn(plot: Plot | Absent | undefined): Promise<SvgElement> {
  if (plot === undefined || "absent" in plot) throw new Error(`nothing is drawn: ${plot?.absent}`);
  return parseSvg((await render(plot)).svg);
}

/** A mark's shape: all marks of a layer are of one size, so the path tells it. */
const outline = (mark: SvgElement): string => mark.attributes.get("d") ?? "";

describe("every plot", () => {
  const keeper = new CurveKeeper([
    ...tracedCells(rows).map(({ row }) => row.cellId),
    ...trainingCells(rows).map(({ cellId }) => cellId),
  ]);
  for (const chunk of syntheticSeries(rows)) keeper.take(chunk);
  const plots: readonly (Plot | Absent)[] = [
    ...axes.map(({ path }) => byAxis(path)),
    ...plotsAgainstLambda("loss", rows, colour),
    ...plotsAgainstLambda("accuracy", rows, colour),
    plotQuad(rows, colour),
    plotOutcomes(rows, axes),
    ...plotChains(tracedCells(rows), keeper, axes),
    ...plotsTraining(rows, keeper, colour),
  ];

  it.each(plots.map((plot) => [plot.id, plot] as const))(
    "%s is a well-formed picture with its title, caption and n, no wider than a phone",
    async (_id, plot) => {
      const { svg: picture } = await render(plot as Plot);
      const svg = parseSvg(picture);
      const { title, caption } = plot as Plot;
      expect(textOf(svg)).toContain(title);
      expect(textOf(svg)).toContain(caption);
      expect(caption).toMatch(/\bn = \d/);
      // No reference can clash with another picture of the page, and nothing is loaded.
      expect(picture).not.toMatch(/\sid=|href|url\(|<style|<script|<image/);
      const width = Number(svg.attributes.get("width"));
      expect(width).toBeGreaterThan(300);
      expect(width).toBeLessThan(420);
    },
  );

  it("has an id of its own", () => {
    expect(new Set(plots.map(({ id }) => id)).size).toBe(plots.length);
  });
});

describe("lambda-hat by an axis", () => {
  it("draws one mark for each cell that has an estimate and the axis, one mean and one interval for each value and colour", async () => {
    const svg = await drawn(byAxis("regulariser.strength"));
    const cells = estimatedCells(rows).filter(({ row }) => row.point["regulariser.strength"] !== null);
    expect(marksOf(svg, "cells")).toHaveLength(cells.filter(isOk).length);
    expect(marksOf(svg, "bad")).toHaveLength(cells.filter((cell) => !isOk(cell)).length);
    // Two values of the axis by two architectures.
    expect(marksOf(svg, "means")).toHaveLength(4);
    expect(marksOf(svg, "intervals")).toHaveLength(4);
    expect((byAxis("regulariser.strength") as Plot).caption).toContain(`n = ${cells.length} cells`);
  });

  it("draws a bad verdict hollow and in a shape of its own, so that it never looks like a plain estimate", async () => {
    const svg = await drawn(byAxis("scale.width"));
    const [ok, bad] = [marksOf(svg, "cells"), marksOf(svg, "bad")];
    const cells = estimatedCells(rows);
    expect(ok).toHaveLength(cells.filter(isOk).length);
    expect(bad).toHaveLength(cells.length - ok.length);
    expect(new Set(ok.map(outline)).size).toBe(1);
    expect(new Set(bad.map(outline)).size).toBe(4);
    for (const mark of ok) expect(mark.attributes.get("fill")).toMatch(/^#/);
    for (const mark of bad) {
      expect(mark.attributes.get("fill") ?? "none").toMatch(/^(none|transparent)$/);
      expect(mark.attributes.get("stroke")).toMatch(/^#/);
    }
  });

  it("colours by verdict where no axis gives the colours", async () => {
    const svg = await drawn(plotLambdaByAxis(axisAt("scale.width"), widths, undefined));
    for (const verdict of VERDICTS.filter((name) => name !== "diverged" && name !== "ok")) {
      const expected = estimatedCells(rows).filter((cell) => cell.verdict === verdict).length;
      const found = marksOf(svg, "bad").filter(
        (mark) => mark.attributes.get("stroke") === VERDICT_STYLE[verdict].colour,
      );
      expect(found, verdict).toHaveLength(expected);
    }
    expect(marksOf(svg, "means")).toHaveLength(4);
  });

  it("puts the cells of a value beside it, closer than half way to the next, on a logarithmic axis too", () => {
    const { spec } = byAxis("scale.width") as Plot;
    const [layer] = spec["layer"] as readonly {
      readonly data: { readonly values: readonly { value: number; at: number }[] };
    }[];
    for (const { value, at } of layer!.data.values) {
      expect(at / value).toBeGreaterThan(Math.SQRT1_2);
      expect(at / value).toBeLessThan(Math.SQRT2);
    }
  });

  it("takes means over ok cells alone", () => {
    const widest = widths.at(-1)!;
    const ok = estimatedCells(widest.rows)
      .filter(isOk)
      .map(({ lambdaHat }) => lambdaHat);
    expect(ok.length).toBeLessThan(estimatedCells(widest.rows).length);
    expect(widest.lambdaHat?.n).toBe(ok.length);
    expect(widest.lambdaHat?.mean).toBeCloseTo(ok.reduce((sum, value) => sum + value, 0) / ok.length, 10);
  });

  it("gives a bootstrap interval close to the normal one where there are many values", () => {
    const groups = groupByAxis(rows, axisAt("architecture.kind"));
    for (const { lambdaHat, rows: members } of groups) {
      const values = estimatedCells(members)
        .filter(isOk)
        .map((cell) => cell.lambdaHat);
      const centre = lambdaHat!.mean;
      const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
      const half = (1.96 * sd) / Math.sqrt(values.length);
      // The ends of a percentile interval of 1000 resamples have a standard error of about 6 % of its half-width.
      expect(Math.abs(lambdaHat!.low! - (centre - half))).toBeLessThan(0.2 * half);
      expect(Math.abs(lambdaHat!.high! - (centre + half))).toBeLessThan(0.2 * half);
    }
  });

  it("gives a single cell a mean and no interval", () => {
    const pair = designs()
      .slice(0, 4)
      .filter(({ seed }) => seed === 1)
      .map((design, index) => rowOf(recordOf(design, index)));
    const [axis] = varyingAxes(pair, ["scale.width"]);
    expect(groupByAxis(pair, axis!).map(({ lambdaHat }) => [lambdaHat?.n, lambdaHat?.low])).toEqual([
      [1, null],
      [1, null],
    ]);
  });

  it("says that it drew a sample when there are more cells than marks can show", async () => {
    const many = Array.from({ length: 6000 }, (_, index): ResultRow => ({
      ...rows[index % rows.length]!,
      gridIndex: index,
    }));
    const plot = byAxis("scale.width", many) as Plot;
    const count = estimatedCells(many).length;
    expect(plot.caption).toContain(`Drawn: 1000 of ${count} cells`);
    expect(plot.caption).toContain(`n = ${count} cells`);
    const svg = await drawn(plot);
    expect(marksOf(svg, "cells").length + marksOf(svg, "bad").length).toBe(1000);
  });
});

describe("a scale", () => {
  it("is laid over ok estimates; a bad one far beyond is drawn at its edge and counted", () => {
    const [a, b, c] = designs();
    const huge = { ...resultOf(c!), estimate: { ...resultOf(c!, "over-ceiling").estimate!, lambdaHat: 1e9 } };
    const some = [rowOf(recordOf(a!, 0)), rowOf(recordOf(b!, 1)), rowOf(recordOf(c!, 2, { result: huge }))];
    const cells = estimatedCells(some);
    const scale = lambdaScale(cells);
    expect(scale.domain[1]).toBeLessThan(100);
    expect(scale.place(1e9)).toBe(scale.domain[1]);
    expect(edgeNote(cells, scale)).toBe("1 cell of bad verdict lies beyond the axis, drawn at its edge.");
  });

  it("is logarithmic over a wide range of positive values and linear when one is negative", () => {
    expect(scaleOver([1, 5, 100])).toMatchObject({ type: "log" });
    expect(scaleOver([1, 5, 20])).toMatchObject({ type: "linear" });
    expect(scaleOver([-1, 5, 100])).toMatchObject({ type: "linear" });
  });

  it("has a domain of some length even for one value, or one value many times", () => {
    for (const values of [[0], [3], [-2, -2], [1e-12]]) {
      const [low, high] = scaleOver(values).domain;
      expect(high).toBeGreaterThan(low);
      expect(low).toBeLessThanOrEqual(values[0]!);
      expect(high).toBeGreaterThanOrEqual(values[0]!);
    }
  });
});

describe("loss and accuracy against lambda-hat", () => {
  it("stand in one panel for each kind of data, one mark and one error bar a cell", async () => {
    const plots = plotsAgainstLambda("loss", rows, colour);
    expect(plots.map(({ title }) => title)).toEqual(["Test loss against λ̂: digits", "Test loss against λ̂: majority"]);
    const digits = estimatedCells(rows).filter(({ row }) => row.config.data.kind === "digits").length;
    const svg = await drawn(plots[0]);
    expect(marksOf(svg, "cells").length + marksOf(svg, "bad").length).toBe(digits);
    expect(marksOf(svg, "errors")).toHaveLength(digits);
  });

  it("leave accuracy out for regression", () => {
    const regression = rows.map((row) =>
      row.result === undefined ? row : { ...row, result: { ...row.result, testAccuracy: null } },
    );
    expect(plotsAgainstLambda("accuracy", regression, colour)).toEqual([]);
  });
});

it("outcomes are drawn as one bar for each outcome of each arm and count every cell", async () => {
  const svg = await drawn(plotOutcomes(rows, axes));
  const arms = new Map<string, ResultRow[]>();
  for (const row of rows) {
    const arm = ["data.kind", "architecture.kind", "optimizer.kind"].map((path) => row.point[path]).join();
    arms.set(arm, [...(arms.get(arm) ?? []), row]);
  }
  const bars = [...arms.values()].reduce((sum, members) => sum + outcomeCounts(members).size, 0);
  expect(marksOf(svg, "bars")).toHaveLength(bars);
  expect([...outcomeCounts(rows).values()].reduce((sum, count) => sum + count, 0)).toBe(rows.length);
});

describe("chain traces", () => {
  it("show the cells with the lowest and highest ok lambda-hat and the worst R-hat, with their verdicts", () => {
    const traced = tracedCells(rows);
    const ok = estimatedCells(rows).filter(isOk);
    const least = Math.min(...ok.map(({ lambdaHat }) => lambdaHat));
    expect(traced.map(({ why }) => why)).toEqual(["lowest λ̂", "highest λ̂", "worst R̂"]);
    expect(traced[0]!.row.result?.estimate?.lambdaHat).toBe(least);
    const keeper = new CurveKeeper(traced.map(({ row }) => row.cellId));
    for (const chunk of syntheticSeries(rows)) keeper.take(chunk);
    const plots = plotChains(traced, keeper, axes) as readonly Plot[];
    expect(plots[0]!.caption).toContain("(ok)");
    expect(plots[2]!.caption).toContain(`(${traced[2]!.row.result!.estimate!.verdict}!)`);
    expect(plots[0]!.caption).toContain("4 chains × 500 draws");
  });

  it("choose a cell once when it is telling in two ways", () => {
    const one = [rowOf(recordOf(designs()[0]!, 0))];
    expect(tracedCells(one)).toMatchObject([{ id: "chains-lowest", why: "lowest λ̂ and highest λ̂ and worst R̂" }]);
  });
});

describe("where there is nothing to draw a sentence says so", () => {
  const pending = rows.map((row) => rowOf({ ...row, state: "pending", result: undefined }));
  const keeper = new CurveKeeper([]);

  it.each([
    ["lambda by axis", () => byAxis("scale.width", pending)],
    ["loss", () => plotsAgainstLambda("loss", pending, colour)[0]],
    ["quad", () => plotQuad(pending, colour)],
    ["chains", () => plotChains(tracedCells(pending), keeper, axes)[0]],
    ["chains without series", () => plotChains(tracedCells(rows), keeper, axes)[0]],
    ["training", () => plotsTraining(pending, keeper, colour)[0]],
    ["training without series", () => plotsTraining(rows, keeper, colour)[0]],
    ["outcomes", () => plotOutcomes([], axes)],
  ] as const)("%s", (_name, plot) => {
    expect((plot() as Absent).absent).toMatch(/^(No|The|These|Cell) .*\.$/);
  });
});

it("captions are wrapped at spaces to lines that fit", () => {
  const lines = wrapped("one two three four five six seven", 60, 11);
  expect(lines.join(" ")).toBe("one two three four five six seven");
  expect(lines.length).toBeGreaterThan(2);
});
