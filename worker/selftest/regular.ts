/** Regular models: lambda = d/2 for linear regression, (C - 1)(p + 1)/2 for softmax regression, with labels that are noisy. */
import { regular, softmaxLinear } from "../../src/oracle/regular.ts";
import { judgeNumber, type NumberGate } from "../../src/selftest/judge.ts";
import { estimateOf, readingOf, type CellGiven } from "./known-cells.ts";
import type { Job, Section } from "./section.ts";

const ROWS = 1000;
/**
 * At t = 10 n the pull holds 1e-4 of a direction of unit curvature, and cross-entropy, no quadratic, is one over the posterior's
 * width.
 */
const T = 10 * ROWS;
const ESTIMATE = { chains: 32, budget: 3000, tolerance: 0.02, nBeta: T };
const GATE: NumberGate = { share: 0.01, standardErrors: 3, mostSe: 0.03 };

const linear = (parameters: number): CellGiven => ({
  data: { kind: "realizable", inputs: parameters - 1, outputs: 1, noise: 1, train: ROWS, test: 1 },
  architecture: { kind: "mlp", depth: 0 },
  train: { steps: 0, start: "teacher" },
  estimate: ESTIMATE,
  seed: parameters,
});

const CLASSES = 3;
const FEATURES = 2;

/** Two features, three classes that overlap, so that the minimum is finite. */
const softmax: CellGiven = {
  data: { kind: "spirals", arms: CLASSES, noise: 1, train: ROWS, test: 1 },
  architecture: { kind: "mlp", depth: 0 },
  optimizer: { kind: "sgd", learningRate: 0.3 },
  train: { steps: 400, batch: 256, evalEvery: 400, schedule: "cosine" },
  estimate: ESTIMATE,
  seed: 1,
};

const job = (name: string, given: CellGiven, truth: number): Job => ({
  name,
  run: async (bench) => [judgeNumber(name, truth, readingOf(await estimateOf(given, bench)), GATE)],
});

export const regularSection: Section = {
  name: "regular",
  summary: "linear and softmax regression: half the number of parameters that count",
  long: false,
  jobs: [
    ...[4, 20].map((d) => job(`linear regression, d = ${d}`, linear(d), regular(d))),
    job(`softmax regression, ${CLASSES} classes`, softmax, softmaxLinear(CLASSES, FEATURES)),
  ],
};
