/** Training and test loss over the steps, for a few cells of each kind of data that are spread evenly over the grid. */
import { axisValue, taskOf, type ReportAxis } from "./axis.ts";
import { amount, groupColour, PLAIN } from "./encode.ts";
import { sampled, scaleOver, sentences } from "./estimated.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import { countText } from "./number-text.ts";
import { drawnValue, type Curve, type CurveKeeper } from "./series.ts";
import { CATEGORY_COLOURS } from "./theme.ts";
import type { ResultRow } from "../result/row.ts";

const SERIES = ["train.loss", "test.loss"] as const;

/** Cells of a panel: more lines cannot be followed. */
const MAX_CELLS = 12;
/** Points of a line: the panel has some 300 pixels. */
const MAX_POINTS = 160;

/** The cells whose curves are drawn: of each kind of data, those with a result, evenly over the grid. */
export function trainingCells(rows: readonly ResultRow[]): readonly ResultRow[] {
  return tasksOf(rows).flatMap((task) => sampled(trainedOn(rows, task), "cell", MAX_CELLS).drawn);
}

export function plotsTraining(
  rows: readonly ResultRow[],
  keeper: CurveKeeper,
  colour: ReportAxis | undefined,
): readonly (Plot | Absent)[] {
  const tasks = tasksOf(rows);
  if (tasks.length === 0) return [{ id: "training", title: "Training curves", absent: "No cell has a result yet." }];
  return tasks.map((task) => onePanel(task, trainedOn(rows, task), keeper, colour));
}

function tasksOf(rows: readonly ResultRow[]): readonly string[] {
  return [...new Set(rows.filter(({ result }) => result !== undefined).map(taskOf))];
}

function trainedOn(rows: readonly ResultRow[], task: string): readonly ResultRow[] {
  return rows.filter((row) => row.result !== undefined && taskOf(row) === task);
}

/** Curves with gaps are said to have them. */
function gapsIn(rows: readonly ResultRow[]): string {
  const gapped = rows.filter(({ result }) => (result?.dropped?.points ?? 0) > 0).length;
  return gapped === 0
    ? ""
    : `${countText(gapped, "cell")} with gaps in the series: points that the worker could not keep (dropped_points).`;
}

function onePanel(
  task: string,
  rows: readonly ResultRow[],
  keeper: CurveKeeper,
  colour: ReportAxis | undefined,
): Plot | Absent {
  const id = `training-${task}`;
  const title = `Training curves: ${task}`;
  const { drawn, note } = sampled(rows, "cell", MAX_CELLS);
  const lines = drawn.flatMap((row) => linesOf(row, keeper, colour));
  if (lines.length === 0) return { id, title, absent: "These cells have no stored loss series." };
  const scale = scaleOver(lines.map(({ loss }) => loss));
  const caption = sentences(
    `n = ${countText(drawn.length, "cell")}, one line each and set.`,
    "Full: training set; dashed: test set.",
    colour === undefined ? "" : `Colour: ${colour.path}.`,
    note,
    gapsIn(rows),
  );
  const encoding = {
    x: {
      field: "step",
      type: "quantitative",
      title: "step (updates)",
      axis: { ...PLAIN, grid: false, tickCount: 5 },
      scale: { nice: false },
    },
    y: amount("loss", "loss (nats per sample)", scale),
    detail: [{ field: "cell", type: "nominal" }],
    strokeDash: {
      field: "set",
      type: "nominal",
      title: "set",
      scale: {
        domain: ["train", "test"],
        range: [
          [1, 0],
          [4, 3],
        ],
      },
      legend: null,
    },
    color: colour === undefined ? { value: CATEGORY_COLOURS[0] } : groupColour(colour),
  };
  const mark = { type: "line", strokeWidth: 1.2, opacity: 0.8, strokeJoin: "round" };
  return panel({ id, title, caption, layer: [{ name: "curves", data: { values: lines }, mark, encoding }] });
}

interface LinePoint extends VegaLite {
  readonly loss: number;
}

function linesOf(row: ResultRow, keeper: CurveKeeper, colour: ReportAxis | undefined): readonly LinePoint[] {
  const cell = row.cellId.slice(0, 12);
  const group = colour === undefined ? null : String(axisValue(row, colour.path));
  return SERIES.flatMap((name) =>
    keeper
      .curves(row.cellId, name)
      .filter((curve) => curve.series === name)
      .flatMap((curve) => thinned(curve))
      .map(({ step, value }) => ({
        cell,
        set: name.slice(0, name.indexOf(".")),
        step,
        loss: drawnValue(value),
        group,
      })),
  );
}

/** Finite points, evenly thinned; the last one always stands, for it is the loss that the tables give. */
function thinned(curve: Curve): Curve["points"] {
  const finite = curve.points.filter(({ value }) => Number.isFinite(value));
  const stride = Math.ceil(finite.length / MAX_POINTS);
  return finite.filter((_, index) => index % stride === 0 || index === finite.length - 1);
}
