/**
 * A plot: a Vega-Lite spec with its data inside, and the SVG that Vega renders from it, without a canvas or a browser.
 * Vega is loaded at the first rendering: a command that writes no report does not pay its quarter of a second.
 */
import type * as vegaModule from "vega";
import type * as vegaLiteModule from "vega-lite";
import type { TopLevelSpec } from "vega-lite";
import { OccamError } from "../core/errors.ts";
import { textWidth } from "./text-width.ts";
import { CAPTION_SIZE, CONFIG, PANEL_WIDTH, PLOT_HEIGHT, PLOT_WIDTH } from "./theme.ts";

/** A Vega-Lite spec, or a part of one. */
export type VegaLite = Readonly<Record<string, unknown>>;

/** A plot that can be drawn. */
export interface Plot {
  /** Unique in the report, kebab-case: an anchor and a file name. */
  readonly id: string;
  readonly title: string;
  /** n, what error bars are, what was left out; wrapped when it is drawn. */
  readonly caption: string;
  readonly spec: VegaLite;
}

/** A sentence where there is nothing to draw. */
export interface Absent {
  readonly id: string;
  readonly title: string;
  readonly absent: string;
}

export interface Figure extends Plot {
  readonly svg: string;
}

/** Pixels that a caption's line may take. */
const CAPTION_WIDTH = PANEL_WIDTH - 12;

export interface PanelOptions {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  /** Pixels of the area that marks are drawn in; titles, axes and legends come on top. */
  readonly width?: number;
  readonly height?: number;
  /** Of the layers that bring none of their own. */
  readonly data?: VegaLite;
  readonly layer: readonly VegaLite[];
}

/** One panel of the standard size: title, caption, layers. */
export function panel(options: PanelOptions): Plot {
  const { id, title, caption, width = PLOT_WIDTH, height = PLOT_HEIGHT, data, layer } = options;
  const spec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `${title}. ${caption}`,
    title: { text: title, subtitle: wrapped(caption, CAPTION_WIDTH, CAPTION_SIZE) },
    width,
    height,
    autosize: { type: "pad", contains: "padding" },
    padding: 4,
    config: CONFIG,
    ...(data === undefined ? {} : { data }),
    layer,
  };
  return { id, title, caption, spec };
}

/** Lines of at most `limit` pixels, broken at spaces. */
export function wrapped(text: string, limit: number, fontSize: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || textWidth(longer, fontSize) <= limit) {
      line = longer;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** Renders a plot. The SVG holds no ids, scripts or references, so that any number of them share a page. */
export async function render(plot: Plot): Promise<Figure> {
  const [vega, vegaLite] = await loadPlotting();
  try {
    const { spec } = vegaLite.compile(plot.spec as unknown as TopLevelSpec, { logger: vega.logger(vega.Error) });
    const view = new vega.View(vega.parse(spec), { renderer: "none", logLevel: vega.Error });
    const svg = await view.toSVG();
    view.finalize();
    return { ...plot, svg: labelled(rounded(svg), plot) };
  } catch (error) {
    throw new OccamError("internal", `the plot ${plot.id} cannot be rendered`, { cause: error });
  }
}

/** Of vega-scenegraph, which Vega re-exports; its typings leave it out. */
interface TextMetrics {
  width(item: { readonly fontSize?: number }, text: string | null | undefined): number;
}

/** Takes a third of a second the first time; a caller that will plot, and has to wait for something else, may begin with it. */
export function loadPlotting(): Promise<readonly [typeof vegaModule, typeof vegaLiteModule]> {
  return Promise.all([loadVega(), import("vega-lite")]);
}

/** Vega, measuring text by our table. */
async function loadVega(): Promise<typeof vegaModule> {
  const vega = await import("vega");
  const { textMetrics } = vega as unknown as { readonly textMetrics: TextMetrics };
  textMetrics.width = ({ fontSize = 11 }, text) => textWidth((text ?? "").trim(), fontSize);
  return vega;
}

/** Coordinates to a hundredth of a pixel, which halves the picture's size. */
function rounded(svg: string): string {
  return svg.replaceAll(/ (?:transform|d|x2|y2)="[^"]*"/g, (attribute) =>
    attribute.replaceAll(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(2)))),
  );
}

/** Gives the picture a name for screen readers, in place of the marks' own roles. */
function labelled(svg: string, plot: Plot): string {
  const label = `${plot.title}. ${plot.caption}`
    .replaceAll("&", "&amp;")
    .replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;");
  return svg.replace('class="marks"', `class="marks" role="img" aria-label="${label}"`);
}
