/** A panel that holds estimates against something that they may equal: one scale for both axes, so that the diagonal is one. */
import { axisValue, type ReportAxis } from "./axis.ts";
import { amount, cellLayers, errorLayer, REFERENCE_MARK } from "./encode.ts";
import { countsText, edgeNote, isOk, keyText, sampled, scaleOver, sentences, verdictsOf } from "./estimated.ts";
import type { Estimated, ValueScale } from "./estimated.ts";
import { panel, type Plot, type VegaLite } from "./figure.ts";

/** A cell with what its estimate is held against. */
export interface Against {
  readonly cell: Estimated;
  readonly x: number;
}

export interface DiagonalOptions {
  readonly id: string;
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Sentences of the caption, after the counts. */
  readonly explains: string;
  readonly colour: ReportAxis | undefined;
}

/** @param points at least one */
export function diagonalPanel(points: readonly Against[], options: DiagonalOptions): Plot {
  const { id, title, xTitle, yTitle, explains, colour } = options;
  const cells = points.map(({ cell }) => cell);
  const scale = commonScale(points);
  const { drawn, note } = sampled(points);
  const caption = sentences(
    `${countsText(cells)}.`,
    explains,
    "Bars: ± one standard error.",
    keyText(colour),
    edgeNote(cells, scale),
    note,
  );
  const verdicts = verdictsOf(cells);
  const x = amount("x", xTitle, scale);
  const y = amount("y", yTitle, scale);
  const data = { values: drawn.map((point) => dataOf(point, scale, colour)) };
  const ends = { values: scale.domain.map((end) => ({ x: end, y: end })) };
  const layer: readonly VegaLite[] = [
    { name: "diagonal", data: ends, mark: REFERENCE_MARK, encoding: { x, y } },
    errorLayer({ x, y: { ...y, field: "low" }, y2: { field: "high" } }, colour, verdicts),
    ...cellLayers({ x, y }, colour, verdicts),
  ];
  return panel({ id, title, caption, data, layer });
}

function commonScale(points: readonly Against[]): ValueScale {
  const lambdas = (wanted: boolean): readonly number[] =>
    points.filter(({ cell }) => isOk(cell) === wanted).map(({ cell }) => cell.lambdaHat);
  return scaleOver([...lambdas(true), ...points.map(({ x }) => x)], lambdas(false));
}

function dataOf({ cell, x }: Against, scale: ValueScale, colour: ReportAxis | undefined): VegaLite {
  const { row, lambdaHat, lambdaSe, verdict } = cell;
  return {
    cell: row.cellId.slice(0, 12),
    x: scale.place(x),
    against: x,
    lambda_hat: lambdaHat,
    y: scale.place(lambdaHat),
    low: scale.place(lambdaHat - (lambdaSe ?? 0)),
    high: scale.place(lambdaHat + (lambdaSe ?? 0)),
    verdict,
    group: colour === undefined ? null : String(axisValue(row, colour.path)),
  };
}
