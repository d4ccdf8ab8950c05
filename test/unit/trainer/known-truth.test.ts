/** Whole cells at known truth: training that is none, an estimate, and the truth beside it in the row of results.csv. */
import { beforeAll, describe, expect, test } from "vitest";
import { RESULT_COLUMNS, rowOf } from "../../../src/result/row.ts";
import type { Cell } from "../../../src/spec/cell.ts";
import type { Engine } from "../../../worker/engine/engine.ts";
import { recordShard } from "../../support/shard-recorder.ts";
import { openTestEngine } from "../../support/test-backend.ts";
import { ESTIMATE, tinyCell, type CellGiven } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

/** The columns of a cell's row. */
async function rowsOf(
  cells: readonly Cell[],
): Promise<readonly (readonly [Cell, Readonly<Record<string, unknown>>])[]> {
  const { results, failed } = await recordShard(engine, cells);
  expect([...failed.values()]).toEqual([]);
  return cells.map((cell, gridIndex) => {
    const result = results.get(cell.id);
    const record = { cellId: cell.id, gridIndex, point: {}, config: cell.config, state: "committed", reason: "", result, workerId: "w", attempts: 1, cached: false } as const; // prettier-ignore
    const row = rowOf(record);
    return [cell, Object.fromEntries(RESULT_COLUMNS.map(({ name, get }) => [name, get(row)]))];
  });
}

const CASES: readonly (readonly [string, CellGiven])[] = [
  [
    "one matrix, exactly at its t",
    {
      architecture: { kind: "deep-linear", depth: 0 },
      data: { kind: "realizable", inputs: 4, outputs: 3, distribution: "basis", scale: 2, train: 80, test: 8 },
      train: { steps: 0, start: "teacher" },
      estimate: { ...ESTIMATE, nBeta: 20 },
    },
  ],
  [
    "reduced rank at generic weights",
    {
      // Wide, so that no singular value is small and the pull keeps the chains near w0 while the loss does not feel it.
      architecture: { kind: "reduced-rank", width: 12, rank: 1 },
      data: { kind: "realizable", inputs: 3, outputs: 2, train: 100, test: 20 },
      train: { steps: 0, start: "generic" },
      estimate: { ...ESTIMATE, nBeta: 1e5, gamma: 100 },
    },
  ],
  [
    "a normal crossing at 0, exactly at its t",
    {
      architecture: { kind: "normal-crossing", powers: "1 1" },
      data: { kind: "realizable", inputs: 1, outputs: 1, distribution: "basis", train: 40, test: 4 },
      train: { steps: 0, start: "canonical" },
      estimate: { ...ESTIMATE, nBeta: 50, budget: 10_000 },
    },
  ],
];

describe("an estimate at known truth", () => {
  test.each(CASES)("%s: reads what is true, which stands beside it", async (_, given) => {
    const rows = await rowsOf([1, 2, 3].map((seed) => tinyCell({ ...given, seed })));
    for (const [, row] of rows) {
      expect(row).toMatchObject({
        steps: 0,
        stopped: "budget",
        train_loss: 0,
        truth_lambda: expect.any(Number) as unknown,
      });
      const truth = Number(row["truth_at_t"] ?? row["truth_local_lambda"]);
      expect(truth).toBeGreaterThan(0.2);
      const [lambdaHat, se] = [Number(row["lambda_hat"]), Number(row["lambda_se"])];
      expect(se).toBeLessThan(0.15 * truth);
      expect(Math.abs(lambdaHat - truth), `${lambdaHat} +- ${se}, truth ${truth}`).toBeLessThan(4 * se);
    }
  });

  test("stands right behind the verdict, and nowhere without an estimate or a known truth", async () => {
    const names = RESULT_COLUMNS.map(({ name }) => name);
    const after = names.indexOf("verdict_reason") + 1;
    const wanted = ["truth_lambda", "truth_local_lambda", "truth_multiplicity", "truth_at_t"];
    expect(names.slice(after, after + 4)).toEqual(wanted);
    const [, given] = CASES[0]!;
    const [[, bare]] = await rowsOf([tinyCell({ ...given, estimate: { sampler: "none" } })]) as never as [[Cell, Record<string, unknown>]]; // prettier-ignore
    const unknown = { ...ESTIMATE, budget: 40, trajectory: 4, refine: "never" } as const;
    const [[, moons]] = await rowsOf([tinyCell({ estimate: unknown })]) as never as [[Cell, Record<string, unknown>]]; // prettier-ignore
    for (const row of [bare, moons]) for (const name of wanted) expect(row[name]).toBeNull();
  });
});
