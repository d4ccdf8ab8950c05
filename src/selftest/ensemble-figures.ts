/**
 * What an ensemble of estimates comes to: mean, 90 % and largest relative error, how many have no number, how many were called
 * `ok` and are wrong. Pure.
 */
import { VERDICTS, type Verdict } from "../result/cell-result.ts";
import { judgeAtMost } from "./judge.ts";
import type { TimedRow } from "./row.ts";

/** Largest figures of a group, infinite where none is asked for; a group that is only there for comparison has no gate. */
export interface EnsembleGate {
  readonly group: string;
  readonly mean: number;
  readonly p90: number;
}

export const ENSEMBLE_GATES: readonly EnsembleGate[] = [
  { group: "1k canonical, ours", mean: 0.02, p90: 0.05 },
  { group: "1k generic, ours", mean: 0.025, p90: 0.05 },
  { group: "10k canonical, ours", mean: 0.03, p90: Infinity },
  { group: "10k generic, ours", mean: 0.05, p90: Infinity },
];

export interface EnsembleFigures {
  readonly runs: number;
  readonly mean: number;
  readonly p90: number;
  readonly most: number;
  readonly missing: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** Runs called ok that are off by more than 3 SE + 3 %, as a share of those called ok. */
  readonly wronglyOk: number;
  readonly cpuSeconds: number;
}

/** @param rows of one group */
export function ensembleFigures(rows: readonly TimedRow[]): EnsembleFigures {
  const errors = rows
    .flatMap(({ estimate, truth }) => (estimate === null || truth === null ? [] : [Math.abs(estimate / truth - 1)]))
    .sort((a, b) => a - b);
  const ok = rows.filter(({ verdict }) => verdict === "ok");
  const wrong = ok.filter(({ estimate, truth, se }) => !(Math.abs(estimate! - truth!) <= 3 * se! + 0.03 * truth!));
  const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length;
  return {
    runs: rows.length,
    mean: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    p90: errors[Math.ceil(0.9 * errors.length) - 1] ?? Number.NaN,
    most: errors.at(-1) ?? Number.NaN,
    missing: rows.length - errors.length,
    verdicts: Object.fromEntries(VERDICTS.map((verdict) => [verdict, count(verdict)])) as Record<Verdict, number>,
    wronglyOk: ok.length === 0 ? 0 : wrong.length / ok.length,
    cpuSeconds: rows.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1000,
  };
}

/** The rows that sum up every group among these rows. */
export function ensembleRows(rows: readonly TimedRow[], gates = ENSEMBLE_GATES): readonly TimedRow[] {
  const groups = [...new Set(rows.flatMap(({ group }) => (group === "" ? [] : [group])))];
  return groups.flatMap((group) => {
    const own = rows.filter((row) => row.group === group);
    const figures = ensembleFigures(own);
    const gate = gates.find((each) => each.group === group) ?? { mean: Infinity, p90: Infinity };
    const mostMissing = gates.some((each) => each.group === group) ? 0 : Infinity;
    const about = { section: own[0]!.section, cpuMs: 0 };
    return [
      judgeAtMost(`${group}: mean error`, figures.mean, gate.mean, textOf(figures)),
      judgeAtMost(`${group}: p90`, figures.p90, gate.p90),
      judgeAtMost(`${group}: no number`, figures.missing, mostMissing),
    ].map((row) => ({ ...row, ...about }));
  });
}

function textOf({ runs, most, verdicts, wronglyOk, cpuSeconds }: EnsembleFigures): string {
  const said = VERDICTS.flatMap((verdict) => (verdicts[verdict] === 0 ? [] : [`${verdicts[verdict]} ${verdict}`]));
  const off = `${(100 * wronglyOk).toFixed(0)} % of ok off by more than 3 SE + 3 %`;
  return `${runs} nets, largest ${most.toPrecision(3)}; ${said.join(", ")}; ${off}; ${cpuSeconds.toFixed(0)} s of processor`;
}
