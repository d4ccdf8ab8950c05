import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { sampleByLangevin } from "../../../worker/sample/langevin-run.ts";
import { GradientSquares } from "../../../worker/sample/preconditioner.ts";
import { SAMPLERS } from "../../../worker/sample/samplers.ts";
import { bowlRows, formulaSurface, partsOf } from "../../support/formula-surface.ts";

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

const P = [100, 3, 20];
const STEPS = 400;
const CHAINS = 4;

/** grad U of draws of exp(-U), U = sum p w^2 / 2, two posteriors of which the second is ten times as stiff. */
function learned(gamma: readonly [number, number]): Float32Array {
  const { tf } = engine;
  const squares = new GradientSquares(tf);
  const z = new Float32Array(2 * CHAINS * P.length);
  for (let step = 0; step < STEPS; step += 1) {
    fillNormal(rootKey("preconditioner-test"), { a: step, b: 0 }, z);
    const drift = z.map((value, at) => value * Math.sqrt(P[at % P.length]! * (at < z.length / 2 ? 1 : 10)));
    const given = tf.tensor3d(drift, [2 * CHAINS, 1, P.length]);
    tf.tidy(() => squares.add([given]));
    given.dispose();
  }
  expect(squares.count).toBe(STEPS);
  const [root] = squares.root(CHAINS, [0, 1].flatMap((at) => Array.from({ length: CHAINS }, () => gamma[at]!))); // prettier-ignore
  expect(root!.shape).toEqual([2 * CHAINS, 1, P.length]);
  const values = root!.dataSync<"float32">().slice();
  root!.dispose();
  squares.dispose();
  return values;
}

describe("the preconditioner of a warm-up", () => {
  test("is 1/p on a quadratic, of each posterior its own and the same for all its chains", () => {
    const root = learned([1, 1]);
    // Relative error of a mean of squares of n normals: sqrt(2/n).
    const error = Math.sqrt(2 / (STEPS * CHAINS));
    P.forEach((p, i) => {
      for (const [posterior, factor] of [1, 10].entries()) {
        const m = Array.from({ length: CHAINS }, (_, chain) => root[(posterior * CHAINS + chain) * P.length + i]! ** 2);
        expect(new Set(m).size).toBe(1);
        expect(Math.abs(m[0]! * p * factor - 1)).toBeLessThan(3 * error);
      }
    });
  });

  test("is not above 1/gamma", () => {
    const root = learned([50, 1]);
    expect(root[1]! ** 2).toBeCloseTo(1 / 50, 6);
    expect(root[2]! ** 2).toBeCloseTo(1 / 50, 6);
    expect(root[0]! ** 2).toBeLessThan(1 / 50);
  });

  test("sets the step of chains to what it was in their stiffest direction, now for all", async () => {
    const [t, gamma] = [100, 1];
    const h = [10, 1, 0.1];
    const surface = formulaSurface(engine, bowlRows(h), [[0, 0, 0]]);
    const stiffest = t * h[0]! + gamma;
    const plan = { sampler: SAMPLERS["noise-averaged"].sampler, averages: true, chains: 4, warmUp: 1500, draws: 400, thin: 1, batch: 0, corrects: true, preconditions: true, halfSteps: false }; // prettier-ignore
    const posterior = { cell: 0, key: fold(rootKey("preconditioner-test"), "run"), anchor: partsOf([0, 0, 0], [1, 2]), t, gamma, epsilon: 1 / stiffest }; // prettier-ignore
    const [record] = await sampleByLangevin(surface, [posterior], plan, () => undefined, { turn: () => Promise.resolve() }); // prettier-ignore
    // 1/p_max in w is 1 in w/root, up to the errors of M: the slowest direction has 12 relaxation times in each chain's learning.
    expect(record!.epsilon).toBeGreaterThan(0.5);
    expect(record!.epsilon).toBeLessThan(1.3);
  });
});
