/** The behavioural estimate against that of the training loss, of the cells that have both. */
import type { ReportAxis } from "./axis.ts";
import { diagonalPanel, type Against } from "./diagonal-panel.ts";
import { estimatedCells, LAMBDA, LAMBDA_B } from "./estimated.ts";
import type { Plot } from "./figure.ts";
import type { ResultRow } from "../result/row.ts";

/** None where no cell has both. */
export function plotsBehavioural(rows: readonly ResultRow[], colour: ReportAxis | undefined): readonly Plot[] {
  const points = estimatedCells(rows, LAMBDA_B).flatMap((cell): readonly Against[] => {
    const main = LAMBDA.of(cell.row);
    const isUsable = main !== null && main !== undefined && main.lambdaHat !== null;
    if (!isUsable) return [];
    // A mark is trusted where both of its coordinates are.
    const verdict = main.verdict === "ok" ? cell.verdict : main.verdict;
    return [{ cell: { ...cell, verdict }, x: main.lambdaHat! }];
  });
  if (points.length === 0) return [];
  const plot = diagonalPanel(points, {
    id: "lambda-b-against-lambda",
    title: "λ̂_B against λ̂",
    xTitle: "λ̂ (training loss)",
    yTitle: "λ̂_B (behavioural)",
    explains:
      "λ̂_B: distance to the network's own outputs, 0 at the trained weights. A mark is ok where both are. Dashed: equal.",
    colour,
  });
  return [plot];
}
