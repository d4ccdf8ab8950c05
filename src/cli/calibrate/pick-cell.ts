/** The cell that a command is about: by id, by a condition, or the first. */
import { stringify } from "yaml";
import { OccamError } from "../../core/errors.ts";
import type { Json } from "../../core/canonical-json.ts";
import { SpecError } from "../../spec/problem.ts";
import { parseSweep, resolvedSpec, type GridPoint, type SweepSpec } from "../../spec/sweep.ts";

export interface CellChoice {
  /** An id or a prefix of one. */
  readonly cell: string | undefined;
  /** CEL. */
  readonly where: string | undefined;
}

export function pickCell(spec: SweepSpec, { cell, where }: CellChoice): GridPoint {
  const filtered = where === undefined ? spec : withCondition(spec, where);
  for (const point of filtered.points()) {
    if (cell === undefined || point.cell.id.startsWith(cell)) return point;
  }
  const flags = [cell === undefined ? "" : `--cell ${cell}`, where === undefined ? "" : `--where "${where}"`];
  throw new OccamError("not-found", "no cell of the sweep is meant", {
    where: flags.filter((flag) => flag !== "").join(" ") || spec.name,
    hint: "`occam plan SPEC --cells` lists them.",
  });
}

/** The same sweep with one condition more. A resolved sweep reads as a sweep file, and its cells are the same. */
function withCondition(spec: SweepSpec, where: string): SweepSpec {
  const resolved = resolvedSpec(spec);
  const own = (resolved["where"] ?? []) as readonly Json[];
  try {
    return parseSweep(stringify({ ...resolved, where: [...own, where] }), "--where");
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    // Lines and columns are those of a text that nobody wrote.
    const [problem] = error.problems;
    const accepted = problem?.accepted === undefined ? "" : `; accepted: ${problem.accepted}`;
    throw new OccamError("bad-usage", `${problem?.message ?? error.message}${accepted}`, {
      where: `--where "${where}"`,
      hint: `A CEL condition on fields of a point, like "architecture.kind == 'mlp' && scale.width > 16".`,
      cause: error,
    });
  }
}
