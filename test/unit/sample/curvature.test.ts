import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fold, rootKey } from "../../../src/core/random.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { MemberVector } from "../../../worker/engine/member-vector.ts";
import { largestCurvature } from "../../../worker/sample/curvature.ts";
import { sameRows } from "../../../worker/sample/surface.ts";
import { bowlRows, formulaSurface, quadraticRows, type RowFormula } from "../../support/formula-surface.ts";

let engine: Engine;
let before = 0;
beforeAll(async () => {
  engine = await openEngine("wasm");
});
beforeEach(() => {
  before = engine.memory().tensors;
});
afterEach(() => {
  expect(engine.memory().tensors).toBe(before);
});

const T = [10, 100];
const GAMMA = [2, 0.5];

/** Of two members, on all rows. @param at positions; root: sqrt(M) of each number, by parameter */
function curvatures(formula: RowFormula, at: readonly number[], root: readonly number[] = []): readonly number[] {
  const { tf } = engine;
  const surface = formulaSurface(engine, formula, [at]);
  const rows = sameRows(
    surface,
    2,
    Int32Array.from({ length: formula.rows }, (_, row) => row),
  );
  const batch = surface.batch([0, 0], rows);
  const stacked = (values: readonly number[]) =>
    values.length === 0
      ? []
      : [
          tf.tensor2d([values.slice(0, 1), values.slice(0, 1)] as number[][]),
          tf.tensor2d([values.slice(1), values.slice(1)] as number[][]),
        ];
  const [position, scale] = [stacked(at), stacked(root)];
  const [t, gamma] = [new MemberVector(tf, T), new MemberVector(tf, GAMMA)];
  const keys = [0, 1].map((index) => fold(rootKey("curvature-test"), "member", index));
  const found = largestCurvature({ engine, batch, position, t, gamma, root: scale, keys });
  for (const each of [batch, t, gamma]) each.dispose();
  tf.dispose([rows, ...position, ...scale]);
  return found;
}

describe("the largest curvature", () => {
  const h = [0.3, 2, 0.1, 0.05];

  test("of a quadratic is t h_max + gamma of each member, wherever it stands", () => {
    for (const at of [
      [0, 0, 0, 0],
      [1, -2, 0.5, 3],
    ]) {
      curvatures(bowlRows(h), at).forEach((value, k) => expect(value / (T[k]! * 2 + GAMMA[k]!)).toBeCloseTo(1, 2));
    }
  });

  test("is that of the mean of the rows", () => {
    const formula = quadraticRows([[1, 3, 0, 0], [0, 1, 0.2, 0.1]], [[0, 1, 2, 3], [0, 0, 0, 0]]); // prettier-ignore
    curvatures(formula, [0, 0, 0, 0]).forEach((value, k) => expect(value / (T[k]! * 2 + GAMMA[k]!)).toBeCloseTo(1, 2));
  });

  test("with the preconditioner 1/p is 1, with one that undoes the stiffest direction that of the next", () => {
    const p = h.map((value) => T[0]! * value + GAMMA[0]!);
    expect(curvatures(bowlRows(h), [0, 0, 0, 0], p.map((value) => value ** -0.5))[0]).toBeCloseTo(1, 2); // prettier-ignore
    const [next] = curvatures(bowlRows(h), [0, 0, 0, 0], [1, 0.01, 1, 1]);
    expect(next! / p[0]!).toBeCloseTo(1, 1);
  });

  test("is never above the truth, but for rounding", () => {
    const flat = Array.from({ length: 30 }, (_, i) => 1 + i / 30);
    curvatures(bowlRows(flat), flat.map(() => 0)).forEach((value, k) => {
      const truth = T[k]! * flat.at(-1)! + GAMMA[k]!;
      expect(value / truth).toBeLessThan(1.001);
      expect(value / truth).toBeGreaterThan(0.85);
    }); // prettier-ignore
  });

  test("is not finite where gradients are not", () => {
    for (const value of curvatures(bowlRows(h), [0, Number.NaN, 0, 0])) expect(Number.isFinite(value)).toBe(false);
  });
});
