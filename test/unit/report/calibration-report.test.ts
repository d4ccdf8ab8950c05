import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Calibration } from "../../../src/calibrate/calibration.ts";
import { chooseBudget } from "../../../src/calibrate/choose-budget.ts";
import { chooseGamma } from "../../../src/calibrate/choose-gamma.ts";
import { chooseSampler } from "../../../src/calibrate/choose-sampler.ts";
import { chooseT } from "../../../src/calibrate/choose-t.ts";
import type { Measurement } from "../../../src/calibrate/measurement.ts";
import { BUDGET_FACTORS, GAMMA_FACTORS, T_FACTORS } from "../../../src/calibrate/settings.ts";
import { writeCalibration } from "../../../src/report/calibration-report.ts";
import { render, type Plot } from "../../../src/report/figure.ts";
import { calibrationPlots } from "../../../src/report/plot-calibration.ts";
import { ESTIMATE } from "../../support/tiny-cells.ts";
import { made } from "../calibrate/made-up.ts";
import { marksOf, parseSvg, textOf } from "./svg.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Flat from gamma 0.3 to 10; SE falls with the budget; one sampler of the literature without an error. */
function madeUp(): Calibration {
  const byT = T_FACTORS.map((factor) =>
    made("t", factor, { nBeta: 100 * factor, varOverMean: 0.9 + 0.1 * Math.log10(factor) }),
  );
  const byGamma = GAMMA_FACTORS.map((gamma) =>
    made("gamma", gamma, {
      gamma,
      lambdaHat: gamma < 0.2 || gamma > 20 ? 3 : 5,
      verdict: gamma < 0.02 ? "unconverged" : "ok",
    }),
  );
  const byBudget = BUDGET_FACTORS.map((factor) =>
    made("budget", factor, { lambdaSe: 0.4 / Math.sqrt(factor) }, { config: { budget: 2500 * factor } }),
  );
  const labels = ["tier A", "tier B", "sgld"];
  const bySampler = labels.map((label, at) => made("sampler", at, { lambdaSe: at === 2 ? null : 0.1 }, { label }));
  const measurements: readonly Measurement[] = [...byT, ...byGamma, ...byBudget, ...bySampler];
  const choices = {
    t: chooseT(byT),
    gamma: chooseGamma(byGamma),
    budget: chooseBudget(byBudget, 0.1),
    sampler: chooseSampler(bySampler, "A", "auto"),
  };
  return { measurements, choices, recommended: { ...ESTIMATE, budget: 2500 } };
}

describe("plots of a calibration", () => {
  const plots = calibrationPlots(madeUp()) as readonly Plot[];
  const drawn = async (id: string) => parseSvg((await render(plots.find((plot) => plot.id === id)!)).svg);

  it("are over t, gamma and budget, of the spread and of the price", () => {
    expect(plots.map(({ id }) => id)).toEqual([
      "lambda-over-t",
      "spread-over-t",
      "lambda-over-gamma",
      "lambda-over-budget",
      "cost-by-sampler",
    ]);
  });

  it("mark every estimate, what was chosen, and the flat region", async () => {
    const gamma = await drawn("lambda-over-gamma");
    expect(marksOf(gamma, "cells").length + marksOf(gamma, "bad").length).toBe(GAMMA_FACTORS.length);
    expect(marksOf(gamma, "bad")).toHaveLength(1);
    expect([marksOf(gamma, "chosen").length, marksOf(gamma, "region").length]).toEqual([1, 1]);
    expect(textOf(gamma)).toContain("Grey: the flat region.");
    const t = await drawn("lambda-over-t");
    expect([marksOf(t, "chosen").length, marksOf(t, "region").length]).toEqual([1, 0]);
  });

  it("leave a sampler without an error out of the prices", async () => {
    const cost = await drawn("cost-by-sampler");
    expect(marksOf(cost, "cells")).toHaveLength(2);
    for (const name of ["tier A", "tier B", "sgld"]) expect(textOf(cost)).toContain(name);
  });
});

it("the files of a calibration hold every estimate, every reason and the block", async () => {
  const folder = await temporaryFolder();
  const calibration = madeUp();
  const block = "estimate:\n  budget: 2500 # <here>\n";
  const files = await writeCalibration(folder, { calibration, name: "made-up", lede: "Cell 1.", block });
  const text = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  expect(files).toEqual(["calibration.html", "calibration.md", "calibration.csv", "estimate.yaml"]);
  const html = await text("calibration.html");
  expect(html).toContain(
    "<details open><summary>Block for a sweep file</summary><pre>estimate:\n  budget: 2500 # &lt;here&gt;",
  );
  const markdown = await text("calibration.md");
  expect(markdown).toContain("lambda-hat is flat from gamma = 0.3");
  expect(html + markdown).not.toMatch(/NaN|undefined|\[object/);
  const lines = (await text("calibration.csv")).trimEnd().split("\r\n");
  expect(lines).toHaveLength(1 + calibration.measurements.length);
  expect(lines[0]).toMatch(/^stage,label,factor,budget,estimand,lambda_hat,.*,full_gradients,cost,seconds$/);
  expect(await text("estimate.yaml")).toBe(block);
});
