/** Composes the report of a sweep: which plots and tables there are, in which order, and the words about them. */
import { colourAxis, varyingAxes, withoutFollowers, type Follower, type ReportAxis } from "./axis.ts";
import type { Headline, ReportDocument, Section } from "./document.ts";
import { estimatedCells, hasBehavioural, isOk, LAMBDA_B } from "./estimated.ts";
import { render, type Absent, type Figure, type Plot } from "./figure.ts";
import { groupByAxis, type AxisGroup } from "./group.ts";
import { countText, durationText, figureText, NO_VALUE, timeText } from "./number-text.ts";
import { outcomeCounts } from "./outcome.ts";
import { plotsAgainstLambda } from "./plot-against-lambda.ts";
import { plotsBehavioural } from "./plot-behavioural.ts";
import { plotChains, tracedCells, type TracedCell } from "./plot-chains.ts";
import { plotsCurve } from "./plot-curve.ts";
import { plotLambdaByAxis } from "./plot-lambda-by-axis.ts";
import { plotOutcomes } from "./plot-outcomes.ts";
import { plotQuad } from "./plot-quad.ts";
import { plotsTraining, trainingCells } from "./plot-training.ts";
import { plotsTruth } from "./plot-truth.ts";
import { provenanceTable, type Provenance } from "./provenance.ts";
import type { CurveKeeper } from "./series.ts";
import type { Table } from "./table.ts";
import { axisTable, badVerdictTable, extremeTables, failedTable, summaryTable } from "./tables.ts";
import { truthTables } from "./truth-table.ts";
import type { ResultRow } from "../result/row.ts";

export interface SweepFacts {
  readonly name: string;
  /** Paths of the axes, in the spec's order. */
  readonly axes: readonly string[];
  readonly provenance: Provenance;
}

/** Which cells' series the document needs. */
export interface Focus {
  readonly traced: readonly TracedCell[];
  readonly cellIds: readonly string[];
}

export function focusOf(rows: readonly ResultRow[]): Focus {
  const traced = tracedCells(rows);
  const cellIds = [...traced.map(({ row }) => row.cellId), ...trainingCells(rows).map(({ cellId }) => cellId)];
  return { traced, cellIds };
}

/** @param rows in the order of the grid */
export async function composeReport(
  facts: SweepFacts,
  rows: readonly ResultRow[],
  focus: Focus,
  keeper: CurveKeeper,
): Promise<ReportDocument> {
  const { axes, followers } = withoutFollowers(rows, varyingAxes(rows, facts.axes));
  const grouped = axes.map((axis) => ({ axis, groups: groupByAxis(rows, axis) }));
  const { startedMs, finishedMs } = facts.provenance;
  const wallMs = startedMs === null || finishedMs === null ? undefined : finishedMs - startedMs;
  const material: Material = { rows, axes, grouped, colour: colourAxis(rows, axes), focus, keeper, wallMs };
  return {
    title: facts.name,
    lede: ledeOf(rows, axes, followers, facts.provenance),
    headlines: headlinesOf(rows, wallMs),
    sections: [...(await figureSections(material)), ...tableSections(material, facts.provenance)],
    specText: facts.provenance.specText,
  };
}

/** What plots and tables are made from. */
interface Material {
  readonly rows: readonly ResultRow[];
  /** Those with more than one value that no kind fixes. */
  readonly axes: readonly ReportAxis[];
  readonly grouped: readonly { readonly axis: ReportAxis; readonly groups: readonly AxisGroup[] }[];
  readonly colour: ReportAxis | undefined;
  readonly focus: Focus;
  readonly keeper: CurveKeeper;
  readonly wallMs: number | undefined;
}

const NO_AXIS: Absent = { id: "lambda", title: "λ̂ by axis", absent: "No axis of this sweep has more than one value." };

async function figureSections(material: Material): Promise<readonly Section[]> {
  const { rows, axes, grouped, colour, focus, keeper } = material;
  const byAxis = grouped.map(({ axis, groups }) => plotLambdaByAxis(axis, groups, colour));
  const byAxisB = hasBehavioural(rows)
    ? grouped.map(({ axis, groups }) => plotLambdaByAxis(axis, groups, colour, LAMBDA_B))
    : [];
  const shown = [
    ...byAxis.flatMap((plot, at) => [plot, ...byAxisB.slice(at, at + 1)]),
    ...plotsBehavioural(rows, colour),
  ];
  const against = [...plotsAgainstLambda("loss", rows, colour), ...plotsAgainstLambda("accuracy", rows, colour)];
  const curves = plotsCurve(rows, colour);
  const quality = [plotOutcomes(rows, axes), ...plotsTruth(rows, colour), plotQuad(rows, colour)];
  const health = [...quality, ...plotChains(focus.traced, keeper, axes)];
  return [
    await figureSection(
      "lambda-by-axis",
      "Learning coefficient by axis",
      shown.length > 0 ? shown : [NO_AXIS],
      introOf(rows),
    ),
    await figureSection("against-lambda", "Generalisation against the learning coefficient", against),
    ...(curves.length > 0
      ? [await figureSection("curves", "Learning coefficient over resolution and pull", curves, CURVES_INTRO)]
      : []),
    await figureSection("health", "Health of the estimates", health),
    await figureSection("training", "Training", plotsTraining(rows, keeper, colour)),
  ];
}

async function figureSection(
  id: string,
  title: string,
  plots: readonly (Plot | Absent)[],
  intro = "",
): Promise<Section> {
  return { id, title, intro, figures: await rendered(plots), tables: [] };
}

const LAMBDA_INTRO =
  "λ̂ is the local learning coefficient at the trained weights: half the effective number of parameters of the solution. " +
  "Every mark tells its verdict; means are over cells whose verdict is ok. Each panel pools all axes that it does not name.";

const CURVES_INTRO =
  "Estimates at other inverse temperatures t (a smaller t sees the loss more coarsely) and pulls γ to the weights. " +
  "Where a line over γ is flat, the pull is not what is measured. estimates.csv has every point.";

/** With what is estimated, where it is not the whole training loss alone. */
function introOf(rows: readonly ResultRow[]): string {
  const named = (of: (row: ResultRow) => string | undefined): string =>
    [...new Set(rows.flatMap((row) => of(row) ?? []))].sort().join(", ");
  const main = named(({ result }) => result?.estimate?.estimand);
  const second = named((row) => LAMBDA_B.of(row)?.estimand);
  return [
    LAMBDA_INTRO,
    ...(main === "" || main === "loss" ? [] : [`λ̂ is of: ${main}.`]),
    ...(second === "" ? [] : [`λ̂_B is of: ${second}.`]),
  ].join(" ");
}

async function rendered(plots: readonly (Plot | Absent)[]): Promise<readonly (Figure | Absent)[]> {
  const figures: (Figure | Absent)[] = [];
  for (const plot of plots) figures.push("absent" in plot ? plot : await render(plot));
  return figures;
}

function tableSections({ rows, axes, grouped, wallMs }: Material, provenance: Provenance): readonly Section[] {
  const section = (id: string, title: string, tables: readonly Table[]): Section => ({
    id,
    title,
    intro: "",
    figures: [],
    tables,
  });
  const means = grouped.map(({ axis, groups }) => axisTable(axis, groups));
  return [
    section("overview", "The sweep", [summaryTable(rows, wallMs)]),
    ...(means.length > 0 ? [section("axes", "Means by axis value", means)] : []),
    section("cells", "Cells to look at", [
      ...truthTables(rows, axes),
      ...extremeTables(rows, axes),
      badVerdictTable(rows, axes),
      failedTable(rows, axes),
    ]),
    section("provenance", "Provenance", [provenanceTable(provenance)]),
  ];
}

function ledeOf(
  rows: readonly ResultRow[],
  axes: readonly ReportAxis[],
  followers: readonly Follower[],
  { packageVersion, finishedMs }: Provenance,
): string {
  const over = axes.map(({ path, values }) => `${path} (${values.length})`).join(", ");
  const kinds = [...new Set(followers.map(({ follows }) => follows))];
  const fixed = kinds.map((kind) => {
    const paths = followers.filter(({ follows }) => follows === kind).map(({ axis }) => axis.path);
    return ` Fixed by ${kind}, so not compared: ${paths.join(", ")}.`;
  });
  const when = finishedMs === null ? "not finished yet" : `finished ${timeText(finishedMs)}`;
  return `${countText(rows.length, "cell")}${over === "" ? "" : ` over ${over}`}; ${when}; Occam ${packageVersion}.${fixed.join("")}`;
}

function headlinesOf(rows: readonly ResultRow[], wallMs: number | undefined): readonly Headline[] {
  const committed = rows.filter(({ result }) => result !== undefined).length;
  const cells = estimatedCells(rows);
  const ok = cells.filter(isOk).map(({ lambdaHat }) => lambdaHat);
  const estimates = rows.filter(({ result }) => result?.estimate !== undefined && result.estimate !== null).length;
  const range = ok.length === 0 ? NO_VALUE : rangeText(ok);
  const computeMs = rows.reduce(
    (sum, { result }) => sum + (result?.timing.trainMs ?? 0) + (result?.timing.estimateMs ?? 0),
    0,
  );
  const diverged = outcomeCounts(rows).get("training diverged") ?? 0;
  return [
    { name: "cells with a result", value: `${committed} of ${rows.length}` },
    { name: "training diverged", value: String(diverged) },
    { name: "estimates whose verdict is ok", value: `${ok.length} of ${estimates}` },
    { name: "λ̂ of the ok cells", value: range },
    wallMs === undefined
      ? { name: "compute time", value: durationText(computeMs) }
      : { name: "wall time", value: durationText(wallMs) },
  ];
}

function rangeText(values: readonly number[]): string {
  const low = values.reduce((found, value) => Math.min(found, value), Infinity);
  const high = values.reduce((found, value) => Math.max(found, value), -Infinity);
  return `${figureText(low, 3)} … ${figureText(high, 3)}`;
}
