import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { fillIntegers, fillNormal, fillUniform, rootKey, type RandomKey } from "../../../../src/core/random.ts";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { normalCdf } from "../../../../src/stats/normal.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";
import { drawIntegers, philoxNoise, type NoiseSource, type NoiseStream } from "../../../../worker/engine/noise.ts";
import { openKernels } from "../../../../worker/engine/wasm/kernel-module.ts";
import { NORMAL_TOLERANCE } from "../../../../worker/engine/wasm/noise.ts";

let tf: Tf;
let noise: NoiseSource;
beforeAll(async () => {
  ({ tf, noise } = await loadBackend("wasm"));
});

const KEY = rootKey("noise-test");
const AT = { a: 3, b: 5 };
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 511, 512, 513, 1633];
const LARGEST = 0xffffffff;
const MOST_NORMALS = 1_000_000;

function floatsOf(tensor: Tensor): Float32Array {
  const values = tensor.dataSync<"float32">();
  tensor.dispose();
  return values;
}

function integersOf(tensor: Tensor): Int32Array {
  const values = tensor.dataSync<"int32">();
  tensor.dispose();
  return values;
}

const stream = (key: RandomKey, a: number, b: number): NoiseStream => ({ key, a, b });
const one = (tensor: (streams: readonly NoiseStream[]) => Tensor): Float32Array =>
  floatsOf(tensor([stream(KEY, AT.a, AT.b)]));

function reference<T extends Float32Array | Int32Array>(out: T, at: NoiseStream, bound = 0): T {
  if (out instanceof Int32Array) fillIntegers(at.key, at, bound, out);
  else fillUniform(at.key, at, out);
  return out;
}

/** The largest distance of a pair of normals from its reference, relative to the pair's radius sqrt(-2 log u). */
function worstOfPairs(drawn: Float32Array, expected: Float32Array): number {
  let worst = 0;
  for (let i = 0; i + 1 < drawn.length; i += 2) {
    const [x, y] = [expected[i]!, expected[i + 1]!];
    const error = Math.hypot(drawn[i]! - x, drawn[i + 1]! - y) / Math.hypot(x, y);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

function normalsOfReference(at: NoiseStream, count: number): Float32Array {
  const out = new Float32Array(count);
  fillNormal(at.key, at, out);
  return out;
}

describe("draws of the kernel", () => {
  test("are made of the published words of Philox 4x32-10", () => {
    // Random123, tests/kat_vectors: counter 0, key 0. The others have a counter that no stream has; random.test.ts has them.
    const words = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
    const drawn = noise.integers!([stream({ k0: 0, k1: 0 }, 0, 0)], 4, 2 ** 31);
    expect([...integersOf(drawn)].map((value) => value >>> 0)).toEqual(words.map((word) => word >>> 1));
  });

  test.each(LENGTHS)("of %i uniforms and integers are those of the reference bit for bit", (count) => {
    const streams = [
      stream(KEY, AT.a, AT.b),
      stream({ k0: LARGEST, k1: LARGEST }, LARGEST, LARGEST),
      stream({ k0: 0, k1: 1 << 31 }, 0, 1),
    ];
    const uniforms = floatsOf(noise.uniforms(streams, [count]));
    streams.forEach((at, k) => {
      expect(uniforms.subarray(k * count, (k + 1) * count)).toEqual(reference(new Float32Array(count), at));
    });
    for (const bound of [1, 2, 7, 1000, 60_000, 2 ** 21, 2 ** 31 - 1]) {
      const integers = integersOf(noise.integers!(streams, count, bound));
      streams.forEach((at, k) => {
        expect(integers.subarray(k * count, (k + 1) * count)).toEqual(reference(new Int32Array(count), at, bound));
      });
    }
  });

  test.each(LENGTHS)("of %i normals agree with Box and Muller in double precision", (count) => {
    const expected = normalsOfReference(stream(KEY, AT.a, AT.b), count + 1);
    const drawn = one((streams) => noise.normals(streams, [count]));
    drawn.forEach((value, i) => {
      const radius = Math.hypot(expected[i & ~1]!, expected[i | 1]!);
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(NORMAL_TOLERANCE * radius);
    });
  });

  test("agree over a million normals within the stated tolerance, and are finite", () => {
    const drawn = one((streams) => noise.normals(streams, [MOST_NORMALS]));
    expect(worstOfPairs(drawn, normalsOfReference(stream(KEY, AT.a, AT.b), MOST_NORMALS))).toBeLessThan(
      NORMAL_TOLERANCE,
    );
    expect(drawn.every(Number.isFinite)).toBe(true);
  });

  test("are zeros for a member without a stream, and nothing for no member", () => {
    const given = [undefined, stream(KEY, 0, 0), undefined];
    for (const draw of [noise.normals, noise.uniforms]) {
      // Dirt where the outputs will lie.
      tf.ones([3, 5, 7]).dispose();
      const values = floatsOf(draw(given, [5, 7]));
      expect(values.subarray(0, 35).every((value) => value === 0)).toBe(true);
      expect(values.subarray(35, 70).some((value) => value !== 0)).toBe(true);
      expect(values.subarray(70).every((value) => value === 0)).toBe(true);
      expect(draw([], [4]).shape).toEqual([0, 4]);
    }
  });

  test("are the same bits whatever the length, the place and the neighbours", () => {
    const at = stream(KEY, 8, 9);
    for (const draw of [noise.normals, noise.uniforms]) {
      const long = floatsOf(draw([at], [1000]));
      for (const count of [1, 2, 3, 17, 42, 530]) {
        const among = floatsOf(draw([stream(KEY, 1, 1), at, undefined], [count]));
        expect(among.subarray(count, 2 * count)).toEqual(long.subarray(0, count));
      }
    }
  });

  test("follow the reference for any streams and shapes", () => {
    const word = fc.integer({ min: 0, max: LARGEST });
    const streams = fc.array(fc.tuple(word, word, word, word), { maxLength: 5, size: "max" });
    const shape = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 3, size: "max" });
    fc.assert(
      fc.property(streams, shape, fc.integer({ min: 1, max: 2 ** 21 }), (words, dims, bound) => {
        const given = words.map(([k0, k1, a, b]) => stream({ k0, k1 }, a, b));
        const size = dims.reduce((product, length) => product * length, 1);
        const uniforms = floatsOf(noise.uniforms(given, dims));
        const integers = integersOf(noise.integers!(given, size, bound));
        const normals = floatsOf(noise.normals(given, dims));
        given.forEach((at, k) => {
          const part = [k * size, (k + 1) * size] as const;
          expect(uniforms.subarray(...part)).toEqual(reference(new Float32Array(size), at));
          expect(integers.subarray(...part)).toEqual(reference(new Int32Array(size), at, bound));
          expect(worstOfPairs(normals.subarray(...part), normalsOfReference(at, size))).toBeLessThan(NORMAL_TOLERANCE);
        });
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test("integers are the same on a backend without a kernel for them", () => {
    const streams = [stream(KEY, 1, 2), stream(KEY, 2, 2)];
    const by = (source: NoiseSource): Int32Array => integersOf(drawIntegers({ tf, noise: source }, streams, 37, 1000));
    expect(philoxNoise(tf).integers).toBeUndefined();
    expect(by(noise)).toEqual(by(philoxNoise(tf)));
  });

  test("leave nothing behind but their tensor", () => {
    const before = tf.memory();
    noise.normals([stream(KEY, 0, 0), undefined], [3, 5]).dispose();
    noise.integers!([stream(KEY, 0, 0)], 9, 4).dispose();
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
  });
});

/** Words v and w of pairs, on and beside the ends of every range that the transform distinguishes. */
const EDGES = [
  0, 1, 2, 255, 2 ** 23, 2 ** 24 - 1, 2 ** 24, 2 ** 29 - 1, 2 ** 29, 2 ** 30, 2 ** 31 - 129, 2 ** 31 - 1, 2 ** 31,
  2 ** 31 + 1, 3_037_000_300, 3_037_000_499, 3_037_000_500, 3_037_000_800, 3 * 2 ** 29, 5 * 2 ** 29, 7 * 2 ** 29 - 1,
  7 * 2 ** 29, 2 ** 32 - 2 ** 24, 2 ** 32 - 2 ** 23, 2 ** 32 - 257, 2 ** 32 - 128, 2 ** 32 - 3, 2 ** 32 - 2, LARGEST,
]; // prettier-ignore

describe("the transform of words to normals", () => {
  test("keeps its tolerance on the edges of every range, from the largest radius to the smallest", () => {
    const pairs = EDGES.flatMap((v) => EDGES.map((w) => [v, w] as const));
    while (pairs.length % 8 !== 0) pairs.push([0, 0]);
    const drawn = transformed(pairs);
    let [largest, smallest] = [0, Number.POSITIVE_INFINITY];
    pairs.forEach(([v, w], i) => {
      const u = (v + 0.5) / 2 ** 32;
      const radius = Math.sqrt(-2 * (v < 2 ** 31 ? Math.log(u) : Math.log1p(-(LARGEST - v + 0.5) / 2 ** 32)));
      const angle = (2 * Math.PI * w) / 2 ** 32;
      const [x, y] = [drawn[2 * i]!, drawn[2 * i + 1]!];
      const error = Math.hypot(x - radius * Math.cos(angle), y - radius * Math.sin(angle));
      expect(error, `words ${v}, ${w}`).toBeLessThan(NORMAL_TOLERANCE * radius);
      [largest, smallest] = [Math.max(largest, Math.hypot(x, y)), Math.min(smallest, Math.hypot(x, y))];
    });
    expect(largest).toBeCloseTo(Math.sqrt(2 * 33 * Math.LN2), 5);
    expect(smallest / 2 ** -16).toBeCloseTo(1, 5);
  });
});

/** Normals of eight pairs of words a group: four blocks lie with word 0 of all first, then word 1, 2 and 3. */
function transformed(pairs: readonly (readonly [number, number])[]): Float32Array {
  const memory = ownMemory();
  const { normalsOfGroups } = openKernels(memory).exports;
  const at = 1024;
  const words = new Uint32Array(memory.buffer, at, 2 * pairs.length);
  pairs.forEach(([v, w], pair) => {
    const [group, block, half] = [pair >> 3, (pair >> 1) & 3, pair & 1];
    words[16 * group + 8 * half + block] = v;
    words[16 * group + 8 * half + 4 + block] = w;
  });
  normalsOfGroups!(at, pairs.length / 8);
  return new Float32Array(memory.buffer, at, 2 * pairs.length);
}

/** 256 KiB outside of any backend. */
function ownMemory(): WebAssembly.Memory {
  const { Memory } = WebAssembly as unknown as { Memory: new (limits: { initial: number }) => WebAssembly.Memory };
  return new Memory({ initial: 4 });
}

describe("normals of the kernel are normal", () => {
  let draws: Float32Array;
  beforeAll(() => {
    draws = one((streams) => noise.normals(streams, [MOST_NORMALS]));
  });

  test("in their first four moments, within five standard errors", () => {
    const moment = (power: number): number => draws.reduce((sum, x) => sum + x ** power, 0) / MOST_NORMALS;
    // Variances of x, x^2, x^3, x^4 under N(0, 1) are 1, 2, 15, 96.
    for (const [power, value, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) /* prettier-ignore */ {
      expect(Math.abs(moment(power) - value)).toBeLessThan(5 * Math.sqrt(variance / MOST_NORMALS));
    }
  });

  test("in their distribution, by Kolmogorov and Smirnov", () => {
    const sorted = draws.toSorted();
    const distance = sorted.reduce((worst, x, i) => {
      const cdf = normalCdf(x);
      return Math.max(worst, cdf - i / MOST_NORMALS, (i + 1) / MOST_NORMALS - cdf);
    }, 0);
    // P(sqrt(n) D > 2.9) = 2 exp(-2 2.9^2) = 1e-7.
    expect(distance * Math.sqrt(MOST_NORMALS)).toBeLessThan(2.9);
  });

  test("in their tails", () => {
    const beyond = draws.filter((x) => Math.abs(x) > 4).length;
    const expected = 2 * normalCdf(-4) * MOST_NORMALS;
    expect(Math.abs(beyond - expected)).toBeLessThan(5 * Math.sqrt(expected));
  });

  test("and no two lanes, blocks or neighbouring streams know of each other", () => {
    const correlation = (x: Float32Array, y: Float32Array): number =>
      x.reduce((sum, value, i) => sum + value * y[i]!, 0) / x.length;
    const count = MOST_NORMALS - 64;
    for (const lag of [1, 2, 3, 4, 8, 12, 16, 64]) {
      const r = correlation(draws.subarray(0, count), draws.subarray(lag, lag + count));
      expect(Math.abs(r), `lag ${lag}`).toBeLessThan(5 / Math.sqrt(count));
    }
    const size = 100_000;
    const { k0, k1 } = KEY;
    const neighbours = [stream({ k0: k0 + 1, k1 }, 3, 5), stream({ k0, k1: k1 + 1 }, 3, 5), stream(KEY, 4, 5), stream(KEY, 3, 6)]; // prettier-ignore
    const drawn = floatsOf(noise.normals(neighbours, [size]));
    neighbours.forEach((_, k) => {
      const r = correlation(draws.subarray(0, size), drawn.subarray(k * size, (k + 1) * size));
      expect(Math.abs(r), `neighbour ${k}`).toBeLessThan(5 / Math.sqrt(size));
    });
  });
});
