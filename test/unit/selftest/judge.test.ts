/** The gates of the selftest: each of them passes what is right and fails what is not. */
import { describe, expect, test } from "vitest";
import { judgeAtMost, judgeEqual, judgeNumber, judgeSame, judgeVerdict } from "../../../src/selftest/judge.ts";
import type { Reading } from "../../../src/selftest/row.ts";

const reading = (estimate: number | null, se: number | null, verdict: Reading["verdict"] = "ok"): Reading => ({
  estimate,
  se,
  verdict,
  reason: "why",
});
const GATE = { share: 0.01, standardErrors: 3, mostSe: 0.05 };

describe("a number against its truth", () => {
  test("passes within three standard errors, with its z", () => {
    expect(judgeNumber("d/2", 10, reading(10.5, 0.2), GATE)).toMatchObject({ passed: true, z: 2.5, note: "" });
  });

  test("passes within the share that is granted, however small its standard error is", () => {
    expect(judgeNumber("d/2", 10, reading(10.09, 0.001), GATE).passed).toBe(true);
  });

  test("fails the same reading against a wrong truth", () => {
    const row = judgeNumber("d/2", 12, reading(10.5, 0.2), GATE);
    expect(row.passed).toBe(false);
    expect(row.note).toContain("off by -12.5 %");
  });

  test("fails an estimate that is too blurred to prove anything", () => {
    const row = judgeNumber("d/2", 10, reading(10, 1), GATE);
    expect(row).toMatchObject({ passed: false, note: "SE is 10 %" });
  });

  test.each(["biased", "not-a-minimum", "over-ceiling", "diverged"] as const)(
    "fails a right number that is called %s, and says why it was",
    (verdict) => {
      expect(judgeNumber("d/2", 10, reading(10, 0.1, verdict), GATE)).toMatchObject({ passed: false, note: "why" });
    },
  );

  test("lets a right number be called unconverged, which chance does", () => {
    expect(judgeNumber("d/2", 10, reading(10, 0.1, "unconverged"), GATE).passed).toBe(true);
  });

  test.each([
    [null, null],
    [10, null],
    [null, 1],
    [Number.NaN, 0.1],
    [10, Number.NaN],
  ])("fails where there is nothing to judge: %s +- %s", (estimate, se) => {
    expect(judgeNumber("d/2", 10, reading(estimate, se), GATE).passed).toBe(false);
  });
});

describe("two estimates of one number", () => {
  test("are compared in standard errors of their difference", () => {
    const gate = { share: 0, standardErrors: 2, mostSe: 0.5 };
    const row = judgeSame("rescaled", reading(10, 0.3), reading(11, 0.4), gate);
    expect(row).toMatchObject({ truth: 10, estimate: 11, se: 0.5, passed: true });
    expect(row.z).toBeCloseTo(2);
    expect(judgeSame("rescaled", reading(10, 0.3), reading(11.1, 0.4), gate).passed).toBe(false);
  });

  test("fail where one is missing", () => {
    const gate = { share: 1, standardErrors: 9, mostSe: 9 };
    expect(judgeSame("rescaled", reading(null, null), reading(11, 0.4), gate).passed).toBe(false);
    expect(judgeSame("rescaled", reading(10, 0.3), reading(null, null), gate).passed).toBe(false);
  });
});

describe("a bad run", () => {
  test("passes only by a verdict that names what is wrong", () => {
    const expected = ["unconverged", "diverged"] as const;
    expect(judgeVerdict("step x10", 5, reading(1, 0.1, "unconverged"), expected).passed).toBe(true);
    expect(judgeVerdict("step x10", 5, reading(1, 0.1, "biased"), expected).passed).toBe(false);
    expect(judgeVerdict("step x10", 5, reading(5, 0.1, "ok"), expected)).toMatchObject({ passed: false, note: "why" });
    expect(judgeVerdict("step x10", 5, reading(null, null, ""), expected).passed).toBe(false);
  });

  test("may have no number at all", () => {
    expect(judgeVerdict("step x10", 5, reading(null, null, "diverged"), ["diverged"])).toMatchObject({ passed: true, z: null }); // prettier-ignore
  });
});

test("formulas agree to rounding, and no further", () => {
  expect(judgeEqual("two formulas", 930, 930).passed).toBe(true);
  expect(judgeEqual("two formulas", 930, 930.25)).toMatchObject({ passed: false, note: "930.25 is not 930" });
});

test("a figure is at most its limit; one that is none is not", () => {
  expect(judgeAtMost("mean error", 0.02, 0.02).passed).toBe(true);
  expect(judgeAtMost("mean error", 0.021, 0.02).passed).toBe(false);
  expect(judgeAtMost("mean error", Number.NaN, 0.02).passed).toBe(false);
});
