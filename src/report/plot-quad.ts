/** The sampled lambda-hat against its closed form `quad`: on the diagonal where the loss is quadratic about the solution. */
import { axisValue, type ReportAxis } from "./axis.ts";
import { amount, cellLayers, errorLayer, REFERENCE_MARK } from "./encode.ts";
import {
  countsText,
  keyText,
  edgeNote,
  estimatedCells,
  isOk,
  sampled,
  scaleOver,
  sentences,
  verdictsOf,
} from "./estimated.ts";
import type { Estimated, ValueScale } from "./estimated.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import type { ResultRow } from "../result/row.ts";

const ID = "lambda-against-quad";
const TITLE = "λ̂ against its closed form";

export function plotQuad(rows: readonly ResultRow[], colour: ReportAxis | undefined): Plot | Absent {
  const cells = estimatedCells(rows).filter(({ row }) => quadOf(row) !== null);
  if (cells.length === 0) return { id: ID, title: TITLE, absent: "No cell has both an estimate and the closed form." };
  const scale = commonScale(cells);
  const { drawn, note } = sampled(cells);
  const caption = sentences(
    `${countsText(cells)}.`,
    "quad = ½ Σ t sᵢ / (t sᵢ + γ). Dashed: λ̂ = quad. Bars: ± one standard error of λ̂.",
    keyText(colour),
    edgeNote(cells, scale),
    note,
  );
  const verdicts = verdictsOf(cells);
  const x = amount("quad", "quad (closed form)", scale);
  const y = amount("y", "λ̂ (sampled)", scale);
  const data = { values: drawn.map((cell) => dataOf(cell, scale, colour)) };
  const ends = { values: scale.domain.map((end) => ({ quad: end, y: end })) };
  const layer: readonly VegaLite[] = [
    { name: "diagonal", data: ends, mark: REFERENCE_MARK, encoding: { x, y } },
    errorLayer({ x, y: { ...y, field: "low" }, y2: { field: "high" } }, colour, verdicts),
    ...cellLayers({ x, y }, colour, verdicts),
  ];
  return panel({ id: ID, title: TITLE, caption, data, layer });
}

function quadOf(row: ResultRow): number | null {
  return row.result?.estimate?.quad ?? null;
}

/** One scale for both axes, so that the diagonal is one. */
function commonScale(cells: readonly Estimated[]): ValueScale {
  const trusted = cells.filter(isOk).map(({ lambdaHat }) => lambdaHat);
  const others = cells.filter((cell) => !isOk(cell)).map(({ lambdaHat }) => lambdaHat);
  return scaleOver([...trusted, ...cells.map(({ row }) => quadOf(row)!)], others);
}

function dataOf(
  { row, lambdaHat, lambdaSe, verdict }: Estimated,
  scale: ValueScale,
  colour: ReportAxis | undefined,
): VegaLite {
  return {
    cell: row.cellId.slice(0, 12),
    quad: quadOf(row),
    lambda_hat: lambdaHat,
    y: scale.place(lambdaHat),
    low: scale.place(lambdaHat - (lambdaSe ?? 0)),
    high: scale.place(lambdaHat + (lambdaSe ?? 0)),
    verdict,
    group: colour === undefined ? null : String(axisValue(row, colour.path)),
  };
}
