/**
 * How plots look: one panel size, one palette, one Vega-Lite config.
 *
 * Colours are those of Okabe and Ito ("Color Universal Design", 2008), told apart under the common kinds of colour
 * blindness; verdicts differ in shape too. The neutrals below are remapped by the page's style sheet in dark mode, so a
 * spec uses them and no other greys.
 */
import type { Verdict } from "../result/cell-result.ts";

export const INK = "#1b1f24";
export const MUTED = "#57606a";
const GRID = "#e3e6ea";
export const PAGE = "#ffffff";

const BLUE = "#0072b2";
const ORANGE = "#e69f00";
const GREEN = "#009e73";
const PINK = "#cc79a7";
const SKY = "#56b4e9";
const VERMILION = "#d55e00";
const GREY = "#8c959f";

/** What a colour of a plot becomes on a dark page: the same hue, light enough to stand off it. */
export const DARK_COLOURS: Readonly<Record<string, string>> = {
  [INK]: "#e6edf3",
  [MUTED]: "#9aa4af",
  [GRID]: "#30363d",
  [PAGE]: "#0d1117",
  [BLUE]: "#4aa8e8",
  [GREEN]: "#2fbf93",
  [VERMILION]: "#f0804a",
};

/** Colours of categories, in order. */
export const CATEGORY_COLOURS: readonly string[] = [BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, GREY];

export interface MarkStyle {
  readonly colour: string;
  readonly shape: string;
}

export const VERDICT_STYLE: Readonly<Record<Verdict, MarkStyle>> = {
  ok: { colour: BLUE, shape: "circle" },
  unconverged: { colour: ORANGE, shape: "triangle-up" },
  biased: { colour: PINK, shape: "square" },
  "not-a-minimum": { colour: VERMILION, shape: "triangle-down" },
  "over-ceiling": { colour: SKY, shape: "diamond" },
  diverged: { colour: GREY, shape: "cross" },
};

/** How a cell ended, for the count by arm: verdicts of estimates, then statuses of cells without one. */
export const OUTCOME_COLOURS: Readonly<Record<string, string>> = {
  ok: BLUE,
  unconverged: ORANGE,
  biased: PINK,
  "not-a-minimum": VERMILION,
  "over-ceiling": SKY,
  "estimate diverged": GREY,
  "trained, no estimate": GREEN,
  "training diverged": MUTED,
  quarantined: INK,
  cancelled: "#afb8c1",
  running: "#c8ced4",
  pending: GRID,
};

/** Pixels of a panel, about. As narrow as a phone, so that it is read there without shrinking; a wide page holds several. */
export const PANEL_WIDTH = 372;
/** Pixels of its drawing area. */
export const PLOT_WIDTH = 296;
export const PLOT_HEIGHT = 210;
export const CAPTION_SIZE = 11;
export const LABEL_SIZE = 11;

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

const text = { labelColor: INK, titleColor: INK, labelFontSize: LABEL_SIZE, titleFontSize: 12, titleFontWeight: 600 };

/** Shared by all plots. */
export const CONFIG = {
  background: null,
  font: FONT,
  aria: false,
  view: { stroke: null },
  axis: {
    ...text,
    gridColor: GRID,
    domainColor: MUTED,
    tickColor: MUTED,
    tickSize: 4,
    labelLimit: 200,
    titlePadding: 6,
  },
  legend: {
    ...text,
    orient: "bottom",
    columns: 3,
    symbolOpacity: 1,
    symbolBaseFillColor: MUTED,
    symbolSize: 70,
    layout: { bottom: { direction: "vertical", anchor: "start", margin: 4 } },
    labelLimit: 200,
    offset: 8,
    rowPadding: 2,
  },
  title: {
    anchor: "start",
    frame: "bounds",
    color: INK,
    fontSize: 14,
    fontWeight: 600,
    subtitleColor: MUTED,
    subtitleFontSize: CAPTION_SIZE,
    subtitleLineHeight: 14,
    subtitlePadding: 4,
    offset: 12,
  },
};
