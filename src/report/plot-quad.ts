/** The sampled lambda-hat against its closed form `quad`: on the diagonal where the loss is quadratic about the solution. */
import type { ReportAxis } from "./axis.ts";
import { diagonalPanel, type Against } from "./diagonal-panel.ts";
import { estimatedCells } from "./estimated.ts";
import type { Absent, Plot } from "./figure.ts";
import type { ResultRow } from "../result/row.ts";

const ID = "lambda-against-quad";
const TITLE = "λ̂ against its closed form";

export function plotQuad(rows: readonly ResultRow[], colour: ReportAxis | undefined): Plot | Absent {
  const points = estimatedCells(rows).flatMap((cell): readonly Against[] => {
    const quad = cell.row.result?.estimate?.quad ?? null;
    return quad === null ? [] : [{ cell, x: quad }];
  });
  if (points.length === 0) return { id: ID, title: TITLE, absent: "No cell has both an estimate and the closed form." };
  return diagonalPanel(points, {
    id: ID,
    title: TITLE,
    xTitle: "quad (closed form)",
    yTitle: "λ̂ (sampled)",
    explains: "quad = ½ Σ t sᵢ / (t sᵢ + γ). Dashed: λ̂ = quad.",
    colour,
  });
}
