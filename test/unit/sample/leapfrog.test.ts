import { beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { measurePhase, pushChains, type Phase, type Push } from "../../../worker/sample/leapfrog.ts";
import { bowl, quartic, type Potential } from "../../support/analytic-surface.ts";
import { normals, perMember, sizeOf, stack, unstack } from "../../support/stacked.ts";

const CHAINS = 6;
const [T, GAMMA] = [30, 2];
const SURFACES: readonly (readonly [string, Potential])[] = [
  ["a bowl", bowl([0.2, 1, 0.5, 0.7, 1, 0.3])],
  ["a sum of quartics", quartic(3)],
];

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

/** Inside a tidy. */
function started(potential: Potential): Phase {
  const draw = (name: string, sd: number): Tensor[] =>
    potential.shapes.map((shape, p) => stack(engine.tf, Array.from({ length: CHAINS }, (_, k) => normals(`${name} ${p} ${k}`, sizeOf(shape), sd)), shape)); // prettier-ignore
  return { position: draw("position", 0.3), momentum: draw("momentum", 1) };
}

function pushOf(potential: Potential, position: readonly Tensor[], kick: number, drift: number): Push {
  const { tf } = engine;
  const every = (value: number) => (rank: number) => perMember(tf, new Array<number>(CHAINS).fill(value), rank);
  return {
    gradient: potential.at(tf, position).gradients,
    anchor: position.map((w) => tf.zerosLike(w)),
    t: every(T),
    gamma: every(GAMMA),
    kick: every(kick),
    drift: every(drift),
  };
}

interface Trajectory {
  /** Position and momentum of one time. */
  readonly end: Phase;
  /** H at every point less H at the start, by step and chain. */
  readonly energyErrors: readonly (readonly number[])[];
}

function followed(potential: Potential, start: Phase, epsilon: number, steps: number): Trajectory {
  const { tf } = engine;
  const losses = (position: readonly Tensor[]): number[] => Array.from(potential.at(tf, position).loss.dataSync());
  const base = losses(start.position);
  const energyErrors: number[][] = [];
  let phase = start;
  for (let step = 0; step < steps; step += 1) {
    phase = pushChains(tf, phase, pushOf(potential, phase.position, step === 0 ? epsilon / 2 : epsilon, epsilon));
    const push = pushOf(potential, phase.position, epsilon / 2, 0);
    const sums = measurePhase(tf, { phase, start, push }).dataSync<"float32">();
    const loss = losses(phase.position);
    energyErrors.push(base.map((at, k) => T * (loss[k]! - at) + sums[4 * k]! + GAMMA * sums[4 * k + 1]!));
  }
  return { end: pushChains(tf, phase, pushOf(potential, phase.position, epsilon / 2, 0)), energyErrors };
}

const within = (make: () => void): void => engine.tf.tidy(make);
const rms = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
const valuesOf = ({ position, momentum }: Phase): readonly number[] => [...position, ...momentum].flatMap((tensor) => unstack(tensor).flatMap((values) => [...values])); // prettier-ignore

describe.each(SURFACES)("on %s the leapfrog", (_, potential) => {
  test("comes back to where it started when momenta are turned round", () => {
    within(() => {
      const start = started(potential);
      const { end } = followed(potential, start, 0.05, 40);
      expect(rms(valuesOf(end).map((value, i) => value - valuesOf(start)[i]!))).toBeGreaterThan(0.3);
      const turned = { position: end.position, momentum: end.momentum.map((m) => engine.tf.neg(m)) };
      const { end: back } = followed(potential, turned, 0.05, 40);
      const home = { position: back.position, momentum: back.momentum.map((m) => engine.tf.neg(m)) };
      // Eighty steps of some roundings of numbers below 4.
      const errors = valuesOf(home).map((value, i) => Math.abs(value - valuesOf(start)[i]!));
      expect(Math.max(...errors)).toBeLessThan(80 * 4 * 2 ** -22);
    });
  });

  test("errs in energy by a multiple of eps^2 that does not grow with time", () => {
    within(() => {
      const start = started(potential);
      const errorsAt = (epsilon: number): readonly number[] =>
        followed(potential, start, epsilon, Math.round(2 / epsilon)).energyErrors.map(rms);
      const [coarse, fine] = [errorsAt(0.05), errorsAt(0.025)];
      const ratio = rms(coarse) / rms(fine);
      expect(ratio).toBeGreaterThan(3.6);
      expect(ratio).toBeLessThan(4.6);
      const half = coarse.length / 2;
      expect(rms(coarse.slice(half)) / rms(coarse.slice(0, half))).toBeLessThan(1.5);
    });
  });
});

test("on a bowl the leapfrog keeps the energy of the precision p (1 - eps^2 p / 4) to rounding", () => {
  within(() => {
    // Its shadow Hamiltonian is |m|^2 / 2 + (p / 2) (1 - eps^2 p / 4) |w|^2, exactly.
    const potential = bowl([1, 1, 1]);
    const [epsilon, p] = [0.2, T + GAMMA];
    const start = started(potential);
    const shadows = (phase: Phase): readonly number[] => {
      const [w, m] = [unstack(phase.position[0]!), unstack(phase.momentum[0]!)];
      const square = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
      return w.map((values, k) => square(m[k]!) / 2 + (p / 2) * (1 - (epsilon ** 2 * p) / 4) * square(values));
    };
    const { end, energyErrors } = followed(potential, start, epsilon, 25);
    const before = shadows(start);
    shadows(end).forEach((shadow, k) => expect(Math.abs(shadow / before[k]! - 1)).toBeLessThan(2e-5));
    expect(Math.max(...energyErrors.flat().map(Math.abs))).toBeGreaterThan(0.1);
  });
});
