/**
 * Networks whose targets are their own outputs at random weights: lambda = rank(J)/2, and what symmetries leave of the parameters
 * is counted here, not computed from a Jacobian. A tanh network of one hidden layer has only discrete symmetries: rank J = P. Each
 * ReLU unit can be scaled against its outputs: rank J = P - H. (Fefferman 1994; Phuong and Lampert 2020.)
 *
 * t = 10^6 at gamma = 1: the softest direction of these networks has a curvature of about 10^-3, so that the pull holds a
 * thousandth of it and quad/ceiling is 0.999; the posterior is then some hundredths wide, where networks are quadratic.
 */
import { judgeNumber, judgeSame, type NumberGate } from "../../src/selftest/judge.ts";
import type { Row } from "../../src/selftest/row.ts";
import { cellOfGiven, estimateOf, readingOf, type CellGiven } from "./known-cells.ts";
import { estimatePlaced, type Place } from "./placed-cell.ts";
import type { Bench, Job, Section } from "./section.ts";

const INPUTS = 4;
const OUTPUTS = 3;
/** H */
const HIDDEN = 6;
const PARAMETERS = HIDDEN * (INPUTS + 1) + OUTPUTS * (HIDDEN + 1);
const RANK = { tanh: PARAMETERS, relu: PARAMETERS - HIDDEN } as const;
type Activation = keyof typeof RANK;

const GATE: NumberGate = { share: 0.04, standardErrors: 0, mostSe: 0.02 };
/** quad against rank(J)/2: a closed form, that has no error of its own. */
const LEAST_QUAD = 0.99;

const network = (activation: Activation, seed: number): CellGiven => ({
  data: { kind: "realizable", inputs: INPUTS, outputs: OUTPUTS, train: 500, test: 1 },
  architecture: { kind: "mlp", activation, depth: 1, width: HIDDEN },
  train: { steps: 0, start: "teacher" },
  estimate: { chains: 16, budget: 5000, tolerance: 0.012, nBeta: 1e6, gamma: 1, kernelRows: 500 * OUTPUTS },
  seed,
});

function rankJob(activation: Activation, seed: number): Job {
  const name = `${activation} ${INPUTS}-${HIDDEN}-${OUTPUTS}, network ${seed}`;
  const truth = RANK[activation] / 2;
  return {
    name,
    run: async (bench) => {
      const estimate = await estimateOf(network(activation, seed), bench);
      return [judgeNumber(name, truth, readingOf(estimate), GATE), quadRow(`${name}: quad`, truth, estimate.quad)];
    },
  };
}

function quadRow(name: string, truth: number, quad: number | null): Row {
  const passed = quad !== null && quad >= LEAST_QUAD * truth && quad <= truth * (1 + 1e-6);
  const note = passed ? "" : "the regime is not quadratic, or a rank is not what symmetries leave";
  const row = { name, group: "", truth, estimate: quad, se: null, z: null, verdict: "" };
  return { ...row, gate: `${LEAST_QUAD} to 1 of the truth`, passed, note };
}

export const networkSection: Section = {
  name: "networks",
  summary: "tanh and ReLU networks at their own targets: half the rank of the Jacobian",
  long: false,
  jobs: (["tanh", "relu"] as const).flatMap((activation) => [1, 2].map((seed) => rankJob(activation, seed))),
};

/** The same function with layer 1 times `factor` and layer 2 over it: lambda is a property of the function's neighbourhood. */
const rescaled =
  (factor: number): Place =>
  ([weight1, bias1, weight2, bias2]) => [
    weight1!.map((value) => value * factor),
    bias1!.map((value) => value * factor),
    weight2!.map((value) => value / factor),
    bias2!,
  ];

const SAME: NumberGate = { share: 0, standardErrors: 2, mostSe: 0.03 };

function rescalingJob(factor: number): Job {
  const name = `ReLU layers times ${factor} and 1/${factor}`;
  return {
    name,
    run: async (bench: Bench) => {
      const cell = cellOfGiven(network("relu", 3), bench);
      const here = readingOf(await estimatePlaced(cell, rescaled(1), bench));
      const there = readingOf(await estimatePlaced(cell, rescaled(factor), bench));
      return [judgeSame(name, here, there, SAME)];
    },
  };
}

export const rescalingSection: Section = {
  name: "rescaling",
  summary: "a ReLU network's layers scaled against each other leave its coefficient",
  long: false,
  jobs: [2, 4].map(rescalingJob),
};
