/** Estimates beside what they should read, of the cells where that is known. */
import { labelOf, type ReportAxis } from "./axis.ts";
import { estimatedCells } from "./estimated.ts";
import { countText, estimateText, figureText, NO_VALUE, percentText } from "./number-text.ts";
import type { Table } from "./table.ts";
import type { ResultRow } from "../result/row.ts";
import { expectedOf, truthAt, truthBeside } from "../result/truth-beside.ts";

/** Rows of the table; results.csv has all. */
const MAX_LISTED = 50;

/** None where nothing is known. */
export function truthTables(rows: readonly ResultRow[], axes: readonly ReportAxis[]): readonly Table[] {
  const known = estimatedCells(rows).filter(({ row }) => truthBeside(row.config, row.result!.estimate!) !== undefined);
  if (known.length === 0) return [];
  const more = known.length <= MAX_LISTED ? "" : ` The first ${MAX_LISTED} of ${countText(known.length, "cell")}.`;
  const table: Table = {
    id: "truth",
    title: "Estimates at known truth",
    caption: `Off by: λ̂ over what it should read (exact at its t and γ where that is known, else the local λ), less 1.${more}`,
    columns: [
      { title: "λ̂", numeric: true },
      { title: "exact at t", numeric: true },
      { title: "local λ", numeric: true },
      { title: "global λ (m)", numeric: true },
      { title: "off by", numeric: true },
      { title: "in SE", numeric: true },
      { title: "cell", wraps: true },
      { title: "id" },
    ],
    rows: known.slice(0, MAX_LISTED).map(({ row, lambdaHat, lambdaSe }) => {
      const estimate = row.result!.estimate!;
      const { lambda, localLambda, multiplicity } = truthBeside(row.config, estimate)!;
      const expected = expectedOf(row.config, estimate);
      const gap = expected === undefined ? undefined : lambdaHat - expected;
      return [
        estimateText(estimate),
        figureText(truthAt(row.config, estimate)),
        figureText(localLambda),
        `${figureText(lambda)} (${multiplicity})`,
        gap === undefined || expected === 0 ? NO_VALUE : signed(percentText(gap / expected!)),
        gap === undefined || lambdaSe === null || lambdaSe === 0 ? NO_VALUE : signed(figureText(gap / lambdaSe, 2)),
        labelOf(row, axes),
        row.cellId.slice(0, 12),
      ];
    }),
    absent: "",
  };
  return [table];
}

const signed = (text: string): string => (text.startsWith("-") ? text : `+${text}`);
