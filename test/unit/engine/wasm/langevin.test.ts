import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { fillNormal, fold, rootKey, type RandomKey } from "../../../../src/core/random.ts";
import type { Tensor } from "../../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../../worker/engine/engine.ts";
import { NORMAL_TOLERANCE } from "../../../../worker/engine/wasm/noise.ts";
import { chainKeys, moveChains, plainMove, type Move } from "../../../../worker/sample/langevin.ts";
import { plainReading, readChains, type Readable } from "../../../../worker/sample/reading.ts";
import type { SamplerState } from "../../../../worker/sample/sampler.ts";
import type { SgldKernel } from "../../../../worker/sample/sgld.ts";
import { bitsOf } from "../../../support/stacked.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

const KERNELS = ["noise-averaged", "classic"] as const;
/** Not multiples of the four lanes, of a group of sixteen draws, of a page of groups. */
const SIZES = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 127, 515];
const BATCHES = 5;
const STEP = 7;
/** The last place of float32. */
const ULP = 2 ** -24;
/** sqrt(-2 log u) at its largest. */
const LARGEST_NORMAL = 6.77;

/** Numbers of `chains` chains, by chain; a chain is moved alone or among others. */
interface Chain {
  readonly key: RandomKey;
  readonly t: number;
  readonly gamma: number;
  readonly epsilon: number;
  readonly row: number;
  /** By parameter: [size] each. */
  readonly position: readonly Float32Array[];
  readonly gradient: readonly Float32Array[];
  readonly anchor: readonly Float32Array[];
  readonly before: readonly Float32Array[];
  /** sqrt(M) */
  readonly root: readonly Float32Array[];
}

/** Which terms of a step act. */
interface Terms {
  readonly corrected: boolean;
  readonly preconditioned: boolean;
}
const EVERY_TERM: Terms = { corrected: true, preconditioned: true };
const TERMS: readonly Terms[] = [true, false].flatMap((corrected) =>
  [true, false].map((preconditioned) => ({ corrected, preconditioned })),
);

function drawn(name: string, size: number): Float32Array {
  const values = new Float32Array(size);
  fillNormal(rootKey(`langevin-test/${name}`), { a: 0, b: 0 }, values);
  return values;
}

/** D and E of all batches, [BATCHES, 2, size] by parameter. */
const tablesOf = (sizes: readonly number[]): readonly Float32Array[] =>
  sizes.map((size, p) => drawn(`table ${p}`, BATCHES * 2 * size));

function chainOf(index: number, sizes: readonly number[]): Chain {
  const of = (name: string): readonly Float32Array[] => sizes.map((size, p) => drawn(`${index} ${name} ${p}`, size));
  return {
    key: fold(rootKey("langevin-test"), "chain", index),
    t: 10 + index,
    gamma: 0.5 * index,
    epsilon: 0.01 / (1 + index),
    row: (3 * index) % BATCHES,
    position: of("position"),
    gradient: of("gradient"),
    anchor: of("anchor"),
    before: of("before"),
    root: of("root").map((values) => values.map((value) => 0.1 + Math.abs(value))),
  };
}

function stacked(
  chains: readonly Chain[],
  of: (chain: Chain) => readonly Float32Array[],
  sizes: readonly number[],
): Tensor[] /* prettier-ignore */ {
  return sizes.map((size, p) => {
    const all = new Float32Array(chains.length * size);
    chains.forEach((chain, k) => all.set(of(chain)[p]!, k * size));
    return engine.tf.tensor2d(all, [chains.length, size]);
  });
}

function given(
  chains: readonly Chain[],
  sizes: readonly number[],
  kernel: SgldKernel,
  { corrected, preconditioned }: Terms,
): {
  state: SamplerState;
  move: Move;
} /* prettier-ignore */ {
  const { tf } = engine;
  const vector = (of: (chain: Chain) => number) => (rank: number) =>
    tf.tensor(chains.map(of), [chains.length, ...Array.from({ length: rank - 1 }, () => 1)], "float32");
  return {
    state: {
      position: stacked(chains, ({ position }) => position, sizes),
      carry: kernel === "classic" ? [] : stacked(chains, ({ before }) => before, sizes),
    },
    move: {
      gradient: stacked(chains, ({ gradient }) => gradient, sizes),
      anchor: stacked(chains, ({ anchor }) => anchor, sizes),
      corrections: corrected ? tablesOf(sizes).map((table, p) => tf.tensor3d(table, [BATCHES, 2, sizes[p]!])) : [],
      rows: tf.tensor1d(Int32Array.from(chains, ({ row }) => row), "int32"), // prettier-ignore
      root: preconditioned ? stacked(chains, ({ root }) => root, sizes) : [],
      keys: chainKeys(tf, chains.map(({ key }) => key)), // prettier-ignore
      step: STEP,
      settings: { t: vector(({ t }) => t), gamma: vector(({ gamma }) => gamma), epsilon: vector((c) => c.epsilon) },
    },
  };
}

type Moved = { readonly position: readonly Float32Array[]; readonly carry: readonly Float32Array[] };
type Mover = (state: SamplerState, move: Move, kernel: SgldKernel) => SamplerState;
const fused: Mover = (state, move, kernel) => moveChains(engine, kernel, state, move);
const plain: Mover = (state, move, kernel) => plainMove(engine, kernel, state, move);

function movedBy(
  mover: Mover,
  chains: readonly Chain[],
  sizes: readonly number[],
  kernel: SgldKernel,
  terms: Terms = EVERY_TERM,
): Moved /* prettier-ignore */ {
  const { tf } = engine;
  const read = (tensors: readonly Tensor[]): readonly Float32Array[] =>
    tensors.map((tensor) => tensor.dataSync<"float32">().slice());
  tf.engine().startScope();
  const { state, move } = given(chains, sizes, kernel, terms);
  const made = mover(state, move, kernel);
  const moved = { position: read(made.position), carry: read(made.carry) };
  tf.engine().endScope();
  return moved;
}

/** One number of one chain in double precision, and the scale of its rounding errors. */
function expected(
  chain: Chain,
  p: number,
  i: number,
  xi: number,
  kernel: SgldKernel,
  correction: number,
  m: number,
): {
  value: number;
  scale: number;
} /* prettier-ignore */ {
  const [t, gamma, epsilon] = [chain.t, chain.gamma, chain.epsilon].map(Math.fround) as [number, number, number];
  const [w, g, w0] = [chain.position[p]![i]!, chain.gradient[p]![i]!, chain.anchor[p]![i]!];
  const noise = kernel === "classic" ? xi : (chain.before[p]![i]! + xi) / 2;
  const step = epsilon * m;
  const value = w - (step / 2) * (t * (g - correction) + gamma * (w - w0)) + Math.sqrt(step) * noise;
  const drift = t * (Math.abs(g) + Math.abs(correction)) + gamma * (Math.abs(w) + Math.abs(w0));
  const scale = Math.abs(w) + (step / 2) * drift + Math.sqrt(step) * LARGEST_NORMAL;
  return { value, scale };
}

function expectMoved(chains: readonly Chain[], sizes: readonly number[], kernel: SgldKernel, terms: Terms): void {
  const { corrected, preconditioned } = terms;
  const moved = movedBy(fused, chains, sizes, kernel, terms);
  const tables = tablesOf(sizes);
  expect(moved.carry.length).toBe(kernel === "classic" ? 0 : sizes.length);
  chains.forEach((chain, k) => {
    sizes.forEach((size, p) => {
      const xi = new Float32Array(size);
      fillNormal(chain.key, { a: STEP, b: p }, xi);
      for (let i = 0; i < size; i += 1) {
        const correction = corrected ? tables[p]![2 * chain.row * size + i]! : 0;
        const m = preconditioned ? chain.root[p]![i]! ** 2 : 1;
        const { value, scale } = expected(chain, p, i, xi[i]!, kernel, correction, m);
        const error = Math.abs(moved.position[p]![k * size + i]! - value);
        // Six roundings, two more of r^2 and r^2 D, and the tolerance of the normals themselves.
        const roundings = preconditioned ? 8 : 6;
        expect(error).toBeLessThanOrEqual((roundings * ULP + NORMAL_TOLERANCE) * scale);
        if (kernel === "noise-averaged") {
          expect(Math.abs(moved.carry[p]![k * size + i]! - xi[i]!)).toBeLessThan(LARGEST_NORMAL * NORMAL_TOLERANCE);
        }
      }
    });
  });
}

describe.each(KERNELS)("a fused step of the %s kernel", (kernel) => {
  test.each(SIZES)("of parameters of %i numbers is the equation in double precision", (size) => {
    const sizes = [size, 3];
    const chains = [0, 1, 2].map((index) => chainOf(index, sizes));
    for (const terms of TERMS) expectMoved(chains, sizes, kernel, terms);
  });

  test("of any number of chains and parameters is the equation", () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 4, size: "max" });
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 6 }), fc.constantFrom(...TERMS), (sizes, count, terms) => {
        expectMoved(Array.from({ length: count }, (_, k) => chainOf(k, sizes)), sizes, kernel, terms); // prettier-ignore
      }),
      { seed: 11, numRuns: 40 },
    );
  });

  test("is the plain step to rounding", () => {
    const sizes = [37, 16, 1];
    const chains = [0, 1, 2, 3].map((index) => chainOf(index, sizes));
    const [one, other] = [movedBy(fused, chains, sizes, kernel), movedBy(plain, chains, sizes, kernel)];
    one.position.forEach((values, p) => {
      values.forEach((value, i) => expect(Math.abs(value - other.position[p]![i]!)).toBeLessThan(1e-6));
    });
    // The normals come from one kernel.
    expect(one.carry).toEqual(other.carry);
  });

  test("gives a chain the same bits alone and among others, whatever these hold", () => {
    const sizes = [33, 5];
    const chain = chainOf(1, sizes);
    const wild = [Number.NaN, Number.POSITIVE_INFINITY, 3.4e38, 1e-45, -0];
    const alone = movedBy(fused, [chain], sizes, kernel);
    const neighbours = wild.map((value, k) => {
      const of = chainOf(10 + k, sizes);
      const filled = of.position.map((values) => values.map(() => value));
      return { ...of, position: filled, gradient: filled, t: value, epsilon: Math.abs(value) };
    });
    const among = movedBy(fused, [...neighbours, chain, ...neighbours], sizes, kernel);
    for (const part of ["position", "carry"] as const) {
      alone[part].forEach((values, p) => {
        const at = neighbours.length * sizes[p]!;
        expect(bitsOf(among[part][p]!.slice(at, at + sizes[p]!))).toEqual(bitsOf(values));
      });
    }
  });

  test("carries what is not finite in a chain's numbers, and in those alone", () => {
    const sizes = [9];
    const chain = chainOf(0, sizes);
    const position = chain.position.map((values) => values.map((value, i) => (i === 4 ? Number.NaN : i === 8 ? Number.NEGATIVE_INFINITY : value))); // prettier-ignore
    const moved = movedBy(fused, [{ ...chain, position }], sizes, kernel).position[0]!;
    expect([...moved].map((value, i) => [i, Number.isFinite(value)])).toEqual([...moved].map((_, i) => [i, i !== 4 && i !== 8])); // prettier-ignore
    expect(moved[4]).toBeNaN();
  });

  test("moves no chains", () => {
    const { position } = movedBy(fused, [], [3], kernel);
    expect(position).toEqual([new Float32Array(0)]);
  });

  test("disposes nothing that it was given and leaves its new state alone", () => {
    const sizes = [5, 2];
    const { tf } = engine;
    tf.tidy(() => {
      const { state, move } = given([chainOf(0, sizes), chainOf(1, sizes)], sizes, kernel, EVERY_TERM);
      move.settings.t(1).dispose();
      const before = tf.memory().numTensors;
      const vectors = { t: move.settings.t(1), gamma: move.settings.gamma(1), epsilon: move.settings.epsilon(1) };
      const settings = { t: () => vectors.t, gamma: () => vectors.gamma, epsilon: () => vectors.epsilon };
      const made = moveChains(engine, kernel, state, { ...move, settings });
      const lent = [
        ...state.position,
        ...state.carry,
        ...move.gradient,
        ...move.anchor,
        ...move.corrections,
        ...move.root,
      ];
      for (const tensor of [...lent, move.rows, move.keys.words]) expect(tensor.isDisposed).toBe(false);
      expect(tf.memory().numTensors).toBe(before + 3 + made.position.length + made.carry.length);
    });
  });
});

const ROWS = [2, 6, 10, 34, 128];

function readable(chains: readonly Chain[], sizes: readonly number[], rows: number, corrected: boolean): Readable {
  const { state, move } = given(chains, sizes, "classic", { corrected, preconditioned: false });
  const losses = engine.tf.tensor2d(drawn("losses", chains.length * rows), [chains.length, rows]);
  const base = engine.tf.tensor2d(drawn("base", BATCHES * rows), [BATCHES, rows]);
  return { ...move, position: state.position, losses, base };
}

const dot = (a: Float32Array, b: Float32Array): { value: number; scale: number } =>
  a.reduce((sum, x, i) => ({ value: sum.value + x * b[i]!, scale: sum.scale + Math.abs(x * b[i]!) }), { value: 0, scale: 0 }); // prettier-ignore

/** Readings of one chain in double precision with the scales of their errors: both halves, and the square. */
function expectedReading(
  chain: Chain,
  k: number,
  sizes: readonly number[],
  rows: number,
  corrected: boolean,
): readonly {
  value: number;
  scale: number;
}[] /* prettier-ignore */ {
  const [losses, base, tables] = [drawn("losses", (k + 1) * rows), drawn("base", BATCHES * rows), tablesOf(sizes)];
  const deltas = chain.position.map((w, p) => w.map((value, i) => value - chain.anchor[p]![i]!));
  const squares = dot(Float32Array.from(deltas.flatMap((d) => [...d])), Float32Array.from(deltas.flatMap((d) => [...d]))); // prettier-ignore
  const half = corrected ? rows / 2 : rows;
  const halves = [0, 1].map((h) => {
    let [value, scale] = [0, 0];
    for (let i = 0; i < half; i += 1) {
      const at = (corrected ? h * half : 0) + i;
      const [l, b] = [losses[k * rows + at]!, base[chain.row * rows + at]!];
      value += (l - b) / half;
      scale += (Math.abs(l) + Math.abs(b)) / half;
    }
    if (!corrected) return { value, scale };
    deltas.forEach((delta, p) => {
      const size = sizes[p]!;
      const part = (which: 0 | 1): Float32Array => tables[p]!.subarray((2 * chain.row + which) * size, (2 * chain.row + which + 1) * size); // prettier-ignore
      const [middle, apart] = [dot(delta, part(0)), dot(delta, part(1))];
      value -= middle.value + (h === 0 ? apart.value : -apart.value);
      scale += middle.scale + apart.scale;
    });
    return { value, scale };
  });
  return [...halves, squares];
}

describe("a fused reading", () => {
  test.each(ROWS)("of batches of %i rows is the equation in double precision, and the plain reading", (rows) => {
    const sizes = [37, 1, 8];
    const chains = [0, 1, 2].map((index) => chainOf(index, sizes));
    for (const corrected of [true, false]) {
      engine.tf.tidy(() => {
        const of = readable(chains, sizes, rows, corrected);
        for (const read of [readChains, plainReading]) {
          const { differences, squares } = read(engine.tf, of);
          const [d, s] = [differences.dataSync(), squares.dataSync()];
          chains.forEach((chain, k) => {
            const bound = (rows + 46) * ULP;
            const got = [d[2 * k]!, d[2 * k + 1]!, s[k]!];
            expectedReading(chain, k, sizes, rows, corrected).forEach(({ value, scale }, i) => {
              expect(Math.abs(got[i]! - value)).toBeLessThan(bound * scale);
            });
          });
        }
      });
    }
  });

  test("gives a chain the same bits alone and beside one that is not finite", () => {
    const sizes = [33, 5];
    const chain = chainOf(1, sizes);
    const { position, ...rest } = chainOf(2, sizes);
    const lost = { ...rest, position: position.map((values) => values.fill(Number.NaN)) };
    engine.tf.tidy(() => {
      const { tf } = engine;
      const [alone, among] = [[chain], [chain, lost]].map((chains) =>
        readChains(tf, readable(chains, sizes, 10, true)),
      );
      expect([...among!.differences.dataSync()].slice(0, 2)).toEqual([...alone!.differences.dataSync()]);
      expect(among!.squares.dataSync()[0]).toBe(alone!.squares.dataSync()[0]);
      expect([...among!.differences.dataSync()].slice(2)).toEqual([Number.NaN, Number.NaN]);
      expect(among!.squares.dataSync()[1]).toBeNaN();
    });
  });
});
