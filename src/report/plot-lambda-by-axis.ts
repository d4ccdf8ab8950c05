/**
 * Lambda-hat by the values of one axis: every cell, and each value's mean over its ok cells with its interval.
 * Where another axis gives the colours, means are taken for each of its values: a mean over unlike architectures says little.
 */
import { axisValue, type ReportAxis } from "./axis.ts";
import { amount, cellLayers, groupColour, MEAN_ERROR_MARK, MEAN_MARK, PLAIN, TREND_MARK } from "./encode.ts";
import {
  countsText,
  edgeNote,
  estimatedCells,
  keyText,
  LAMBDA,
  lambdaScale,
  sampled,
  sentences,
  verdictsOf,
} from "./estimated.ts";
import type { Coefficient, Estimated, ValueScale } from "./estimated.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import { intervalText, lambdaMeans, type AxisGroup } from "./group.ts";
import { textWidth } from "./text-width.ts";
import { LABEL_SIZE, PLOT_WIDTH } from "./theme.ts";
import type { Scalar } from "../catalogue/entry.ts";
import { snakeCase } from "../result/row.ts";

/** Names that can be read below one panel. */
const MAX_CATEGORIES = 16;
/** Pixels between two names beside each other. */
const LABEL_GAP = 8;
/** Numbers that are each given a tick. */
const MAX_TICKS = 6;

export function plotLambdaByAxis(
  axis: ReportAxis,
  groups: readonly AxisGroup[],
  colour: ReportAxis | undefined,
  coefficient: Coefficient = LAMBDA,
): Plot | Absent {
  const id = `${coefficient.id}-by-${snakeCase(axis.path).replaceAll("_", "-")}`;
  const title = `${coefficient.symbol} by ${axis.path}`;
  const members = groups.flatMap(({ rows }) => rows);
  const cells = estimatedCells(members, coefficient);
  if (cells.length === 0) return { id, title, absent: "No cell on this axis has an estimate." };
  if (axis.scale === "category" && axis.values.length > MAX_CATEGORIES) {
    const absent = `${axis.values.length} values are too many to draw; the table by axis value lists them.`;
    return { id, title, absent };
  }
  const scale = lambdaScale(cells);
  const { drawn, note } = sampled(cells);
  const stage = new Stage(axis, colour, scale, coefficient);
  const each = stage.split === undefined ? "a value" : `a value and ${stage.split.path}`;
  const caption = sentences(
    `${countsText(cells)}.`,
    "Points: cells, spread sideways.",
    keyText(colour),
    `Diamonds: mean over the ok cells of ${each}; bars: its ${intervalText(groups)}.`,
    edgeNote(cells, scale),
    note,
  );
  return panel({ id, title, caption, layer: [...cellMarks(stage, drawn), ...meanMarks(stage, groups)] });
}

/** How far cells are spread sideways: a share of the axis, and of the gap to the next value at the most. */
const SPREAD = 0.07;
const SPREAD_OF_GAP = 0.38;

/** Where things stand on the panel: each value of the axis has a lane for each value of the axis that splits it. */
class Stage {
  readonly axis: ReportAxis;
  readonly colour: ReportAxis | undefined;
  /** The axis of colours, unless it is the one that is drawn. */
  readonly split: ReportAxis | undefined;
  readonly scale: ValueScale;
  readonly coefficient: Coefficient;

  constructor(axis: ReportAxis, colour: ReportAxis | undefined, scale: ValueScale, coefficient: Coefficient) {
    this.coefficient = coefficient;
    this.axis = axis;
    this.colour = colour;
    this.split = colour?.path === axis.path ? undefined : colour;
    this.scale = scale;
  }

  /** -1 .. 1 about the axis value: the lane's middle, and `within` (-1 .. 1) of its width. */
  aside(split: Scalar | null, within: number): number {
    const lanes = this.split?.values.length ?? 1;
    const lane = split === null ? 0 : this.split!.values.indexOf(split);
    return ((lane + 0.5 + 0.42 * within) * 2) / lanes - 1;
  }

  /** On an axis of numbers, beside the value; a name stands for itself and is offset by its scale. */
  at(value: Scalar, aside: number): Scalar {
    if (this.axis.scale === "category" || typeof value !== "number") return String(value);
    const [low, high] = this.#ends();
    const spread = this.#spread() * aside;
    return this.axis.scale === "log" ? value * (high / low) ** spread : value + (high - low) * spread;
  }

  x(): VegaLite {
    const { axis } = this;
    if (axis.scale === "category") {
      const names = axis.values.map(String);
      const widest = Math.max(...names.map((name) => textWidth(name, LABEL_SIZE)));
      const labels = { labelAngle: widest > PLOT_WIDTH / names.length - LABEL_GAP ? -35 : 0, labelLimit: 110 };
      const x = { field: "at", type: "ordinal", title: axis.path, sort: names, scale: { domain: names }, axis: labels };
      return { x, xOffset: { field: "aside", type: "quantitative", scale: { domain: [-1.3, 1.3] } } };
    }
    const few = axis.values.length <= MAX_TICKS ? { values: axis.values } : { tickCount: MAX_TICKS };
    const x = {
      field: "at",
      type: "quantitative",
      title: axis.scale === "log" ? `${axis.path}, log scale` : axis.path,
      scale: { type: axis.scale, domain: this.#domain(), nice: false, zero: false },
      axis: { ...few, ...PLAIN, grid: false, labelOverlap: "greedy" },
    };
    return { x };
  }

  #ends(): readonly [number, number] {
    return [this.axis.values[0] as number, this.axis.values.at(-1) as number];
  }

  #spread(): number {
    const [low, high] = this.#ends();
    const log = this.axis.scale === "log";
    const shares = (this.axis.values as readonly number[]).map((value) =>
      log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low),
    );
    const gaps = shares.slice(1).map((share, index) => share - shares[index]!);
    return Math.min(SPREAD, SPREAD_OF_GAP * Math.min(...gaps));
  }

  #domain(): readonly [number, number] {
    const [low, high] = this.#ends();
    const margin = this.#spread() + 0.03;
    if (this.axis.scale === "log") return [low / (high / low) ** margin, high * (high / low) ** margin];
    return [low - margin * (high - low), high + margin * (high - low)];
  }
}

function cellMarks(stage: Stage, cells: readonly Estimated[]): readonly VegaLite[] {
  const { axis, colour, split, scale } = stage;
  const values = cells.map(({ row, lambdaHat, verdict }, index) => {
    const value = axisValue(row, axis.path)!;
    // Multiples of the golden ratio: evenly spread, whatever the number of cells.
    const within = (((index + 1) * 0.618033988749895) % 1) * 2 - 1;
    const aside = stage.aside(split === undefined ? null : axisValue(row, split.path), within);
    return {
      cell: row.cellId.slice(0, 12),
      value,
      at: stage.at(value, aside),
      aside,
      lambda_hat: lambdaHat,
      y: scale.place(lambdaHat),
      verdict,
      ...(colour === undefined ? {} : { group: String(axisValue(row, colour.path)) }),
    };
  });
  const place = { ...stage.x(), y: amount("y", `${stage.coefficient.symbol} (dimensionless)`, scale) };
  return cellLayers(place, colour, verdictsOf(cells)).map((layer) => ({ ...layer, data: { values } }));
}

function meanMarks(stage: Stage, groups: readonly AxisGroup[]): readonly VegaLite[] {
  const { axis, colour, split, scale } = stage;
  const values = lambdaMeans(groups, split, stage.coefficient).map(
    ({ value, split: part, interval: { n, mean, low, high } }) => {
      const aside = stage.aside(part, 0);
      return {
        value,
        at: stage.at(value, aside),
        aside,
        n,
        mean: scale.place(mean),
        low: low === null ? null : scale.place(low),
        high: high === null ? null : scale.place(high),
        ...(colour === undefined ? {} : { group: String(part ?? value) }),
      };
    },
  );
  if (values.length === 0) return [];
  const x = stage.x();
  const y = { field: "mean", type: "quantitative" };
  const color = colour === undefined ? {} : { color: groupColour(colour) };
  const bars = { values: values.filter(({ low }) => low !== null) };
  const interval = { ...x, y: { field: "low", type: "quantitative" }, y2: { field: "high" } };
  const trend = { name: "trend", data: { values }, mark: TREND_MARK, encoding: { ...x, y, ...color } };
  return [
    ...(axis.scale === "category" || split === undefined ? [] : [trend]),
    { name: "intervals", data: bars, mark: MEAN_ERROR_MARK, encoding: interval },
    { name: "means", data: { values }, mark: MEAN_MARK, encoding: { ...x, y, ...color } },
  ];
}
