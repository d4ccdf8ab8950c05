/** A result and an estimate with every field: a test says those that it is about, and a new field is one line here. */
import type { CellResult, Estimate } from "../../src/result/cell-result.ts";

const ESTIMATE: Estimate = {
  estimand: "loss",
  sampler: "hmc",
  lambdaHat: 5,
  lambdaSe: 0.1,
  e2: 5,
  e3: 5,
  rHat: 1,
  essBulk: 400,
  essTail: 400,
  essMean: 400,
  gewekeZ: 0.5,
  halvesZ: 0.5,
  varOverMean: 1,
  virial: 1,
  acceptance: 0.8,
  energyError: 0.4,
  rejected: 80,
  stepBias: null,
  gammaSlope: 0.01,
  quad: 5,
  quadBy: "kernel",
  ceiling: 5,
  descent: 0,
  kernelRows: 10,
  kernelTop: 1,
  displacement: 0.1,
  anchorMoved: 0,
  anchorGain: 0,
  baseLoss: 0.25,
  chains: 4,
  draws: 100,
  burnIn: 10,
  stepSize: 0.01,
  nBeta: 10,
  gamma: 1,
  parameters: 10,
  n: 100,
  batch: 10,
  gradients: 1000,
  nonFinite: 0,
  verdict: "ok",
  verdictReason: "",
  curve: [],
  multiplicity: null,
  multiplicitySe: null,
  lambdaE4: null,
};

const RESULT: CellResult = {
  outcome: "ok",
  reason: "",
  parameters: 10,
  steps: 100,
  stopped: "budget",
  trainLoss: 0.25,
  testLoss: 0.5,
  trainAccuracy: null,
  testAccuracy: null,
  estimate: null,
  behavioural: null,
  timing: { trainMs: 1, estimateMs: 1, wallMs: 2 },
  backend: "wasm",
  fuseWidth: 1,
};

export function wholeEstimate(given: Partial<Estimate> = {}): Estimate {
  return { ...ESTIMATE, ...given };
}

/** Without an estimate, unless one is given. */
export function wholeResult(given: Partial<CellResult> = {}): CellResult {
  return { ...RESULT, ...given };
}
