/** The estimate against what it should read, of the cells where that is known. */
import type { ReportAxis } from "./axis.ts";
import { diagonalPanel, type Against } from "./diagonal-panel.ts";
import { estimatedCells } from "./estimated.ts";
import type { Plot } from "./figure.ts";
import type { ResultRow } from "../result/row.ts";
import { expectedOf, truthAt } from "../result/truth-beside.ts";

/** None where nothing is known. */
export function plotsTruth(rows: readonly ResultRow[], colour: ReportAxis | undefined): readonly Plot[] {
  const points = estimatedCells(rows).flatMap((cell): readonly Against[] => {
    const { config, result } = cell.row;
    const x = expectedOf(config, result!.estimate!);
    return x === undefined ? [] : [{ cell, x }];
  });
  if (points.length === 0) return [];
  const exact = points.filter(({ cell }) => truthAt(cell.row.config, cell.row.result!.estimate!) !== undefined).length;
  const plot = diagonalPanel(points, {
    id: "lambda-against-truth",
    title: "λ̂ against the truth",
    xTitle: "known value",
    yTitle: "λ̂ (sampled)",
    explains: `${knownText(exact, points.length)} Dashed: λ̂ is true.`,
    colour,
  });
  return [plot];
}

function knownText(exact: number, all: number): string {
  if (exact === all) return "The value is exact at the estimate's own t and γ.";
  if (exact === 0) return "The value is the limit of large t.";
  return `The value is exact at the estimate's own t and γ for ${exact} of them, the limit of large t for the others.`;
}
