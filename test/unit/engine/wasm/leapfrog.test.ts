import { afterAll, beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { hasOwnKernel } from "../../../../src/catalogue/own-kernel.ts";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { measurePhase, plainPhase, plainPush, pushChains, type Measured } from "../../../../worker/sample/leapfrog.ts";
import type { Phase, Push } from "../../../../worker/sample/leapfrog.ts";
import { bitsOf, normals, perMember, sizeOf, stack, unstack } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

/** Not multiples of the four lanes. */
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 127, 515];
/** Half a unit in the last place of float32 at 1. */
const ULP = 2 ** -24;

const LISTS = ["position", "momentum", "gradient", "anchor", "startPosition", "startMomentum"] as const;
const NUMBERS = ["t", "gamma", "kick", "drift"] as const;

/** One chain: arrays by parameter, and its own numbers, as float32 holds them. */
type Chain = Readonly<Record<(typeof LISTS)[number], readonly Float32Array[]>> &
  Readonly<Record<(typeof NUMBERS)[number], number>>;
type Shapes = readonly (readonly number[])[];

function chainOf(index: number, shapes: Shapes): Chain {
  const lists = LISTS.map((list) => [list, shapes.map((shape, p) => normals(`${index} ${list} ${p}`, sizeOf(shape)))]);
  const numbers = { t: 10 + index, gamma: 0.5 * index, kick: 0.03 / (1 + index), drift: 0.07 / (1 + index) };
  return {
    ...Object.fromEntries(lists),
    ...Object.fromEntries(Object.entries(numbers).map(([k, v]) => [k, Math.fround(v)])),
  };
}

/** The chains stacked: inside a tidy. */
function stacked(tf: Tf, chains: readonly Chain[], shapes: Shapes): Measured & { readonly push: Push } {
  const list = (name: (typeof LISTS)[number]): Tensor[] =>
    shapes.map((shape, p) => stack(tf, chains.map((chain) => chain[name][p]!), shape)); // prettier-ignore
  const number = (name: (typeof NUMBERS)[number]) => (rank: number) => perMember(tf, chains.map((chain) => chain[name]), rank); // prettier-ignore
  return {
    phase: { position: list("position"), momentum: list("momentum") },
    start: { position: list("startPosition"), momentum: list("startMomentum") },
    push: {
      gradient: list("gradient"),
      anchor: list("anchor"),
      t: number("t"),
      gamma: number("gamma"),
      kick: number("kick"),
      drift: number("drift"),
    },
  };
}

/** Values read within a tidy, by chain. */
function read(tf: Tf, make: () => readonly Tensor[]): readonly (readonly Float32Array[])[] {
  return tf.tidy(() => make().map(unstack) as never);
}

type Pusher = typeof pushChains;

function pushed(tf: Tf, push: Pusher, chains: readonly Chain[], shapes: Shapes) {
  const values = read(tf, () => {
    const given = stacked(tf, chains, shapes);
    const made = push(tf, given.phase, given.push);
    return [...made.position, ...made.momentum];
  });
  return { position: values.slice(0, shapes.length), momentum: values.slice(shapes.length) };
}

/** [chain][sum] */
function measured(tf: Tf, measure: typeof measurePhase, chains: readonly Chain[], shapes: Shapes) {
  return read(tf, () => [measure(tf, stacked(tf, chains, shapes))])[0]!;
}

/** In double precision with the scale of its rounding errors. */
interface Exact {
  readonly value: number;
  readonly scale: number;
}

/** p - kick (t g + gamma (w - w0)) */
function kicked(chain: Chain, p: number, i: number): Exact {
  const [w, m, g, w0] = [chain.position, chain.momentum, chain.gradient, chain.anchor].map((list) => list[p]![i]!) as [number, number, number, number]; // prettier-ignore
  const { t, gamma, kick } = chain;
  return {
    value: m - kick * (t * g + gamma * (w - w0)),
    scale: Math.abs(m) + kick * (t * Math.abs(g) + gamma * (Math.abs(w) + Math.abs(w0))),
  };
}

function expectPushed(tf: Tf, push: Pusher, chains: readonly Chain[], shapes: Shapes): void {
  const got = pushed(tf, push, chains, shapes);
  chains.forEach((chain, k) => {
    shapes.forEach((shape, p) => {
      for (let i = 0; i < sizeOf(shape); i += 1) {
        const momentum = kicked(chain, p, i);
        const w = chain.position[p]![i]!;
        const position = w + chain.drift * momentum.value;
        const scale = Math.abs(w) + chain.drift * momentum.scale;
        // Six roundings of a momentum, two more of a position.
        expect(Math.abs(got.momentum[p]![k]![i]! - momentum.value)).toBeLessThanOrEqual(6 * ULP * momentum.scale);
        expect(Math.abs(got.position[p]![k]![i]! - position)).toBeLessThanOrEqual(8 * ULP * scale);
      }
    });
  });
}

/** The four sums of a chain. */
function sumsOf(chain: Chain, shapes: Shapes): readonly Exact[] {
  const sums = Array.from({ length: 4 }, () => ({ value: 0, scale: 0 }));
  const add = (sum: number, value: number, scale: number): void => {
    sums[sum]!.value += value;
    sums[sum]!.scale += scale;
  };
  shapes.forEach((shape, p) => {
    for (let i = 0; i < sizeOf(shape); i += 1) {
      const m = kicked(chain, p, i);
      const [w, w0, g, s, m0] = [chain.position, chain.anchor, chain.gradient, chain.startPosition, chain.startMomentum].map((list) => list[p]![i]!) as [number, number, number, number, number]; // prettier-ignore
      const [far, moved] = [Math.abs(w) + Math.abs(w0), Math.abs(w) + Math.abs(s)];
      add(0, (m.value ** 2 - m0 ** 2) / 2, (m.scale + Math.abs(m0)) ** 2 / 2);
      add(1, ((w - w0) ** 2 - (s - w0) ** 2) / 2, moved * (far + moved / 2));
      add(2, (w - w0) ** 2, far ** 2);
      add(3, (w - w0) * g, far * Math.abs(g));
    }
  });
  return sums;
}

function expectMeasured(tf: Tf, measure: typeof measurePhase, chains: readonly Chain[], shapes: Shapes): void {
  const got = measured(tf, measure, chains, shapes);
  const count = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
  chains.forEach((chain, k) => {
    sumsOf(chain, shapes).forEach(({ value, scale }, sum) => {
      // Adding up takes as many roundings as there are numbers at the most, each number up to sixteen.
      expect(Math.abs(got[k]![sum]! - value)).toBeLessThanOrEqual((count + 16) * ULP * scale);
    });
  });
}

describe.each(WASM_BUILDS)("the leapfrog kernels, %s build", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
    for (const name of ["OccamLeapfrog", "OccamPhase"] as const) expect(hasOwnKernel(tf, name)).toBe(true);
  });
  afterAll(() => close());

  const three = (shapes: Shapes): readonly Chain[] => [0, 1, 2].map((index) => chainOf(index, shapes));

  test.each(SIZES)("are the equations in double precision, as the plain operations are, for %i numbers", (size) => {
    const shapes = [[size]];
    expectPushed(tf, pushChains, three(shapes), shapes);
    expectMeasured(tf, measurePhase, three(shapes), shapes);
    withoutOwnKernels(tf, () => {
      expectPushed(tf, plainPush, three(shapes), shapes);
      expectMeasured(tf, plainPhase, three(shapes), shapes);
    });
  });

  test("take parameters of any ranks and sizes together", () => {
    const some = fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 4 }), (shapes, members) => {
        const chains = Array.from({ length: members }, (_, index) => chainOf(index, shapes));
        expectPushed(tf, pushChains, chains, shapes);
        expectMeasured(tf, measurePhase, chains, shapes);
        const made = pushed(tf, pushChains, chains, shapes);
        expect(made.position.map((parameter) => parameter.map(({ length }) => length))).toEqual(
          shapes.map((shape) => chains.map(() => sizeOf(shape))),
        );
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1e38])(
    "give a chain the same bits alone and beside chains of %f",
    (wild) => {
      const shapes = [[33], [2, 3], [1]];
      const chain = chainOf(3, shapes);
      const filled = Object.fromEntries(
        LISTS.map((list) => [list, chain[list].map((values) => values.map(() => wild))]),
      );
      const neighbour: Chain = { ...chain, ...filled, t: wild, gamma: wild, kick: wild, drift: wild };
      const among = [neighbour, neighbour, chain, neighbour];
      const [alone, beside] = [[chain], among].map((chains) => pushed(tf, pushChains, chains, shapes));
      for (const part of ["position", "momentum"] as const) {
        shapes.forEach((_, p) => expect(bitsOf(beside![part][p]![2]!)).toEqual(bitsOf(alone![part][p]![0]!)));
      }
      const [single, several] = [[chain], among].map((chains) => measured(tf, measurePhase, chains, shapes));
      expect(bitsOf(several![2]!)).toEqual(bitsOf(single![0]!));
    },
  );

  test("carry what is not finite in a chain's numbers, and in those alone", () => {
    const shapes = [[9], [2]];
    const chain = chainOf(0, shapes);
    const position = [chain.position[0]!.map((value, i) => (i === 4 || i === 8 ? Number.NaN : value)), chain.position[1]!]; // prettier-ignore
    const { position: moved } = pushed(tf, pushChains, [{ ...chain, position }], shapes);
    expect([...moved[0]![0]!].map(Number.isFinite)).toEqual(Array.from({ length: 9 }, (_, i) => i !== 4 && i !== 8));
    expect([...moved[1]![0]!].every(Number.isFinite)).toBe(true);
    expect([...measured(tf, measurePhase, [{ ...chain, position }], shapes)[0]!].every(Number.isNaN)).toBe(true);
  });

  test("lose nothing of a small change of energy in large numbers", () => {
    // |p| and |w - w0| are 1e3 and change by 2^-10: a difference of float32 squares of 1e6 would be off by 0.06 a number.
    const shapes = [[101]];
    const far = new Float32Array(101).fill(1024);
    const near = new Float32Array(101).fill(1024 - 2 ** -10);
    const chain: Chain = {
      ...chainOf(0, shapes),
      position: [far],
      momentum: [far],
      anchor: [new Float32Array(101)],
      startPosition: [near],
      startMomentum: [near],
      kick: 0,
    };
    const exact = (101 * (1024 ** 2 - (1024 - 2 ** -10) ** 2)) / 2;
    for (const measure of [measurePhase, plainPhase]) {
      const [kinetic, pull] = measured(tf, measure, [chain], shapes)[0]!;
      expect(Math.abs(kinetic! / exact - 1)).toBeLessThan(101 * ULP);
      expect(Math.abs(pull! / exact - 1)).toBeLessThan(101 * ULP);
    }
  });

  test("dispose nothing that they were given and leave their results alone", () => {
    const shapes = [[5], [2, 2]];
    tf.tidy(() => {
      const { phase, start, push } = stacked(tf, three(shapes), shapes);
      const numbers = { t: push.t(1), gamma: push.gamma(1), kick: push.kick(1), drift: push.drift(1) };
      const lent = { ...push, t: () => numbers.t, gamma: () => numbers.gamma, kick: () => numbers.kick, drift: () => numbers.drift }; // prettier-ignore
      const before = tf.memory().numTensors;
      const made = pushChains(tf, phase, lent);
      const sums = measurePhase(tf, { phase, start, push: lent });
      const parts: readonly Phase[] = [phase, start];
      for (const { position, momentum } of parts) {
        for (const tensor of [...position, ...momentum]) expect(tensor.isDisposed).toBe(false);
      }
      for (const tensor of [...push.gradient, ...push.anchor, ...Object.values(numbers)]) expect(tensor.isDisposed).toBe(false); // prettier-ignore
      expect(sums.shape).toEqual([3, 4]);
      expect(tf.memory().numTensors).toBe(before + made.position.length + made.momentum.length + 1);
    });
  });
});
