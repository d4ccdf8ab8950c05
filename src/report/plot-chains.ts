/** Traces of the sampling chains of a few telling cells: the least and the greatest lambda-hat, and the worst R-hat. */
import { labelOf, type ReportAxis } from "./axis.ts";
import { PLAIN } from "./encode.ts";
import { estimatedCells, isOk, sentences, type Estimated } from "./estimated.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import { countText, figureText, lambdaText } from "./number-text.ts";
import { CATEGORY_COLOURS, MUTED } from "./theme.ts";
import { drawnValue, type Curve, type CurveKeeper } from "./series.ts";
import type { ResultRow } from "../result/row.ts";

/** Name of a chain's series is this and its number. */
const PREFIX = "chain.";

/** A cell whose chains are drawn, and why. */
export interface TracedCell {
  readonly id: string;
  readonly why: string;
  readonly row: ResultRow;
}

/** Which cells' chains are worth a look. A cell is chosen once. */
export function tracedCells(rows: readonly ResultRow[]): readonly TracedCell[] {
  const cells = estimatedCells(rows);
  const ok = cells.filter(isOk);
  const from = ok.length > 0 ? ok : cells;
  const candidates: readonly (readonly [string, string, Estimated | undefined])[] = [
    ["lowest", "lowest λ̂", best(from, (cell) => -cell.lambdaHat)],
    ["highest", "highest λ̂", best(from, (cell) => cell.lambdaHat)],
    ["r-hat", "worst R̂", best(cells, ({ row }) => row.result?.estimate?.rHat ?? -Infinity)],
  ];
  const chosen = new Map<string, TracedCell>();
  for (const [id, why, cell] of candidates) {
    if (cell === undefined) continue;
    const known = chosen.get(cell.row.cellId);
    const both = known === undefined ? why : `${known.why} and ${why}`;
    chosen.set(cell.row.cellId, { id: known?.id ?? `chains-${id}`, why: both, row: cell.row });
  }
  return [...chosen.values()];
}

/** The first of those with the greatest score. */
function best(cells: readonly Estimated[], score: (cell: Estimated) => number): Estimated | undefined {
  let found: Estimated | undefined;
  for (const cell of cells) if (found === undefined || score(cell) > score(found)) found = cell;
  return found;
}

export function plotChains(
  traced: readonly TracedCell[],
  keeper: CurveKeeper,
  axes: readonly ReportAxis[],
): readonly (Plot | Absent)[] {
  if (traced.length === 0) {
    return [
      { id: "chains", title: "Chain traces", absent: "No cell has an estimate, so there are no chains to show." },
    ];
  }
  return traced.map(({ id, why, row }) => {
    const title = `Chains of the cell with the ${why}`;
    const curves = keeper.curves(row.cellId, PREFIX);
    if (curves.length === 0)
      return { id, title, absent: `Cell ${row.cellId.slice(0, 12)} has no stored chain series.` };
    return tracePanel(id, title, row, curves, axes);
  });
}

function tracePanel(
  id: string,
  title: string,
  row: ResultRow,
  all: readonly Curve[],
  axes: readonly ReportAxis[],
): Plot {
  const curves = all.slice(0, CATEGORY_COLOURS.length);
  const estimate = row.result!.estimate!;
  const drawnOf = curves[0]!.points.length;
  const caption = sentences(
    `${labelOf(row, axes)} (cell ${row.cellId.slice(0, 12)}).`,
    `λ̂ = ${lambdaText(row)}, R̂ = ${figureText(estimate.rHat)}, ESS = ${figureText(estimate.essBulk, 3)}.`,
    `n = ${countText(all.length, "chain")} × ${countText(estimate.draws, "draw")}. Dashed: λ̂, the mean of all.`,
    curves.length < all.length ? `Drawn: the first ${curves.length} chains.` : "",
    drawnOf < estimate.draws ? `Shown: ${drawnOf} draws of each, evenly.` : "",
  );
  const names = curves.map((curve) => `chain ${curve.series.slice(PREFIX.length)}`);
  const values = curves.flatMap(({ points }, chain) =>
    points
      .filter(({ value }) => Number.isFinite(value))
      .map(({ step, value }) => ({ step, x: drawnValue(value), chain: names[chain]! })),
  );
  const layer: readonly VegaLite[] = [
    {
      name: "chains",
      data: { values },
      mark: { type: "line", strokeWidth: 0.9, opacity: 0.75, strokeJoin: "round" },
      encoding: {
        x: {
          field: "step",
          type: "quantitative",
          title: "draw",
          axis: { ...PLAIN, grid: false, tickCount: 5 },
          scale: { nice: false, zero: false },
        },
        y: {
          field: "x",
          type: "quantitative",
          title: "x = t (L(w) − L(w₀))",
          axis: { ...PLAIN, tickCount: 5 },
          scale: { zero: false },
        },
        color: {
          field: "chain",
          type: "nominal",
          title: null,
          legend: { columns: 4 },
          scale: { domain: names, range: CATEGORY_COLOURS.slice(0, names.length) },
        },
      },
    },
  ];
  return panel({
    id,
    title,
    caption,
    layer: estimate.lambdaHat === null ? layer : [...layer, meanRule(estimate.lambdaHat)],
  });
}

function meanRule(lambdaHat: number): VegaLite {
  const mark = { type: "rule", color: MUTED, strokeDash: [4, 3], strokeWidth: 1.2 };
  return {
    name: "mean",
    data: { values: [{ lambda_hat: lambdaHat }] },
    mark,
    encoding: { y: { field: "lambda_hat", type: "quantitative" } },
  };
}
