import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fillNormal, rootKey } from "../../../src/core/random.ts";
import { mean, standardError } from "../../../src/stats/moments.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { MemberVector } from "../../../worker/engine/member-vector.ts";
import { malaAcceptance } from "../../../worker/sample/mala-test.ts";
import { sameRows } from "../../../worker/sample/surface.ts";
import { bowlRows, formulaSurface } from "../../support/formula-surface.ts";

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

const MEMBERS = 4000;
const [T, GAMMA, H, ANCHOR] = [30, 2, 0.4, 0.7];
/** About this the posterior of t h w^2 / 2 + gamma (w - w0)^2 / 2 is normal, of precision p. */
const P = T * H + GAMMA;
const CENTRE = (GAMMA * ANCHOR) / P;

interface Walk {
  readonly w: Float32Array;
  readonly xi: Float32Array;
}

/** Stationary positions and fresh noise. */
function walk(): Walk {
  const [w, xi] = [new Float32Array(MEMBERS), new Float32Array(MEMBERS)];
  fillNormal(rootKey("mala-test"), { a: 0, b: 0 }, w);
  fillNormal(rootKey("mala-test"), { a: 0, b: 1 }, xi);
  return { w: w.map((z) => CENTRE + z / Math.sqrt(P)), xi };
}

function acceptances({ w, xi }: Walk, epsilon: number, m = 1): readonly number[] {
  const { tf } = engine;
  const surface = formulaSurface(engine, bowlRows([H]), [[0]]);
  const rows = sameRows(surface, w.length, Int32Array.of(0, 1));
  const batch = surface.batch(Array.from(w, () => 0), rows); // prettier-ignore
  const column = (values: Float32Array) => tf.tensor2d(values, [values.length, 1]);
  const [position, normal] = [column(w), column(xi)];
  const anchor = column(w.map(() => ANCHOR));
  const root = m === 1 ? [] : [column(w.map(() => Math.sqrt(m)))];
  const vector = (value: number) => new MemberVector(tf, Array.from(w, () => value)); // prettier-ignore
  const [t, gamma, eps] = [vector(T), vector(GAMMA), vector(epsilon)];
  const found = malaAcceptance({ tf, batch, position: [position], anchor: [anchor], normal: [normal], root, t, gamma, epsilon: eps }); // prettier-ignore
  for (const each of [batch, t, gamma, eps]) each.dispose();
  tf.dispose([rows, position, normal, anchor, ...root]);
  return found;
}

/**
 * min(1, exp(eps M p^2 (u^2 - u'^2) / 8)), u about the centre: what Metropolis and Hastings's ratio comes to on a quadratic, by
 * hand.
 */
function closedForm(u: number, xi: number, epsilon: number, m: number): number {
  const step = epsilon * m;
  const moved = (1 - (step * P) / 2) * u + Math.sqrt(step) * xi;
  return Math.exp(Math.min(0, (step * P * P * (u * u - moved * moved)) / 8));
}

/** Mean acceptance over the stationary law, by the trapezoidal rule over both normals. */
function stationary(epsilon: number, m: number): number {
  const grid = Array.from({ length: 321 }, (_, i) => -8 + i / 20);
  const weight = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) / 20;
  return grid.reduce(
    (sum, z) =>
      sum + weight(z) * grid.reduce((s, xi) => s + weight(xi) * closedForm(z / Math.sqrt(P), xi, epsilon, m), 0),
    0,
  );
}

describe("the acceptance of a hypothetical Euler step", () => {
  test.each([
    [0.2 / P, 1],
    [1 / P, 1],
    [3 / P, 1],
    [0.5, 2 / P],
  ])("on a quadratic is its closed form, eps %f, M %f", (epsilon, m) => {
    const { w, xi } = walk();
    const found = acceptances({ w, xi }, epsilon, m);
    // Rounding of the energies, of terms up to about 20.
    found.forEach((value, k) => expect(Math.abs(value - closedForm(w[k]! - CENTRE, xi[k]!, epsilon, m))).toBeLessThan(2e-5)); // prettier-ignore
    const all = Float64Array.from(found);
    expect(Math.abs(mean(all) - stationary(epsilon, m)) / standardError(all)).toBeLessThan(3);
  });

  test("falls as the step grows, from 1", () => {
    const [tiny, small, large] = [1e-4, 1, 3].map((share) => mean(Float64Array.from(acceptances(walk(), share / P))));
    expect(tiny).toBeGreaterThan(0.999);
    expect(small!).toBeGreaterThan(large! + 0.1);
  });

  test("is 0 where the step is not finite", () => {
    const at = { w: Float32Array.of(Number.NaN, 0.1, 1e30), xi: Float32Array.of(0, 0, 0) };
    const [lost, sound, far] = acceptances(at, 1 / P);
    expect([lost, far]).toEqual([0, 0]);
    expect(sound).toBeGreaterThan(0.5);
  });
});
