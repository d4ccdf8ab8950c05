import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { rootKey } from "../../../src/core/random.ts";
import type { Posterior } from "../../../worker/sample/posterior.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { refine, type Refined } from "../../../worker/sample/refine.ts";
import { formulaSurface, partsOf, quadraticRows, type RowFormula } from "../../support/formula-surface.ts";

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

const T = 200;
const GAMMA = 2;

interface Case {
  readonly w0: readonly number[];
  readonly start?: readonly number[];
  /** t s_max + gamma */
  readonly curvature: number;
}

function refined(formula: RowFormula, cases: readonly Case[], steps = 400): Promise<readonly Refined[]> {
  const sizes = formula.shapes.map(([size]) => size!);
  const surface = formulaSurface(engine, formula, cases.map(({ w0 }) => w0)); // prettier-ignore
  const posteriors = cases.map(({ w0 }, cell): Posterior => {
    return { cell, key: rootKey("refine-test"), anchor: partsOf(w0, sizes), t: T, gamma: GAMMA, epsilon: 0 };
  });
  const rows = cases.map(() => Int32Array.from({ length: formula.rows }, (_, row) => row));
  const start = cases.map(({ w0, start }) => partsOf(start ?? w0, sizes));
  const plan = { steps, rows, curvature: cases.map(({ curvature }) => curvature), start };
  return refine(surface, posteriors, plan, { turn: () => Promise.resolve() });
}

const numbersOf = ({ weights }: Refined): readonly number[] => weights.flatMap((part) => [...part]);

/** By how much U / t fell. */
const fallOf = ({ gain, moved }: Pick<Refined, "gain" | "moved">): number => gain - (GAMMA / (2 * T)) * moved ** 2;

const H = [4, 1, 0.05];
const CENTRE = [0.3, -0.5, 1];
const QUADRATIC = quadraticRows([H, H], [CENTRE, CENTRE]);
const STIFFEST = T * H[0]! + GAMMA;

describe("refinement of w0", () => {
  test("reaches the minimum of U of a quadratic, and says by how much it went down and how far", async () => {
    const w0 = [1, 1, 0];
    const [found] = await refined(QUADRATIC, [{ w0, curvature: STIFFEST }]);
    // t h (w - c) + gamma (w - w0) = 0
    const minimum = H.map((h, i) => (T * h * CENTRE[i]! + GAMMA * w0[i]!) / (T * h + GAMMA));
    const loss = (w: readonly number[]): number =>
      H.reduce((sum, h, i) => sum + (h / 2) * (w[i]! - CENTRE[i]!) ** 2, 0);
    // What float32 tells apart: U / t to some last places, and with it each direction to the root of that.
    const resolution = 4 * 2 ** -24 * loss(w0);
    const fall =
      loss(w0) - loss(minimum) - (GAMMA / (2 * T)) * minimum.reduce((sum, m, i) => sum + (m - w0[i]!) ** 2, 0);
    expect(Math.abs(fallOf(found!) - fall)).toBeLessThan(resolution);
    numbersOf(found!).forEach((value, i) => {
      expect(Math.abs(value - minimum[i]!)).toBeLessThan(Math.sqrt((2 * resolution) / (H[i]! + GAMMA / T)));
    });
    expect(Math.abs(found!.gain - (loss(w0) - loss(minimum)))).toBeLessThan(1e-4);
    expect(found!.moved).toBeCloseTo(Math.hypot(...minimum.map((value, i) => value - w0[i]!)), 2);
    expect(found!.gradients).toBe(401);
  });

  test("goes down to the bottom of a valley that is no bowl, (1 - a^2)^2 / 4 + 10 (b - a)^2", async () => {
    const valley: RowFormula = {
      rows: 2,
      shapes: [[1], [1]],
      losses: (tf, w, rows) => {
        const [a, b] = tf.split(w, 2, 2);
        const well = tf.mul(0.25, tf.square(tf.sub(1, tf.square(a!))));
        const loss = tf.add(well, tf.mul(10, tf.square(tf.sub(b!, a!))));
        return tf.add(tf.mul(0, tf.cast(rows, "float32")), tf.reshape(loss, [-1, 1]));
      },
    };
    const [found] = await refined(valley, [{ w0: [0.3, 0.6], curvature: T * 40 }], 2000);
    // grad U = 0, by hand.
    const [a, b] = numbersOf(found!) as [number, number];
    expect(T * (-a * (1 - a * a) - 20 * (b - a)) + GAMMA * (a - 0.3)).toBeCloseTo(0, 1);
    expect(T * 20 * (b - a) + GAMMA * (b - 0.6)).toBeCloseTo(0, 1);
    expect(a).toBeGreaterThan(0.95);
  });

  test("leaves a minimum alone", async () => {
    const [found] = await refined(QUADRATIC, [{ w0: CENTRE, curvature: STIFFEST }]);
    expect(numbersOf(found!)).toEqual([...Float32Array.from(CENTRE)]);
    expect(found).toMatchObject({ gain: 0, moved: 0 });
  });

  test.each([1e-4, 0.03, 1, 100])(
    "never ends above w0 in U, whatever the curvature was said to be: times %f",
    async (factor) => {
      const cases = [[1, 1, 0], [0.301, -0.5, 1], [5, -9, 20]].map((w0) => ({ w0, curvature: factor * STIFFEST })); // prettier-ignore
      for (const { gain, moved } of await refined(QUADRATIC, cases, 50)) {
        expect(fallOf({ gain, moved })).toBeGreaterThanOrEqual(0);
      }
    },
  );

  test("from where the chains saw a lower loss, it stays measured from w0", async () => {
    const [found] = await refined(QUADRATIC, [{ w0: [1, 1, 0], start: [0.4, -0.4, 0.9], curvature: STIFFEST }]);
    const [plain] = await refined(QUADRATIC, [{ w0: [1, 1, 0], curvature: STIFFEST }]);
    expect(fallOf(found!)).toBeCloseTo(fallOf(plain!), 5);
    expect(found!.moved).toBeCloseTo(plain!.moved, 2);
  });

  test("gives a cell the same bits alone and beside one that is lost", async () => {
    const own = { w0: [1, 1, 0], curvature: STIFFEST };
    const [alone] = await refined(QUADRATIC, [own], 60);
    const [lost, among] = await refined(QUADRATIC, [{ w0: [Number.NaN, 0, 0], curvature: STIFFEST }, own], 60);
    expect(among).toEqual(alone);
    expect(lost).toMatchObject({ gain: 0, moved: 0 });
  });
});
