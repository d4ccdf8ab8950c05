/** The files of a calibration: its page, its tables as Markdown, every estimate as CSV, and the block to paste. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { replaceText } from "./atomic-file.ts";
import { csvLines } from "./csv.ts";
import type { ReportDocument } from "./document.ts";
import { render, type Absent, type Figure } from "./figure.ts";
import { htmlOf } from "./html.ts";
import { markdownOf } from "./markdown.ts";
import { durationText, estimateText, figureText, NO_VALUE } from "./number-text.ts";
import { calibrationPlots } from "./plot-calibration.ts";
import type { Table } from "./table.ts";
import type { Calibration } from "../calibrate/calibration.ts";
import { costOf, fullGradients, STAGES, type Measurement, type Stage } from "../calibrate/measurement.ts";
import { column, lifted, type Column } from "../result/column.ts";
import { ESTIMATE_FIGURES, ESTIMATE_HEAD } from "../result/estimate-columns.ts";

export interface CalibrationFacts {
  readonly calibration: Calibration;
  /** The sweep's name. */
  readonly name: string;
  /** Which cell, and how it was trained, in a sentence. */
  readonly lede: string;
  /** The recommended `estimate:` block. */
  readonly block: string;
}

export const CALIBRATION_FILES = {
  html: "calibration.html",
  markdown: "calibration.md",
  csv: "calibration.csv",
  block: "estimate.yaml",
} as const;

/** @returns names of the files, the page first */
export async function writeCalibration(outDir: string, facts: CalibrationFacts): Promise<readonly string[]> {
  await mkdir(outDir, { recursive: true });
  const report = await documentOf(facts);
  const { html, markdown, csv, block } = CALIBRATION_FILES;
  await replaceText(join(outDir, html), htmlOf(report));
  await replaceText(join(outDir, markdown), markdownOf(report));
  await replaceText(join(outDir, csv), csvLines(COLUMNS, facts.calibration.measurements));
  await replaceText(join(outDir, block), [facts.block]);
  return [html, markdown, csv, block];
}

const COLUMNS: readonly Column<Measurement>[] = [
  column("stage", "string", "", "what the estimate is part of: t, gamma, budget or sampler", ({ stage }) => stage),
  column("label", "string", "", "its settings in words", ({ label }) => label),
  column("factor", "number", "", "on the value that the stage varies", ({ stage, factor }) => stage === "sampler" ? null : factor),
  column("budget", "integer", "gradients", "of each chain, at the most; empty where a sampler has none", ({ config }) => config.budget || null),
  ...[...ESTIMATE_HEAD, ...ESTIMATE_FIGURES].map((one) => lifted(one, ({ estimate }: Measurement) => estimate)),
  column("full_gradients", "number", "", "gradients x rows of each / rows of data", fullGradients),
  column("cost", "number", "", "lambda_se^2 x full_gradients", costOf),
  column("seconds", "number", "s", "wall time of the estimate", ({ seconds }) => seconds, true),
]; // prettier-ignore

async function documentOf({ calibration, name, lede, block }: CalibrationFacts): Promise<ReportDocument> {
  const figures: (Figure | Absent)[] = [];
  for (const plot of calibrationPlots(calibration)) figures.push("absent" in plot ? plot : await render(plot));
  const section = { intro: "", figures: [] as readonly (Figure | Absent)[], tables: [] as readonly Table[] };
  const tables = STAGES.map((stage) => stageTable(stage, calibration.measurements));
  const seconds = calibration.measurements.reduce((sum, one) => sum + one.seconds, 0);
  return {
    title: `Calibration of ${name}`,
    lede,
    headlines: [
      ...choiceRows(calibration).map(([what, value]) => ({ name: what!, value: value! })),
      { name: "time", value: durationText(1000 * seconds) },
    ],
    sections: [
      { ...section, id: "choices", title: "Recommended settings", tables: [choiceTable(calibration)] },
      { ...section, id: "plots", title: "What was tried", intro: INTRO, figures, tables },
    ],
    appendix: { title: "Block for a sweep file", text: block, isOpen: true },
  };
}

const INTRO =
  "One cell, trained once. Each stage keeps what the stages before it chose: t, then γ, then the budget, then the sampler. " +
  "Estimates share their seed, so differences are those of the settings.";

/** Value and soundness of each choice. */
export function choiceRows({ choices, recommended, measurements }: Calibration): readonly (readonly string[])[] {
  const found = (stage: Stage): Measurement | undefined =>
    measurements.find((one) => one.stage === stage && one.factor === choices[stage].factor);
  const values: Readonly<Record<Stage, string>> = {
    t: figureText(found("t")?.estimate.nBeta),
    gamma: figureText(found("gamma")?.estimate.gamma),
    budget: String(recommended.budget),
    sampler: recommended.tier === "auto" ? `${found("sampler")?.label ?? "tier"} (auto)` : `tier ${recommended.tier}`,
  };
  return STAGES.map((stage) => [stage, values[stage], choices[stage].isSound ? "yes" : "no", choices[stage].reason]);
}

function choiceTable(calibration: Calibration): Table {
  return {
    id: "settings",
    title: "Settings and reasons",
    caption: "",
    columns: [
      { title: "setting" },
      { title: "value", numeric: true },
      { title: "sound" },
      { title: "why", wraps: true },
    ],
    rows: choiceRows(calibration),
    absent: "",
  };
}

const TITLES: Readonly<Record<Stage, string>> = {
  t: "Over t",
  gamma: "Over γ",
  budget: "Over the budget",
  sampler: "By sampler",
};

function stageTable(stage: Stage, measurements: readonly Measurement[]): Table {
  const own = measurements.filter((one) => one.stage === stage).toSorted((a, b) => a.factor - b.factor);
  const numeric = (title: string) => ({ title, numeric: true });
  return {
    id: `stage-${stage}`,
    title: TITLES[stage],
    caption: "",
    columns: [
      { title: "settings" },
      ...["λ̂", "t", "γ", "var/mean", "R̂", "ESS", "full gradients", "SE² × full gradients", "seconds"].map(numeric),
    ],
    rows: own.map((one) => {
      const { estimate, label, seconds } = one;
      const figures = [estimate.nBeta, estimate.gamma, estimate.varOverMean, estimate.rHat, estimate.essMean];
      const costs = [fullGradients(one), costOf(one), seconds].map((value) => figureText(value, 3));
      return [label, estimateText(estimate), ...figures.map((value) => figureText(value)), ...costs];
    }),
    absent: NO_VALUE,
  };
}
