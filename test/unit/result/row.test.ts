import { describe, expect, it } from "vitest";
import { columnsOf, LEADING_COLUMNS, RESULT_COLUMNS, rowOf, snakeCase, sortRows } from "../../../src/result/row.ts";
import type { CellResult } from "../../../src/result/cell-result.ts";
import { AXES, designs, recordOf, resultOf, syntheticRows } from "../report/synthetic-sweep.ts";

const paths = AXES.map(({ path }) => path);
const [design] = designs();
const valueOf = (name: string, row: ReturnType<typeof rowOf>) => {
  const column = [...LEADING_COLUMNS, ...RESULT_COLUMNS].find((candidate) => candidate.name === name);
  if (column === undefined) throw new Error(`no column ${name}`);
  return column.get(row);
};

describe("the columns of a result table", () => {
  it("hold everything that the issue asks of results.csv", () => {
    const names = columnsOf(syntheticRows(), paths).map(({ name }) => name);
    const wanted = [
      [
        "cell_id",
        "seed",
        "train_loss",
        "test_loss",
        "train_accuracy",
        "test_accuracy",
        "steps",
        "wall_ms",
        "compute_ms",
      ],
      [
        "worker",
        "lambda_hat",
        "lambda_se",
        "r_hat",
        "ess",
        "var_over_mean",
        "quad",
        "ceiling",
        "verdict",
        "status",
        "reason",
      ],
      ["data_kind", "architecture_kind", "optimizer_kind", "regulariser_kind", "regulariser_strength", "scale_width"],
    ].flat();
    expect(names).toEqual(expect.arrayContaining(wanted));
  });

  it("have unique snake_case names, a description, and the verdict beside the estimate", () => {
    const columns = columnsOf(syntheticRows(), paths);
    const names = columns.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    for (const { description } of columns) expect(description.length).toBeGreaterThan(5);
    expect(names[names.indexOf("lambda_se") + 1]).toBe("verdict");
  });

  it("turn the paths of axes into snake_case", () => {
    expect(snakeCase("optimizer.learningRate")).toBe("optimizer_learning_rate");
    expect(snakeCase("data.pOfN")).toBe("data_p_of_n");
  });

  it("leave an axis empty for a cell that lacks it", () => {
    const rows = syntheticRows();
    const strength = columnsOf(rows, paths).find(({ name }) => name === "regulariser_strength");
    expect(strength?.type).toBe("number");
    expect(strength?.get(rows[0]!)).toBeNull();
    expect(strength?.get(rows.find(({ point }) => point["regulariser.strength"] === 1e-4)!)).toBe(1e-4);
  });

  it("give an axis of numbers and names as text", () => {
    const rows = ["all", 3].map((value, index) => rowOf(recordOf(design!, index, { point: { "data.k": value } })));
    const column = columnsOf(rows, ["data.k"]).find(({ name }) => name === "data_k");
    expect(column?.type).toBe("string");
    expect(rows.map((row) => column?.get(row))).toEqual(["all", "3"]);
  });

  it("never bear one name twice, though an axis is called like a figure of the result", () => {
    const names = columnsOf(syntheticRows(), ["seed", "estimate.batch", "estimate.gamma"]).map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(names).toContain("estimate_gamma");
  });

  it("mark as varying exactly what differs between a run alone and a fused run on another worker", () => {
    const result = resultOf(design!);
    const other: CellResult = {
      ...result,
      timing: { trainMs: 1, estimateMs: 2, wallMs: 3 },
      backend: "tensorflow",
      fuseWidth: 1,
      dropped: { points: 3, lines: 2 },
    };
    const faults = { lost: 1, failed: 1, oom: 1, preempted: 1 };
    const left = rowOf(recordOf(design!, 0, { result }));
    const right = rowOf(recordOf(design!, 0, { result: other, workerId: "w9", attempts: 2, faults, cached: true }));
    const columns = columnsOf([left, right], paths);
    const differing = columns.filter((column) => column.get(left) !== column.get(right)).map(({ name }) => name);
    expect(differing).toEqual(columns.filter(({ varies }) => varies).map(({ name }) => name));
  });
});

describe("a result row", () => {
  it("says of a diverged cell that it diverged and why, with no figure in place of its losses", () => {
    const result: CellResult = {
      ...resultOf(design!),
      outcome: "diverged",
      reason: "loss NaN at step 312",
      stopped: "diverged",
      trainLoss: null,
      testLoss: null,
      estimate: null,
    };
    const row = rowOf(recordOf(design!, 0, { result }));
    expect(valueOf("status", row)).toBe("diverged");
    expect(valueOf("reason", row)).toBe("loss NaN at step 312");
    expect(["train_loss", "test_loss", "lambda_hat", "verdict"].map((name) => valueOf(name, row))).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  it("has no figures for a cell without a result", () => {
    const row = rowOf(recordOf(design!, 0, { state: "pending", result: undefined, workerId: "", attempts: 0 }));
    const filled = RESULT_COLUMNS.filter((column) => column.get(row) !== null).map(({ name }) => name);
    expect(filled).toEqual(["seed", "status", "attempts", "cached"]);
  });

  it("never shows a number that is not finite", () => {
    const result = { ...resultOf(design!), trainLoss: Number.NaN, testLoss: Number.POSITIVE_INFINITY };
    const row = rowOf(recordOf(design!, 0, { result }));
    expect(valueOf("train_loss", row)).toBeNull();
    expect(valueOf("test_loss", row)).toBeNull();
  });

  it("counts a cell as running once a worker has accepted it, and not while it is only leased", () => {
    expect(rowOf(recordOf(design!, 0, { state: "leased", result: undefined })).status).toBe("pending");
    expect(rowOf(recordOf(design!, 0, { state: "running", result: undefined })).status).toBe("running");
  });
});

it("rows come in the order of the grid, however they were given", () => {
  const rows = syntheticRows();
  const shuffled = rows.map((row, index) => ({ row, at: (index * 7919) % rows.length })).sort((a, b) => a.at - b.at);
  expect(sortRows(shuffled.map(({ row }) => row)).map(({ gridIndex }) => gridIndex)).toEqual(
    rows.map((_, index) => index),
  );
});
