/** Sweep files for tests: a small valid one, and variations of it. */
import { SpecError, type SpecProblem } from "../../../src/spec/problem.ts";
import { parseSweep, type GridPoint, type SweepSpec } from "../../../src/spec/sweep.ts";

export interface SweepFile {
  readonly [key: string]: unknown;
}

/** Eight cells: two widths, two learning rates, two seeds. */
export const SMALL: SweepFile = {
  version: 1,
  name: "small",
  data: { kind: "boolean", function: "junta", inputs: 5, train: 16 },
  grid: {
    architecture: { kind: "mlp", activation: "tanh", depth: 1 },
    optimizer: { kind: "sgd", learningRate: [0.1, 0.3] },
    scale: { width: [4, 8] },
    seed: [1, 2],
  },
  train: { steps: 20, batch: 8 },
  estimate: "none",
};

/** JSON is YAML. */
export function sweepOf(file: SweepFile): SweepSpec {
  return parseSweep(JSON.stringify(file), "test.yaml");
}

/** SMALL with another grid. */
export function withGrid(grid: unknown, more: SweepFile = {}): SweepSpec {
  return sweepOf({ ...SMALL, ...more, grid });
}

export function pointsOf(spec: SweepSpec): GridPoint[] {
  return [...spec.points()];
}

export function idsOf(spec: SweepSpec): string[] {
  return pointsOf(spec).map((point) => point.cell.id);
}

/** The mistakes of a text that must not be accepted. */
export function problemsOf(text: string): readonly SpecProblem[] {
  try {
    parseSweep(text, "sweep.yaml");
  } catch (error) {
    if (error instanceof SpecError) return error.problems;
    throw error;
  }
  throw new Error("the text was accepted");
}
