import { describe, expect, test } from "vitest";
import { fuseKeyOf } from "../../../src/spec/cell.ts";
import { costOf } from "../../../src/spec/cost.ts";
import { planSweep } from "../../../src/spec/plan.ts";
import { count, durationText, flopText, renderPlan } from "../../../src/spec/render-plan.ts";
import { idsOf, pointsOf, SMALL, sweepOf, withGrid } from "./sweep-file.ts";

const MIXED = withGrid(
  {
    architecture: [
      { kind: "mlp", activation: "tanh", depth: 1 },
      { kind: "polynomial", basis: "walsh", degree: [1, 2] },
    ],
    optimizer: ["sgd", { kind: "adam", learningRate: { log: [0.001, 0.1, 5] } }],
    regulariser: ["none", { kind: "l1", strength: { log: [0.001, 0.1, 5] } }],
    scale: { width: [4, 8, 16] },
    seed: [1, 2, 3],
  },
  { where: "!(optimizer.kind == 'adam' && regulariser.kind == 'l1')", estimate: { budget: 20 } },
);

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe("the plan of a small sweep", () => {
  const plan = planSweep(MIXED, { maxFuseWidth: 8 });
  const points = pointsOf(MIXED);

  test("counts what there is", () => {
    expect(plan.exact).toBe(true);
    expect(plan.gridSize).toBe(MIXED.gridSize);
    expect(plan.cells).toBe(points.length);
    expect(plan.cells).toBeLessThan(plan.gridSize);
    expect(plan.cached).toBeUndefined();
  });

  test("adds up the cost of every cell", () => {
    const costs = points.map(({ cell }) => costOf(cell.config));
    expect(plan.totals.trainFlops).toBeCloseTo(sum(costs.map((cost) => cost.trainFlops)), 0);
    expect(plan.totals.estimateFlops).toBeCloseTo(sum(costs.map((cost) => cost.estimateFlops)), 0);
    expect(plan.totals.largestParameters).toBe(Math.max(...costs.map((cost) => cost.parameters)));
  });

  test("puts cells of one fuse key into one group, in shards of the given width", () => {
    const keys = new Map<string, number>();
    for (const { cell } of points) keys.set(fuseKeyOf(cell.config), (keys.get(fuseKeyOf(cell.config)) ?? 0) + 1);
    expect(new Map(plan.fuseGroups.map((group) => [group.fuseKey as string, group.cells]))).toEqual(keys);
    for (const group of plan.fuseGroups) {
      expect(sum(group.widths.map(({ width, shards }) => width * shards))).toBe(group.cells);
      for (const { width } of group.widths) expect(width).toBeLessThanOrEqual(8);
    }
  });

  test("says how many cells are stored already", () => {
    const cached = new Set(idsOf(MIXED).slice(0, 10));
    expect(planSweep(MIXED, { cached }).cached).toBe(10);
  });

  test("takes longer on a slower backend", () => {
    const seconds = new Map(plan.times.map((time) => [time.backend, time.seconds]));
    expect(seconds.get("wasm")).toBeGreaterThan(0);
    const large = planSweep(withGrid({ architecture: "mlp", optimizer: "sgd", scale: { width: 4096 } }));
    const bySpeed = large.times.toSorted((left, right) => left.gigaflopsPerSecond - right.gigaflopsPerSecond);
    const ordered = bySpeed.map((time) => time.seconds);
    expect(new Set(ordered).size).toBe(ordered.length);
    expect(ordered).toEqual(ordered.toSorted((left, right) => right - left));
  });
});

describe("the plan of a large sweep", () => {
  test("is estimated from a sample, says so, and is near the truth", () => {
    const exact = planSweep(MIXED);
    const sampled = planSweep(MIXED, { exactPoints: 0, samplePoints: 4000 });
    expect(sampled.exact).toBe(false);
    expect(sampled.sampledPoints).toBe(4000);
    // Four standard errors of a fraction p kept, of 4,000 draws.
    const p = exact.cells / exact.gridSize;
    const error = 4 * Math.sqrt((p * (1 - p)) / 4000) * exact.gridSize;
    expect(Math.abs(sampled.cells - exact.cells)).toBeLessThan(error);
    expect(sampled.cells).not.toBe(0);
    expect(new Set(sampled.fuseGroups.map((group) => group.fuseKey))).toEqual(
      new Set(exact.fuseGroups.map((group) => group.fuseKey)),
    );
    expect(sampled.totals.trainFlops / exact.totals.trainFlops).toBeCloseTo(1, 0);
    expect(renderPlan(sampled)).toContain("estimated from 4,000 sampled points");
  });

  test("of 10^10 points takes under 2 s and 200 MB, reading included", () => {
    const startCpu = process.cpuUsage();
    const startHeap = process.memoryUsage().heapUsed;
    const spec = withGrid(
      {
        architecture: { kind: "mlp", activation: ["tanh", "relu"], depth: 1 },
        optimizer: { kind: ["sgd", "adam"], learningRate: { log: [1e-4, 1, 1000] } },
        regulariser: { kind: ["l1", "l2"], strength: { log: [1e-6, 1, 1000] } },
        scale: { width: { linear: [1, 250, 250] } },
        seed: { replicates: 5 },
      },
      { where: "scale.width % 2 == 0 || optimizer.kind == 'adam'" },
    );
    const plan = planSweep(spec);
    const { user } = process.cpuUsage(startCpu);
    expect(plan.gridSize).toBe(1e10);
    expect(plan.exact).toBe(false);
    expect(plan.cells / 1e10).toBeCloseTo(0.75, 1);
    expect(user / 1e6).toBeLessThan(2);
    expect((process.memoryUsage().heapUsed - startHeap) / 1e6).toBeLessThan(200);
  });
});

describe("a plan as text", () => {
  const text = renderPlan(planSweep(sweepOf(SMALL)));

  test("has the cells, the axes, the groups and the times", () => {
    expect(text).toContain("cells       8\n");
    expect(text).toContain("optimizer.learningRate: 0.1, 0.3");
    expect(text).toContain("mlp tanh width 8 depth 1");
    expect(text).toMatch(/wasm +\S+ s +at 28 GFLOP\/s/u);
  });

  test("has no line that ends in blanks", () => {
    expect(text).not.toMatch(/ \n/u);
  });

  test.each([
    [count(1234567), "1,234,567"],
    [count(999), "999"],
    [flopText(1.5e12), "1.5 TFLOP"],
    [flopText(12), "12 FLOP"],
    [durationText(3.21), "3.2 s"],
    [durationText(240), "4 min"],
    [durationText(4 * 3600), "4.0 h"],
    [durationText(40 * 86_400), "40 days"],
    [durationText(4 * 365 * 86_400), "4 years"],
  ])("writes %s", (written, expected) => {
    expect(written).toBe(expected);
  });
});
