/**
 * The gates of the selftest. Pure: a reading and a truth go in, a row comes out. A gate that has nothing to judge (no estimate,
 * no standard error) fails.
 */
import type { Verdict } from "../result/cell-result.ts";
import type { Reading, Row } from "./row.ts";

/** How near to a truth. */
export interface NumberGate {
  /** Share of the truth that is always granted. */
  readonly share: number;
  /** Standard errors that are granted, where they are more. */
  readonly standardErrors: number;
  /** Largest standard error as a share of the truth: a blurred estimate proves nothing. */
  readonly mostSe: number;
}

/** Of a run that is right, chance may still say that it has not converged; no other doubt is chance. */
const HEALTHY: readonly Verdict[] = ["ok", "unconverged"];

/** Is the number right, and sharp, and not called bad? */
export function judgeNumber(name: string, truth: number, reading: Reading, gate: NumberGate): Row {
  const { estimate, se, verdict, reason } = reading;
  const { share, standardErrors, mostSe } = gate;
  const words = `${percent(share)} or ${standardErrors} SE; SE <= ${percent(mostSe)}`;
  const z = estimate === null || se === null ? null : (estimate - truth) / se;
  const row = { name, group: "", truth, estimate, se, z, verdict, gate: words };
  if (estimate === null || se === null) return { ...row, passed: false, note: `no estimate: ${reason}` };
  const granted = Math.max(share * Math.abs(truth), standardErrors * se);
  const faults: string[] = [];
  // Negated, so that NaN is a fault too.
  if (!(Math.abs(estimate - truth) <= granted)) faults.push(`off by ${percent(estimate / truth - 1)}`);
  if (!(se <= mostSe * Math.abs(truth))) faults.push(`SE is ${percent(se / Math.abs(truth))}`);
  if (verdict !== "" && !HEALTHY.includes(verdict)) faults.push(reason);
  return { ...row, passed: faults.length === 0, note: faults.join("; ") };
}

/** Do two ways to one number agree, to rounding? */
export function judgeEqual(name: string, truth: number, value: number): Row {
  const passed = Math.abs(value - truth) <= 1e-9 * Math.max(1, Math.abs(truth));
  const note = passed ? "" : `${value} is not ${truth}`;
  return { name, group: "", truth, estimate: value, se: null, z: null, verdict: "", gate: "equal", passed, note };
}

/** Does a bad run say so? @param truth of the same run done well, where it is known */
export function judgeVerdict(name: string, truth: number | null, reading: Reading, expected: readonly Verdict[]): Row {
  const { estimate, se, verdict, reason } = reading;
  const passed = verdict !== "" && expected.includes(verdict);
  const z = estimate === null || se === null || truth === null ? null : (estimate - truth) / se;
  const gate = `flagged: ${expected.join(", ")}`;
  return { name, group: "", truth, estimate, se, z, verdict, gate, passed, note: passed ? "" : reason };
}

/** Do two estimates of one number agree? Standard errors are of their difference. */
export function judgeSame(name: string, first: Reading, second: Reading, gate: NumberGate): Row {
  if (first.estimate === null || first.se === null) {
    return { ...judgeNumber(name, Number.NaN, second, gate), truth: null, z: null, passed: false, note: first.reason };
  }
  const se = second.se === null ? null : Math.hypot(first.se, second.se);
  return judgeNumber(name, first.estimate, { ...second, se }, gate);
}

/** Is a figure of many runs small enough? @param limit infinite where nothing is asked for */
export function judgeAtMost(name: string, figure: number, limit: number, note = ""): Row {
  const row = { name, group: "", truth: null, estimate: figure, se: null, z: null, verdict: "" };
  if (limit === Infinity) return { ...row, gate: "", passed: true, note };
  return { ...row, gate: `<= ${text(limit)}`, passed: figure <= limit, note };
}

const text = (value: number): string => String(Number(value.toPrecision(3)));
const percent = (share: number): string => `${text(100 * share)} %`;
