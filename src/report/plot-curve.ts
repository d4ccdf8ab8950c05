/**
 * Lambda-hat over t and over gamma, of the cells that have curves: one line a cell through its own estimate and the points of its
 * curve. A flat line over gamma says that the pull does not matter; over t it falls to the learning coefficient's limit.
 */
import { axisValue, type ReportAxis } from "./axis.ts";
import { amount, cellLayers, errorLayer, groupColour } from "./encode.ts";
import {
  countsText,
  edgeNote,
  isOk,
  keyText,
  LAMBDA,
  LAMBDA_B,
  logScaleOver,
  sampled,
  scaleOver,
  sentences,
  verdictsOf,
} from "./estimated.ts";
import type { Coefficient, Estimated, ValueScale } from "./estimated.ts";
import { panel, type Plot, type VegaLite } from "./figure.ts";
import { countText } from "./number-text.ts";
import { MUTED } from "./theme.ts";
import type { CurvePointResult, Estimate } from "../result/cell-result.ts";
import type { ResultRow } from "../result/row.ts";
import { truthAt } from "../result/truth-beside.ts";

/** Lines that one panel holds. */
const MAX_LINES = 40;

type Over = "nBeta" | "gamma";
const NAMES: Readonly<Record<Over, { readonly id: string; readonly symbol: string; readonly title: string }>> = {
  nBeta: { id: "t", symbol: "t", title: "t = nβ" },
  gamma: { id: "gamma", symbol: "γ", title: "γ" },
};

interface Curve {
  readonly row: ResultRow;
  readonly main: Estimate;
  /** Ascending; the estimate itself among them. */
  readonly points: readonly CurvePointResult[];
}

/** A panel for each of t and gamma and each coefficient that has curves over it; none where no cell has any. */
export function plotsCurve(rows: readonly ResultRow[], colour: ReportAxis | undefined): readonly Plot[] {
  return [LAMBDA, LAMBDA_B].flatMap((coefficient) =>
    (["nBeta", "gamma"] as const).flatMap((over) => {
      const curves = curvesOf(rows, coefficient, over);
      return curves.length === 0 ? [] : [onePanel(curves, coefficient, over, colour)];
    }),
  );
}

function curvesOf(rows: readonly ResultRow[], coefficient: Coefficient, over: Over): readonly Curve[] {
  const held: Over = over === "nBeta" ? "gamma" : "nBeta";
  return rows.flatMap((row): readonly Curve[] => {
    const main = coefficient.of(row);
    if (main === null || main === undefined) return [];
    const points = [main, ...main.curve].filter((one) => one[held] === main[held] && one[over] !== null);
    if (points.length < 2) return [];
    return [{ row, main, points: points.toSorted((a, b) => a[over]! - b[over]!) }];
  });
}

function onePanel(
  curves: readonly Curve[],
  coefficient: Coefficient,
  over: Over,
  colour: ReportAxis | undefined,
): Plot {
  const { id, symbol, title } = NAMES[over];
  const { drawn, note } = sampled(curves, "curve", MAX_LINES);
  const marks = drawn.flatMap(({ row, points }) => points.flatMap((point) => markOf(row, point, over)));
  const cells = marks.map(({ cell }) => cell);
  const trusted = cells.filter(isOk).map(({ lambdaHat }) => lambdaHat);
  const bad = cells.filter((cell) => !isOk(cell)).map(({ lambdaHat }) => lambdaHat);
  const truths = drawn.flatMap((curve) => truthsOf(curve, over));
  const xScale = logScaleOver(marks.map(({ at }) => at));
  const yScale = scaleOver([...trusted, ...truths.map(({ truth }) => truth)], bad);
  const caption = sentences(
    `${countText(curves.length, "curve")}; estimates: ${countsText(cells).replace(/ cells?/, "")}.`,
    "Lines: cells. Bars: ± one standard error.",
    truths.length === 0 ? "" : "Dashed: exact.",
    keyText(colour),
    edgeNote(cells, yScale).replace(/ cells?/, " of the estimates"),
    note,
  );
  const values = marks.map((mark) => dataOf(mark, yScale, colour));
  const x = amount("x", title, xScale);
  const y = amount("y", coefficient.symbol, yScale);
  const layer = [
    lineLayer(x, y, colour),
    ...(truths.length === 0 ? [] : [truthLayer(truths, x, y, yScale)]),
    errorLayer({ x, y: { ...y, field: "low" }, y2: { field: "high" } }, colour, verdictsOf(cells)),
    ...cellLayers({ x, y }, colour, verdictsOf(cells)),
  ];
  return panel({ id: `${coefficient.id}-over-${id}`, title: `${coefficient.symbol} over ${symbol}`, caption, data: { values }, layer }); // prettier-ignore
}

interface Mark {
  readonly cell: Estimated;
  readonly at: number;
}

function markOf(row: ResultRow, point: CurvePointResult, over: Over): readonly Mark[] {
  const { lambdaHat, lambdaSe, verdict } = point;
  return lambdaHat === null ? [] : [{ cell: { row, lambdaHat, lambdaSe, verdict }, at: point[over]! }];
}

interface TruthPoint {
  readonly row: ResultRow;
  readonly at: number;
  readonly truth: number;
}

function truthsOf({ row, main, points }: Curve, over: Over): readonly TruthPoint[] {
  return points.flatMap(({ nBeta, gamma, ...point }) => {
    const truth = truthAt(row.config, { estimand: main.estimand, nBeta, gamma });
    return truth === undefined ? [] : [{ row, at: { nBeta, gamma, ...point }[over]!, truth }];
  });
}

function lineLayer(x: VegaLite, y: VegaLite, colour: ReportAxis | undefined): VegaLite {
  const mark = { type: "line", strokeWidth: 1, opacity: 0.6, ...(colour === undefined ? { color: MUTED } : {}) };
  const color = colour === undefined ? {} : { color: groupColour(colour) };
  return { name: "curves", mark, encoding: { x, y, detail: { field: "cell", type: "nominal" }, ...color } };
}

function truthLayer(truths: readonly TruthPoint[], x: VegaLite, y: VegaLite, scale: ValueScale): VegaLite {
  const values = truths.map(({ row, at, truth }) => ({ cell: row.cellId.slice(0, 12), x: at, y: scale.place(truth) }));
  const mark = { type: "line", color: MUTED, strokeDash: [4, 3], strokeWidth: 1 };
  return { name: "truth", data: { values }, mark, encoding: { x, y, detail: { field: "cell", type: "nominal" } } };
}

function dataOf({ cell, at }: Mark, scale: ValueScale, colour: ReportAxis | undefined): VegaLite {
  const { row, lambdaHat, lambdaSe, verdict } = cell;
  return {
    cell: row.cellId.slice(0, 12),
    x: at,
    lambda_hat: lambdaHat,
    y: scale.place(lambdaHat),
    low: scale.place(lambdaHat - (lambdaSe ?? 0)),
    high: scale.place(lambdaHat + (lambdaSe ?? 0)),
    verdict,
    group: colour === undefined ? null : String(axisValue(row, colour.path)),
  };
}
