/** How the cells of each arm ended: converged and failed, counted. */
import { armAxes, labelOf, type ReportAxis } from "./axis.ts";
import { PLAIN } from "./encode.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import { countText } from "./number-text.ts";
import { outcomeCounts, OUTCOMES } from "./outcome.ts";
import { textWidth } from "./text-width.ts";
import { OUTCOME_COLOURS, PANEL_WIDTH, PLOT_HEIGHT } from "./theme.ts";
import type { ResultRow } from "../result/row.ts";

const ID = "outcomes-by-arm";
const TITLE = "How the cells ended";

/** Pixels of the arms' names, at the most. */
const MAX_LABEL_WIDTH = 190;
/** Pixels of one arm's bar. */
const BAR_HEIGHT = 17;

export function plotOutcomes(rows: readonly ResultRow[], axes: readonly ReportAxis[]): Plot | Absent {
  if (rows.length === 0) return { id: ID, title: TITLE, absent: "The sweep has no cells." };
  const arm = armAxes(rows, axes);
  const arms = new Map<string, ResultRow[]>();
  for (const row of rows) {
    const name = labelOf(row, arm);
    const members = arms.get(name);
    if (members === undefined) arms.set(name, [row]);
    else members.push(row);
  }
  const values = [...arms].flatMap(([name, members]) =>
    [...outcomeCounts(members)].map(([outcome, cells]) => ({
      arm: name,
      outcome,
      cells,
      order: OUTCOMES.indexOf(outcome),
    })),
  );
  const present = [...outcomeCounts(rows).keys()];
  const what = arm.length === 0 ? "" : `, by ${arm.map(({ path }) => path).join(" × ")}`;
  const caption = `n = ${countText(rows.length, "cell")}${what}. Verdicts of estimates, or why there is none.`;
  const height = Math.max(0.7 * PLOT_HEIGHT, BAR_HEIGHT * arms.size);
  const labels = Math.min(MAX_LABEL_WIDTH, Math.max(...[...arms.keys()].map((name) => textWidth(name, 11))));
  const layer: readonly VegaLite[] = [
    {
      name: "bars",
      data: { values },
      mark: { type: "bar", stroke: null },
      encoding: {
        y: {
          field: "arm",
          type: "nominal",
          title: null,
          sort: [...arms.keys()],
          axis: { ticks: false, domain: false, labelLimit: 1.4 * MAX_LABEL_WIDTH },
        },
        x: {
          field: "cells",
          type: "quantitative",
          title: "cells",
          stack: "zero",
          axis: { ...PLAIN, tickMinStep: 1, tickCount: 5 },
        },
        color: {
          field: "outcome",
          type: "nominal",
          title: null,
          legend: { orient: "none", direction: "horizontal", legendX: -labels, legendY: height + 42, columns: 3 },
          scale: { domain: present, range: present.map((outcome) => OUTCOME_COLOURS[outcome]!) },
        },
        order: { field: "order", type: "quantitative" },
      },
    },
  ];
  return panel({ id: ID, title: TITLE, caption, width: PANEL_WIDTH - labels - 24, height, layer });
}
