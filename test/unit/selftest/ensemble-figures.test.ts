/** What an ensemble comes to, against figures worked out by hand. */
import { describe, expect, test } from "vitest";
import { ensembleFigures, ensembleRows } from "../../../src/selftest/ensemble-figures.ts";
import type { TimedRow } from "../../../src/selftest/row.ts";

const GROUP = "1k canonical, ours";

const row = (estimate: number | null, verdict = "ok", group = GROUP): TimedRow => ({
  name: "net",
  group,
  truth: 100,
  estimate,
  se: 0.5,
  z: null,
  verdict,
  gate: "",
  passed: true,
  note: "",
  section: "ensembles",
  cpuMs: 1500,
});

describe("the figures of an ensemble", () => {
  test("are those of relative errors, whatever their sign", () => {
    const estimates = [99, 101, 98, 102, 100, 100, 100, 100, 104, 110];
    const figures = ensembleFigures(estimates.map((estimate) => row(estimate)));
    expect(figures).toMatchObject({ runs: 10, missing: 0, cpuSeconds: 15 });
    expect(figures.mean).toBeCloseTo(0.02);
    expect(figures.p90).toBeCloseTo(0.04);
    expect(figures.most).toBeCloseTo(0.1);
    // 3 SE + 3 % is 4.5: of ten called ok one is off by more.
    expect(figures.wronglyOk).toBeCloseTo(0.1);
  });

  test("count what has no number, and do not hold a flagged run against `ok`", () => {
    const figures = ensembleFigures([row(100), row(50, "biased"), row(null, "diverged")]);
    expect(figures).toMatchObject({ missing: 1, wronglyOk: 0 });
    expect(figures.verdicts).toMatchObject({ ok: 1, biased: 1, diverged: 1, unconverged: 0 });
  });
});

describe("the gates of an ensemble", () => {
  test("pass a good one", () => {
    const rows = ensembleRows([row(99), row(101)]);
    expect(rows.map(({ name, passed }) => [name, passed])).toEqual([
      [`${GROUP}: mean error`, true],
      [`${GROUP}: p90`, true],
      [`${GROUP}: no number`, true],
    ]);
  });

  test("fail by the mean, by the tail, or by a single run without a number", () => {
    expect(ensembleRows([row(97), row(103)]).map(({ passed }) => passed)).toEqual([false, true, true]);
    const tail = [...Array.from({ length: 8 }, () => row(100)), row(94), row(94)];
    expect(ensembleRows(tail).map(({ passed }) => passed)).toEqual([true, false, true]);
    expect(ensembleRows([row(100), row(null, "diverged")]).map(({ passed }) => passed)).toEqual([true, true, false]);
  });

  test("fail where no run has a number", () => {
    expect(ensembleRows([row(null, "diverged")]).map(({ passed }) => passed)).toEqual([false, false, false]);
  });

  test("ask nothing of a group that is there for comparison, nor of rows of no group", () => {
    expect(ensembleRows([row(50, "ok", "1k canonical, SGLD"), row(null, "diverged", "1k canonical, SGLD")]).every(({ passed }) => passed)).toBe(true); // prettier-ignore
    expect(ensembleRows([row(null, "diverged", "1k canonical, SGLD")]).every(({ passed }) => passed)).toBe(true);
    expect(ensembleRows([row(50, "ok", "")])).toEqual([]);
  });
});
