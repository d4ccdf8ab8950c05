/**
 * Rows at a finite temperature, where the truth is an integral and not its limit: one cell read at several t at once, by the
 * curve of its estimate.
 */
import { truthOf } from "../../src/oracle/truth.ts";
import { OccamError } from "../../src/core/errors.ts";
import { judgeNumber, type NumberGate } from "../../src/selftest/judge.ts";
import type { Estimate } from "../../src/result/cell-result.ts";
import type { Reading } from "../../src/selftest/row.ts";
import { cellOfGiven, estimateOfCell, readingOf, type CellGiven } from "./known-cells.ts";
import type { Job } from "./section.ts";

export interface AtTemperatures {
  readonly name: string;
  readonly given: CellGiven;
  /** The first is the estimate's own. */
  readonly temperatures: readonly number[];
  /** nBeta of the cell that makes its potential t K, over t. */
  readonly perT: number;
  readonly gate: NumberGate;
}

export function exactAtT({ name, given, temperatures, perT, gate }: AtTemperatures): Job {
  const [first, ...more] = temperatures as [number, ...number[]];
  const curve = more.length === 0 ? {} : { curve: { nBeta: more.map((t) => t / first) } };
  const estimate = { ...given.estimate, nBeta: first * perT, ...curve };
  return {
    name,
    run: async (bench) => {
      const cell = cellOfGiven({ ...given, estimate }, bench);
      const result = await estimateOfCell(cell, bench);
      return temperatures.map((t, i) => {
        const truth = truthOf(cell.config)?.atT(t * perT, result.gamma!);
        if (truth === undefined) throw new OccamError("internal", `${name} has no truth at t = ${t}`);
        return judgeNumber(`${name}, t = ${t.toExponential(0)}`, truth, readingAt(result, i), gate);
      });
    },
  };
}

/** Of the i-th temperature: the estimate itself, then the points of its curve. */
function readingAt(estimate: Estimate, i: number): Reading {
  if (i === 0) return readingOf(estimate);
  const { lambdaHat, lambdaSe, verdict } = estimate.curve[i - 1]!;
  return { estimate: lambdaHat, se: lambdaSe, verdict, reason: "a point of the curve" };
}
