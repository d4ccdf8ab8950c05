import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fold, rootKey } from "../../../src/core/random.ts";
import { quadraticAtT } from "../../../src/oracle/regular.ts";
import { lanczosForm } from "../../../worker/complexity/closed-form.ts";
import {
  descentOf,
  lanczos,
  topOf,
  traceOf,
  wholeGradients,
  type LanczosSpectrum,
} from "../../../worker/complexity/lanczos.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { bowlRows, formulaSurface, partsOf, quadraticRows, type RowFormula } from "../../support/formula-surface.ts";

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

const every = (rows: number): Int32Array => Int32Array.from({ length: rows }, (_, row) => row);

const NO_PACE = { turn: () => Promise.resolve() };

function spectraOf(
  formula: RowFormula,
  anchors: readonly (readonly number[])[],
  withProbes = true,
): Promise<readonly LanczosSpectrum[]> {
  const sizes = formula.shapes.map(([size]) => size!);
  const surface = formulaSurface(engine, formula, anchors);
  return lanczos(
    {
      surface,
      cells: anchors.map((_, cell) => cell),
      anchors: anchors.map((w0) => partsOf(w0, sizes)),
      keys: anchors.map((_, cell) => fold(rootKey("lanczos-test"), "cell", cell)),
      rows: anchors.map(() => every(formula.rows)),
    },
    withProbes,
    NO_PACE,
  );
}

/** More directions than steps of a run: eigenvalues from 10^-3 to 1. */
const WIDE = Array.from({ length: 120 }, (_, i) => 10 ** ((-3 * i) / 119));
const AT_ZERO = WIDE.map(() => 0);

describe("the spectrum by Lanczos", () => {
  test("of a diagonal Hessian has the trace of every function: probes of signs leave no chance", async () => {
    const [spectrum] = await spectraOf(bowlRows(WIDE), [AT_ZERO]);
    expect(spectrum!.probes.length).toBe(3);
    for (const f of [(s: number) => s, (s: number) => s * s, (s: number) => (150 * s) / (150 * s + 1)]) {
      const truth = WIDE.reduce((sum, s) => sum + f(s), 0);
      expect(Math.abs(traceOf(spectrum!, f) / truth - 1)).toBeLessThan(0.002);
    }
    expect(topOf(spectrum!)).toBeCloseTo(1, 3);
  });

  test("of a Hessian that is not diagonal has it within the error of three probes", async () => {
    // Pairs of coordinates with eigenvalues a + b and a - b: signs differ in b v1 v2 alone.
    const [a, b, pairs] = [0.5, 0.4, 200];
    const coupled: RowFormula = {
      rows: 2,
      shapes: [[pairs], [pairs]],
      losses: (tf, w, rows) => {
        const [x, y] = tf.split(w, 2, 2);
        const own = tf.mul(a / 2, tf.add(tf.square(x!), tf.square(y!)));
        const loss = tf.sum(tf.add(own, tf.mul(b, tf.mul(x!, y!))), -1);
        return tf.add(tf.mul(0, tf.cast(rows, "float32")), tf.reshape(loss, [-1, 1]));
      },
    };
    const [spectrum] = await spectraOf(coupled, [Array.from({ length: 2 * pairs }, () => 0.1)]);
    const share = (s: number): number => (30 * s) / (30 * s + 1);
    const truth = pairs * (share(a + b) + share(a - b));
    // v^T f(H) v = truth + (f(a + b) - f(a - b)) sum v1 v2, a sum of `pairs` signs.
    const error = (Math.abs(share(a + b) - share(a - b)) * Math.sqrt(pairs)) / Math.sqrt(3);
    expect(Math.abs(traceOf(spectrum!, share) - truth) / error).toBeLessThan(3);
    expect(topOf(spectrum!)).toBeCloseTo(a + b, 3);
  });

  test("of few directions is exact, whatever the Hessian: a probe of signs would be off by a third here", async () => {
    // H = 1 1^T of d = 9, whose one eigenvalue is d: v^T H v = (sum v)^2.
    const d = 9;
    const even: RowFormula = {
      rows: 2,
      shapes: [[1], [d - 1]],
      losses: (tf, w, rows) => {
        const loss = tf.mul(0.5, tf.square(tf.sum(w, -1)));
        return tf.add(tf.mul(0, tf.cast(rows, "float32")), tf.reshape(loss, [-1, 1]));
      },
    };
    const [spectrum] = await spectraOf(even, [Array.from({ length: d }, () => 0.1)]);
    const share = (s: number): number => (20 * s) / (20 * s + 1);
    expect(traceOf(spectrum!, share)).toBeCloseTo(share(d), 3);
    expect(traceOf(spectrum!, (s) => s)).toBeCloseTo(d, 3);
  });

  test("gives the closed form that the eigenvalues give", async () => {
    const [t, gamma] = [150, 1];
    const [spectrum] = await spectraOf(bowlRows(WIDE), [AT_ZERO]);
    const form = lanczosForm(spectrum!, t, gamma, 60);
    const shares = WIDE.map((s) => (t * s) / (t * s + gamma));
    const sum = shares.reduce((total, a) => total + a, 0);
    expect(form.quad / quadraticAtT(WIDE, t, gamma)).toBeCloseTo(1, 2);
    expect(form.varOverMean / (shares.reduce((total, a) => total + a * a, 0) / sum)).toBeCloseTo(1, 2);
    expect(form.typical / (shares.reduce((total, a, i) => total + a * WIDE[i]!, 0) / sum)).toBeCloseTo(1, 2);
    expect(form).toMatchObject({ by: "lanczos", ceiling: 60 });
  });

  test("the descent is that of the quadratic: t (L(w0) - L) at the minimum of U, and the pull's share", async () => {
    const [t, gamma] = [80, 3];
    const h = [2, 0.5, 0.1, 0];
    const w0 = [0.3, -1, 2, 5];
    const [spectrum] = await spectraOf(bowlRows(h), [w0], false);
    // (t^2/2) sum (h w0)^2 / (t h + gamma)
    const expected = h.reduce((sum, s, i) => sum + ((t * t) / 2) * ((s * w0[i]!) ** 2 / (t * s + gamma)), 0);
    expect(descentOf(spectrum!, t, gamma) / expected).toBeCloseTo(1, 3);
    // The fall of U itself.
    const minimum = h.map((s, i) => (gamma * w0[i]!) / (t * s + gamma));
    const u = (w: readonly number[]): number =>
      w.reduce((sum, value, i) => sum + (t * h[i]! * value ** 2 + gamma * (value - w0[i]!) ** 2) / 2, 0);
    expect(descentOf(spectrum!, t, gamma) / (u(w0) - u(minimum))).toBeCloseTo(1, 3);
    expect(spectrum!.probes).toEqual([]);
  });

  test("there is no descent from a minimum", async () => {
    const [spectrum] = await spectraOf(bowlRows([2, 1]), [[0, 0]]);
    expect(spectrum!.descent).toBeUndefined();
    expect(descentOf(spectrum!, 100, 1)).toBe(0);
  });

  test("negative curvature counts as none", async () => {
    const [spectrum] = await spectraOf(bowlRows([2, -1]), [[0, 0.5]]);
    expect(traceOf(spectrum!, (s) => s)).toBeCloseTo(2, 3);
    // g = (0, -1/2) where H would be -1: t^2/2 g^2 / gamma.
    expect(descentOf(spectrum!, 10, 4)).toBeCloseTo((100 / 2) * (0.25 / 4), 2);
  });

  test("gives a cell the same alone and beside one that is lost", async () => {
    const w0 = [0.3, -1, 2];
    const h = [2, 0.5, 0.1];
    const [alone] = await spectraOf(bowlRows(h), [w0]);
    const [among, lost] = await spectraOf(bowlRows(h), [w0, [Number.NaN, 0, 0]]);
    expect(among).toEqual(alone);
    expect(lost!.descent).toBeUndefined();
  });

  test("gradients over more rows than fit are summed in parts", async () => {
    const curvatures = Array.from({ length: 10 }, (_, row) => [1 + row, 2, 3]);
    const surface = formulaSurface(engine, quadraticRows(curvatures), [[1, 1, -1]]);
    for (const part of [3, 10, 4096]) {
      const [slope] = await wholeGradients(surface, [0], [partsOf([1, 1, -1], [1, 2])], part, NO_PACE);
      [5.5, 2, -3].forEach((value, i) => expect(slope![i]).toBeCloseTo(value, 5));
    }
  });
});
