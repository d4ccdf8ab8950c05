/** The recommended settings as the `estimate:` block of a sweep file: what differs from the defaults, and why each value. Pure. */
import { stringify } from "yaml";
import { numbersOf } from "../catalogue/number-list.ts";
import { taskOf, type CellConfig, type EstimateConfig } from "../spec/cell.ts";
import type { Calibration } from "./calibration.ts";
import type { Stage } from "./measurement.ts";
import { tieredDefaults } from "./settings.ts";

/** Which stage speaks of a field; these fields come first. */
const STAGE_OF: Readonly<Record<string, Stage>> = {
  nBeta: "t",
  gamma: "gamma",
  rho: "gamma",
  budget: "budget",
  tier: "sampler",
};
/** Fields that stand there even with their default, since the calibration is about them. */
const ALWAYS: ReadonlySet<string> = new Set(["nBeta", "gamma", "budget", "tier"]);
/** Fields of other samplers. */
const FOREIGN: ReadonlySet<string> = new Set(["sampler", "draws", "burnIn", "thin", "curveNBeta", "curveGamma"]);
/** What a file says where a configuration has 0. */
const ZERO_TEXT: Readonly<Record<string, string>> = {
  nBeta: "auto",
  gamma: "relative",
  stepSize: "auto",
  subset: "auto",
  batch: "all",
};

export function estimateBlock(cell: CellConfig, { choices, recommended }: Calibration): string {
  const defaults = tieredDefaults(taskOf(cell).trainRows);
  const asked = cell.estimate.estimand === "both" ? "both" : recommended.estimand;
  const settings = { ...recommended, estimand: asked };
  const fields = new Set([...Object.keys(STAGE_OF), ...Object.keys(settings)]) as Set<keyof EstimateConfig>;
  const lines = [...fields].flatMap((field) => {
    const value = settings[field];
    const isDefault = value === defaults[field];
    // Without a meaning where gamma is a number.
    const isIdle = field === "rho" && recommended.gamma > 0;
    if (FOREIGN.has(field) || isIdle || (isDefault && !ALWAYS.has(field))) return [];
    const stage = STAGE_OF[field];
    const text = stringify({ [field]: value === 0 ? (ZERO_TEXT[field] ?? value) : value }).trim();
    return [...(stage === undefined ? [] : commentLines(`${field}: ${choices[stage].reason}`)), `  ${text}`];
  });
  return ["estimate:", ...lines, ...curveLines(cell.estimate)].join("\n") + "\n";
}

/** Those that the cell had, as they were. */
function curveLines({ curveNBeta, curveGamma }: EstimateConfig): readonly string[] {
  const curves = [["nBeta", curveNBeta] as const, ["gamma", curveGamma] as const].filter(([, text]) => text !== "");
  if (curves.length === 0) return [];
  return ["  curve:", ...curves.map(([name, text]) => `    ${name}: [${numbersOf(text).join(", ")}]`)];
}

/** Columns of a comment's line. */
const COMMENT_WIDTH = 110;

function commentLines(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < COMMENT_WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  # ${word}`);
  }
  return lines;
}
