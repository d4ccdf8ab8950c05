/**
 * The synthetic sweep as one that asked for all: a behavioural estimate beside each, curves over t and gamma of some cells, and
 * cells of two layers of weights at their truth, where what an estimate should read is known exactly. Deterministic.
 */
import type { CurvePointResult, Estimate } from "../../../src/result/cell-result.ts";
import { rowOf, type ResultRow } from "../../../src/result/row.ts";
import { truthAt } from "../../../src/result/truth-beside.ts";
import type { ReportInput } from "../../../src/report/write-report.ts";
import { tinyCell } from "../../support/tiny-cells.ts";
import { wholeEstimate, wholeResult } from "../../support/whole-result.ts";
import { syntheticInput, syntheticRows } from "./synthetic-sweep.ts";

export const T_FACTORS = [0.0625, 0.25, 4, 16] as const;
export const GAMMA_FACTORS = [0.1, 10] as const;
/** Every so many cells of the synthetic sweep have curves. */
const CURVE_EVERY = 24;

/** A curve that is flat over gamma but at its far end, and rises with t. */
export function curveOf({ lambdaHat, lambdaSe, nBeta, gamma, verdict }: Estimate): readonly CurvePointResult[] {
  const point = (t: number, pull: number, value: number): CurvePointResult => ({
    nBeta: nBeta! * t,
    gamma: gamma! * pull,
    lambdaHat: lambdaHat === null ? null : lambdaHat * value,
    lambdaSe,
    verdict: pull > 1 ? "biased" : verdict,
  });
  return [
    ...T_FACTORS.map((t) => point(t, 1, 1 + 0.12 * Math.log(t))),
    ...GAMMA_FACTORS.map((pull) => point(1, pull, pull > 1 ? 0.7 : 1.01)),
  ];
}

/** Of a part of the synthetic sweep. */
function withSecondEstimate(row: ResultRow, index: number): ResultRow {
  const estimate = row.result?.estimate ?? null;
  if (row.result === undefined || estimate === null) return row;
  const curve = index % CURVE_EVERY === 0 ? curveOf(estimate) : [];
  const share = 0.55 + 0.02 * (index % 7);
  const lambdaHat = estimate.lambdaHat === null ? null : estimate.lambdaHat * share;
  const behavioural = { ...estimate, estimand: "behavioural-kl", lambdaHat, quad: estimate.quad! * share };
  const verdict = index % 9 === 4 ? ("unconverged" as const) : ("ok" as const);
  const result = { ...row.result, estimate: { ...estimate, curve }, behavioural: { ...behavioural, verdict } };
  return { ...row, result };
}

/** Cells whose estimate should read `truthAt`, each off by some errors. */
export function rowsAtTruth(from: number): readonly ResultRow[] {
  return [1, 2, 3].map((width, index) => {
    const { id, config } = tinyCell({
      architecture: { kind: "reduced-rank", width, rank: 0 },
      data: { kind: "realizable", inputs: 3, outputs: 3, distribution: "basis", train: 300, test: 30 },
      train: { steps: 0, start: "canonical" },
    });
    const at = { estimand: "loss", nBeta: 6000, gamma: 1 };
    const truth = truthAt(config, at)!;
    const main = wholeEstimate({ ...at, lambdaHat: truth + 0.02 * (index - 1), lambdaSe: 0.02, quad: 0 });
    const curve = T_FACTORS.map((factor) => {
      const nBeta = 6000 * factor;
      return {
        nBeta,
        gamma: 1,
        lambdaHat: truthAt(config, { ...at, nBeta })! + 0.01,
        lambdaSe: 0.02,
        verdict: "ok" as const,
      };
    });
    return rowOf({
      cellId: id,
      gridIndex: from + index,
      point: { "data.kind": "realizable", "architecture.kind": "reduced-rank", "scale.width": width },
      config,
      state: "committed",
      reason: "",
      result: wholeResult({ estimate: { ...main, curve } }),
      workerId: "worker-1",
      attempts: 1,
      cached: false,
    });
  });
}

export function estimatedRows(): readonly ResultRow[] {
  const rows = syntheticRows().map(withSecondEstimate);
  return [...rows, ...rowsAtTruth(rows.length)];
}

export function estimatedInput(rows: readonly ResultRow[] = estimatedRows()): ReportInput {
  return { ...syntheticInput(rows), name: "every-estimate" };
}
