import { describe, expect, it } from "vitest";
import { calibrate, type Calibration } from "../../../src/calibrate/calibration.ts";
import { estimateBlock } from "../../../src/calibrate/estimate-block.ts";
import type { Measured } from "../../../src/calibrate/measurement.ts";
import { baseSettings, rivals } from "../../../src/calibrate/settings.ts";
import { NO_ESTIMATE } from "../../../src/spec/estimate-section.ts";
import type { Cell, CellConfig, EstimateConfig } from "../../../src/spec/cell.ts";
import { samplingOf } from "../../../src/spec/sampling.ts";
import { parseSweep } from "../../../src/spec/sweep.ts";
import { ESTIMATE, SGLD_ESTIMATE, tinyCell } from "../../support/tiny-cells.ts";
import { wholeEstimate } from "../../support/whole-result.ts";

const ROWS = 64;
const PARAMETERS = 42;
const AUTO_T = 15;

/**
 * A posterior with known answers: lambda 10 for gamma 0.1 to 10 and lower outside; spread right from 4 t on; SE 40 % after 250
 * gradients a chain, falling as 1/sqrt.
 */
function posterior(config: EstimateConfig): Measured {
  const t = config.nBeta === 0 ? AUTO_T : config.nBeta;
  const gamma = config.gamma === 0 ? 4 * (0.2 / config.rho) ** 2 : config.gamma;
  const ours = config.sampler === "tiered";
  const sampling = samplingOf(config, ROWS, PARAMETERS);
  const lambdaHat = gamma < 0.09 || gamma > 11 ? 5 : 10;
  const lambdaSe = 0.4 * 10 * Math.sqrt(250 / sampling.gradients);
  const varOverMean = t < 4 * AUTO_T * 0.99 ? 1.7 : 1.02;
  const verdict = varOverMean > 1.25 ? "biased" : lambdaSe > 0.1 * lambdaHat ? "unconverged" : "ok";
  const sampler = ours ? (sampling.kind === "adjusted" ? "hmc" : "langevin") : config.sampler;
  const gradients = sampling.gradients * config.chains;
  const figures = { nBeta: t, gamma, lambdaHat, lambdaSe, varOverMean, verdict, sampler, gradients } as const;
  return { estimate: wholeEstimate({ ...figures, batch: ROWS, n: ROWS }), seconds: 1, rows: ROWS };
}

interface Run {
  readonly calibration: Calibration;
  readonly asked: readonly EstimateConfig[];
  readonly begun: readonly (readonly [index: number, of: number])[];
}

async function run(config: CellConfig): Promise<Run> {
  const asked: EstimateConfig[] = [];
  const begun: (readonly [number, number])[] = [];
  const calibration = await calibrate(config, PARAMETERS, undefined, {
    measure: async (settings) => {
      asked.push(settings);
      return posterior(settings);
    },
    begin: (_label, index, of) => void begun.push([index, of]),
    ended: async () => undefined,
  });
  return { calibration, asked, begun };
}

const cellWith = (estimate: Partial<EstimateConfig>): Cell => tinyCell({ estimate: { ...ESTIMATE, ...estimate } });

describe("a calibration", () => {
  it("finds the t that is right, the middle of the flat region and the smallest budget that converges", async () => {
    const { calibration } = await run(cellWith({}).config);
    const { choices, recommended } = calibration;
    expect([choices.t.factor, choices.gamma.factor]).toEqual([4, 1]);
    // 40 % at 250 gradients, 10 % at 4,000: between 1 and 2 times the default of 2,500.
    expect(choices.budget.factor).toBe(2);
    expect(recommended).toMatchObject({ nBeta: 4 * AUTO_T, gamma: 1, budget: 5000, tier: "auto" });
    expect(Object.values(choices).map(({ isSound }) => isSound)).toEqual([true, true, true, true]);
  });

  it("tries what it recommends, makes each estimate once, and counts them", async () => {
    const { calibration, asked, begun } = await run(cellWith({}).config);
    const texts = asked.map((settings) => JSON.stringify(settings));
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts).toContain(JSON.stringify(calibration.recommended));
    expect(begun.map(([index]) => index)).toEqual(begun.map((_, at) => at + 1));
    expect(begun.at(-1)).toEqual([asked.length, asked.length]);
  });

  it("judges t and gamma with the largest budget, so that no chain is too short for them", async () => {
    const { calibration } = await run(cellWith({}).config);
    const judged = calibration.measurements.filter(({ stage }) => stage === "t" || stage === "gamma");
    expect(new Set(judged.map(({ config }) => config.budget))).toEqual(new Set([10_000]));
  });

  it("keeps a relative pull relative", async () => {
    const { calibration } = await run(cellWith({ gamma: 0, rho: 0.2 }).config);
    const gammas = calibration.measurements.filter(({ stage }) => stage === "gamma");
    expect(gammas.every(({ config }) => config.gamma === 0)).toBe(true);
    const [least, greatest] = [Math.min, Math.max].map((of) => of(...gammas.map(({ estimate }) => estimate.gamma!)));
    expect(greatest! / least!).toBeCloseTo(1e4, 0);
    expect(calibration.recommended.gamma).toBe(0);
  });

  it("compares both tiers where both are possible, those of the literature, and the cell's own", () => {
    const labels = (estimate: EstimateConfig, rows: number): readonly string[] => {
      const { config } = tinyCell({ estimate });
      return rivals(baseSettings(config, undefined), config, rows, PARAMETERS).map(({ label }) => label);
    };
    const published = ["sgld", "rmsprop-sgld", "sgnht"];
    expect(labels(ESTIMATE, ROWS)).toEqual(["tier A", "tier B", ...published]);
    expect(labels(ESTIMATE, 10_000)).toEqual(["tier B", ...published]);
    expect(labels(SGLD_ESTIMATE, ROWS)).toEqual(["tier A", "tier B", ...published, "sgld as written"]);
  });

  it("is of our own sampler for a cell that has another or none, with the same estimand", () => {
    const sgld = tinyCell({ estimate: { ...SGLD_ESTIMATE, gamma: 7, parameters: "weight1", chains: 2 } });
    const base = baseSettings(sgld.config, undefined);
    expect(base).toMatchObject({ sampler: "tiered", gamma: 7, parameters: "weight1", chains: 2, budget: 2500 });
    expect(baseSettings(tinyCell({ estimate: NO_ESTIMATE }).config, undefined)).toEqual(baseSettings(cellWith({}).config, undefined)); // prettier-ignore
    expect(baseSettings(cellWith({ estimand: "both" }).config, undefined).estimand).toBe("loss");
    expect(baseSettings(cellWith({ estimand: "both" }).config, "behavioural").estimand).toBe("behavioural");
    expect(baseSettings(cellWith({ curveNBeta: "0.25 4" }).config, undefined).curveNBeta).toBe("");
  });
});

describe("the recommended block", () => {
  /** What a sweep file with this block means. */
  function read(block: string): EstimateConfig {
    const lines = [
      "version: 1",
      "name: pasted",
      "data: { kind: moons, train: 64, test: 32 }",
      "architecture: { kind: mlp }",
    ];
    const rest = ["optimizer: { kind: sgd, learningRate: 0.1 }", "scale: { width: 4, depth: 1 }"];
    const [point] = parseSweep([...lines, ...rest, block].join("\n"), "pasted.yaml").points();
    return point!.cell.config.estimate;
  }

  it.each([
    ["the defaults", {}],
    ["a relative pull, a subset and a step", { gamma: 0, rho: 0.1, subset: 40, stepSize: 0.01, tolerance: 0.05 }],
    [
      "an estimand of parts",
      { estimand: "behavioural", distance: "mse", inputs: "all", parameters: "weight1", rows: "class:1" },
    ],
    ["minibatches and an explicit tier", { batch: 16, tier: "B", chains: 3, refine: "never", nBeta: 9 }],
  ] as const)("means what it says when it is pasted: %s", async (_name, given) => {
    const { config } = cellWith(given);
    const { calibration } = await run(config);
    expect(read(estimateBlock(config, calibration))).toEqual(calibration.recommended);
  });

  it("keeps curves and both estimands of the cell, and has a reason beside each value", async () => {
    const { config } = cellWith({ estimand: "both", curveNBeta: "0.25 1 4" });
    const { calibration } = await run(config);
    const block = estimateBlock(config, calibration);
    expect(read(block)).toEqual({ ...calibration.recommended, estimand: "both", curveNBeta: "0.25 1 4" });
    for (const field of ["nBeta", "gamma", "budget", "tier"]) expect(block).toMatch(new RegExp(`  # ${field}: .+`));
    for (const line of block.split("\n")) expect(line.length).toBeLessThanOrEqual(112);
  });
});
