/** Test loss and test accuracy against lambda-hat, one panel for each kind of data: losses of different data do not compare. */
import { axisValue, taskOf, type ReportAxis } from "./axis.ts";
import { amount, cellLayers, errorLayer, PERCENT } from "./encode.ts";
import {
  countsText,
  keyText,
  edgeNote,
  estimatedCells,
  lambdaScale,
  sampled,
  scaleOver,
  sentences,
  verdictsOf,
} from "./estimated.ts";
import type { Estimated, ValueScale } from "./estimated.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import type { ResultRow } from "../result/row.ts";

export type Outcome = "loss" | "accuracy";

interface Point {
  readonly cell: Estimated;
  readonly outcome: number;
}

const TITLE: Readonly<Record<Outcome, string>> = { loss: "Test loss against λ̂", accuracy: "Test accuracy against λ̂" };

/** Panels for the kinds of data that have this outcome, in the order of the grid. */
export function plotsAgainstLambda(
  outcome: Outcome,
  rows: readonly ResultRow[],
  colour: ReportAxis | undefined,
): readonly (Plot | Absent)[] {
  const points = estimatedCells(rows).flatMap((cell): readonly Point[] => {
    const value = outcome === "loss" ? cell.row.result?.testLoss : cell.row.result?.testAccuracy;
    return value === null || value === undefined ? [] : [{ cell, outcome: value }];
  });
  const tasks = [...new Set(points.map(({ cell }) => taskOf(cell.row)))];
  if (tasks.length === 0) {
    const absent = `No cell has both an estimate and a test ${outcome}.`;
    return outcome === "loss" ? [{ id: "loss-against-lambda", title: TITLE.loss, absent }] : [];
  }
  return tasks.map((task) =>
    onePanel(
      outcome,
      task,
      points.filter(({ cell }) => taskOf(cell.row) === task),
      colour,
    ),
  );
}

function onePanel(outcome: Outcome, task: string, points: readonly Point[], colour: ReportAxis | undefined): Plot {
  const cells = points.map(({ cell }) => cell);
  const xScale = lambdaScale(cells);
  const yScale = outcome === "loss" ? scaleOver(points.map((point) => point.outcome)) : accuracyScale(points);
  const { drawn, note } = sampled(points);
  const caption = sentences(
    `n = ${countsText(cells).slice(4)}.`,
    "Bars: ± one standard error of λ̂.",
    keyText(colour),
    edgeNote(cells, xScale),
    note,
  );
  const x = amount("x", "λ̂", xScale);
  const y =
    outcome === "loss"
      ? amount("y", "test loss (nats per sample)", yScale)
      : amount("y", "test accuracy", yScale, PERCENT);
  const verdicts = verdictsOf(cells);
  const data = { values: drawn.map((point) => dataOf(point, xScale, yScale, colour)) };
  const layer: readonly VegaLite[] = [
    errorLayer({ x: { ...x, field: "low" }, x2: { field: "high" }, y }, colour, verdicts),
    ...cellLayers({ x, y }, colour, verdicts),
  ];
  return panel({ id: `${outcome}-against-lambda-${task}`, title: `${TITLE[outcome]}: ${task}`, caption, data, layer });
}

function dataOf({ cell, outcome }: Point, x: ValueScale, y: ValueScale, colour: ReportAxis | undefined): VegaLite {
  const { row, lambdaHat, lambdaSe, verdict } = cell;
  return {
    cell: row.cellId.slice(0, 12),
    lambda_hat: lambdaHat,
    x: x.place(lambdaHat),
    low: x.place(lambdaHat - (lambdaSe ?? 0)),
    high: x.place(lambdaHat + (lambdaSe ?? 0)),
    y: y.place(outcome),
    verdict,
    group: colour === undefined ? null : String(axisValue(row, colour.path)),
  };
}

/** From below the least to 100 %. */
function accuracyScale(points: readonly Point[]): ValueScale {
  const least = points.reduce((found, { outcome }) => Math.min(found, outcome), 1);
  const low = Math.max(0, least - 0.05 * (1 - least) - 0.01);
  return { type: "linear", domain: [low, 1 + 0.03 * (1 - low)], place: (value) => value };
}
