/** Parts of Vega-Lite specs that several plots share: scales, axes, marks by verdict. */
import type { Verdict } from "../result/cell-result.ts";
import type { ValueScale } from "./estimated.ts";
import type { VegaLite } from "./figure.ts";
import { CATEGORY_COLOURS, INK, MUTED, PAGE, VERDICT_STYLE } from "./theme.ts";
import type { ReportAxis } from "./axis.ts";

/** Numbers of an axis: Vega's own "~g" writes 100 as 1e+2, for it fits the digits to the distance of the ticks. */
export const PLAIN: VegaLite = { labelExpr: "format(datum.value, '.6~g')" };
export const PERCENT: VegaLite = { format: "~%" };

/** A number on a scale; the title names the unit and says when the scale is logarithmic. */
export function amount(field: string, title: string, scale: ValueScale, format: VegaLite = PLAIN): VegaLite {
  return {
    field,
    type: "quantitative",
    title: scale.type === "log" ? `${title}, log scale` : title,
    scale: { type: scale.type, domain: scale.domain, nice: false, zero: false },
    axis: { ...format, ...ticks(scale), labelOverlap: "greedy" },
  };
}

/** On a logarithmic scale 1, 2 and 5 of each decade, or the decades alone when there are many. */
function ticks({ type, domain: [low, high] }: ValueScale): VegaLite {
  if (type === "linear") return { tickCount: 5 };
  const steps = high / low > 2000 ? [1] : [1, 2, 5];
  const decades = range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)));
  const values = decades.flatMap((decade) => steps.map((step) => Number(`${step}e${decade}`)));
  return { values: values.filter((value) => value >= low && value <= high) };
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Colour and shape of cells: colour by the values of an axis where there is one (field "group"), shape by verdict. */
function cellChannels(colour: ReportAxis | undefined, verdicts: readonly Verdict[]): VegaLite {
  if (colour === undefined) return { color: verdictColour(verdicts), shape: verdictShape(verdicts, true) };
  // One verdict needs no key: the caption tells it.
  return { color: groupColour(colour), shape: verdictShape(verdicts, verdicts.length > 1) };
}

/** Cells as marks: those whose verdict is ok filled, all others hollow. */
export function cellLayers(
  place: VegaLite,
  colour: ReportAxis | undefined,
  verdicts: readonly Verdict[],
): readonly VegaLite[] {
  const encoding = { ...place, ...cellChannels(colour, verdicts) };
  return [
    { name: "cells", transform: [{ filter: "datum.verdict === 'ok'" }], mark: CELL_MARK, encoding },
    { name: "bad", transform: [{ filter: "datum.verdict !== 'ok'" }], mark: BAD_CELL_MARK, encoding },
  ];
}

/** A rule through each cell: its standard error. */
export function errorLayer(place: VegaLite, colour: ReportAxis | undefined, verdicts: readonly Verdict[]): VegaLite {
  const { color } = cellChannels(colour, verdicts) as { readonly color: VegaLite };
  return { name: "errors", mark: CELL_ERROR_MARK, encoding: { ...place, color } };
}

function verdictColour(verdicts: readonly Verdict[]): VegaLite {
  const range = verdicts.map((verdict) => VERDICT_STYLE[verdict].colour);
  return { field: "verdict", type: "nominal", title: null, scale: { domain: verdicts, range } };
}

function verdictShape(verdicts: readonly Verdict[], legend: boolean): VegaLite {
  const range = verdicts.map((verdict) => VERDICT_STYLE[verdict].shape);
  const scale = { domain: verdicts, range };
  return { field: "verdict", type: "nominal", title: null, scale, ...(legend ? {} : { legend: null }) };
}

/** Colour by the values of an axis (field "group"). */
export function groupColour(axis: ReportAxis): VegaLite {
  const domain = axis.values.map(String);
  const range = domain.map((_, index) => CATEGORY_COLOURS[index % CATEGORY_COLOURS.length]!);
  return { field: "group", type: "nominal", title: null, scale: { domain, range } };
}

/** Part transparent: where many lie on each other one sees it. */
const CELL_MARK: VegaLite = { type: "point", filled: true, size: 36, opacity: 0.6, stroke: null };
const BAD_CELL_MARK: VegaLite = { type: "point", filled: false, size: 46, opacity: 0.9, strokeWidth: 1.3 };
const CELL_ERROR_MARK: VegaLite = { type: "rule", opacity: 0.45, strokeWidth: 1 };
/** A mean and its interval. */
export const MEAN_MARK: VegaLite = {
  type: "point",
  shape: "diamond",
  filled: true,
  size: 85,
  color: PAGE,
  stroke: INK,
  strokeWidth: 1.4,
  opacity: 1,
};
export const MEAN_ERROR_MARK: VegaLite = { type: "rule", color: INK, strokeWidth: 2, opacity: 1 };
/** From mean to mean. */
export const TREND_MARK: VegaLite = { type: "line", strokeWidth: 1.2, opacity: 0.6 };
export const REFERENCE_MARK: VegaLite = { type: "line", color: MUTED, strokeDash: [4, 3], strokeWidth: 1 };
