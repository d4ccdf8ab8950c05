/**
 * Draws by TensorFlow's stateless kernels: the words are those of Philox 4x32-10 on the member's key and address, the floats
 * what TensorFlow makes of them. Skipped where TensorFlow is not installed.
 */
import { describe, expect, test } from "vitest";
import { philox, rootKey, type RandomKey } from "../../../src/core/random.ts";
import { normalCdf } from "../../../src/stats/normal.ts";
import { loadBackend } from "../../../worker/engine/backends.ts";
import { philoxNoise, type NoiseStream } from "../../../worker/engine/noise.ts";
import { nativeBackend } from "../../../worker/engine/tensorflow/native-backend.ts";
import { LEAST_KERNEL_DRAWS, tensorflowNoise } from "../../../worker/engine/tensorflow/noise.ts";
import { bitsOf, unstack, type Stack } from "../../support/stacked.ts";

const loaded = await loadBackend("tensorflow").catch(() => undefined);
const SIZE = 1 << 16;

type Draw = "normals" | "uniforms";
type Streams = readonly (NoiseStream | undefined)[];

function drawn(draw: Draw, streams: Streams, shape: readonly number[] = [SIZE]): Stack {
  const { tf } = loaded!;
  return tf.tidy(() => unstack(tensorflowNoise(tf)[draw](streams, shape)) as never);
}

/** Words of blocks 0, 1, ... of a stream. */
function wordsOf({ key, a, b }: NoiseStream, count: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i += 4) philox(key, i >>> 2, 0, a, b, words, i);
  return words;
}

/** TensorFlow's float of a word: 23 bits of mantissa, in [0, 1). */
const unit = (word: number): number => (word & 0x7fffff) / 2 ** 23;

const key = (k0: number, k1: number): RandomKey => ({ k0, k1 });
const STREAMS: readonly NoiseStream[] = [
  { key: rootKey("a member"), a: 0, b: 0 },
  { key: rootKey("a member"), a: 7, b: 3 },
  // Words that are signalling and quiet NaNs, infinities and denormals when they are read as floats.
  { key: key(0x7f800001, 0xffc00000), a: 0xff800001, b: 0x7f800000 },
  { key: key(0xffffffff, 0x00000001), a: 0x80000000, b: 0xffffffff },
];

describe.skipIf(loaded === undefined)("TensorFlow's draws", () => {
  test("are uniforms of Philox's words, exactly, at every address", () => {
    drawn("uniforms", STREAMS).forEach((values, member) => {
      const words = wordsOf(STREAMS[member]!, SIZE);
      expect(
        values.every((value, i) => value === unit(words[i]!)),
        `member ${member}`,
      ).toBe(true);
    });
  });

  test("are normals by Box-Muller of the same words", () => {
    drawn("normals", STREAMS).forEach((values, member) => {
      const words = wordsOf(STREAMS[member]!, SIZE);
      const errors = values.map((value, i) => {
        const [first, second] = [unit(words[i & ~1]!), unit(words[i | 1]!)];
        const radius = Math.sqrt(-2 * Math.log(Math.max(first, 1e-7)));
        const angle = 2 * Math.PI * second;
        return Math.abs(value - radius * (i % 2 === 0 ? Math.sin(angle) : Math.cos(angle)));
      });
      // float32's 2 pi u errs by 2^-22 at u = 1 and radius is at most 5.7: 1.4e-6, and the logarithm's own near u = 1.
      expect(
        errors.every((error) => error < 1e-5),
        `member ${member} errs by ${Math.max(...errors)}`,
      ).toBe(true);
    });
  });

  test("of a member are bitwise the same alone and among others, in any place, and zeros without a stream", () => {
    for (const draw of ["normals", "uniforms"] as const) {
      const [a, b, c] = STREAMS as [NoiseStream, NoiseStream, NoiseStream];
      const together = drawn(draw, [a, undefined, b, undefined, c], [64, 128]);
      for (const [place, stream] of [
        [0, a],
        [2, b],
        [4, c],
      ] as const) {
        // prettier-ignore
        expect(bitsOf(drawn(draw, [stream], [64, 128])[0]!)).toEqual(bitsOf(together[place]!));
      }
      for (const place of [1, 3]) expect(together[place]!.every((value) => value === 0)).toBe(true);
    }
  });

  test("are JavaScript's for less than a kernel's worth, and the kernel's from there", () => {
    const { tf } = loaded!;
    const host = (draw: Draw, shape: readonly number[]): Stack =>
      tf.tidy(() => unstack(philoxNoise(tf)[draw](STREAMS, shape)) as never);
    for (const draw of ["normals", "uniforms"] as const) {
      const [few, many] = [[LEAST_KERNEL_DRAWS - 1], [2, LEAST_KERNEL_DRAWS / 2]];
      expect(drawn(draw, STREAMS, few).map(bitsOf)).toEqual(host(draw, few).map(bitsOf));
      expect(drawn(draw, STREAMS, many).map(bitsOf)).not.toEqual(host(draw, many).map(bitsOf));
    }
  });

  test("are standard normal: four moments within five standard errors, and a Kolmogorov-Smirnov test at 1e-3", () => {
    for (const values of drawn("normals", STREAMS)) {
      const moment = (power: number): number => values.reduce((sum, x) => sum + x ** power, 0) / SIZE;
      for (const [power, expected, variance] of [
        [1, 0, 1],
        [2, 1, 2],
        [3, 0, 15],
        [4, 3, 96],
      ] as const) {
        // prettier-ignore
        expect(Math.abs(moment(power) - expected), `moment ${power}`).toBeLessThan(5 * Math.sqrt(variance / SIZE));
      }
      expect(kolmogorovSmirnov(values, normalCdf)).toBeLessThan(KS_LIMIT);
    }
  });

  test("are uniform by a Kolmogorov-Smirnov test at 1e-3", () => {
    for (const values of drawn("uniforms", STREAMS)) expect(kolmogorovSmirnov(values, (u) => u)).toBeLessThan(KS_LIMIT);
  });

  test("of keys, steps and indices that differ in one bit are uncorrelated", () => {
    const base: NoiseStream = { key: key(0x12345678, 0x9abcdef0), a: 41, b: 6 };
    const neighbours: readonly NoiseStream[] = [
      { ...base, key: key(0x12345679, 0x9abcdef0) },
      { ...base, key: key(0x12345678, 0x1abcdef0) },
      { ...base, a: 40 },
      { ...base, b: 7 },
    ];
    const [own, ...others] = drawn("normals", [base, ...neighbours]) as [Float32Array, ...Float32Array[]];
    for (const other of others) {
      const correlation = own.reduce((sum, value, i) => sum + value * other[i]!, 0) / SIZE;
      expect(Math.abs(correlation)).toBeLessThan(5 / Math.sqrt(SIZE));
    }
  });

  test("leave no tensor and no handle behind", () => {
    const { tf } = loaded!;
    const { binding } = nativeBackend(tf);
    const counts = Array.from({ length: 3 }, () => {
      drawn("normals", [...STREAMS, undefined]);
      drawn("uniforms", STREAMS);
      return [tf.memory().numTensors, binding.getNumOfTensors()];
    });
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[2]).toEqual(counts[0]);
  });

  test("leave no handle behind where a draw fails", () => {
    const { tf } = loaded!;
    const { binding } = nativeBackend(tf);
    const before = binding.getNumOfTensors();
    // 2^43 bytes for each of two members.
    expect(() => drawn("normals", STREAMS.slice(0, 2), [2 ** 21, 2 ** 20])).toThrow(/OOM|allocat/i);
    expect(binding.getNumOfTensors()).toBe(before);
  });
});

/** sqrt(n) D exceeds this with probability 1e-3. */
const KS_LIMIT = 1.95;

/** sqrt(n) sup |F_n - F| */
function kolmogorovSmirnov(values: Float32Array, cdf: (x: number) => number): number {
  const sorted = values.toSorted();
  const gaps = sorted.map((x, i) => Math.max((i + 1) / sorted.length - cdf(x), cdf(x) - i / sorted.length));
  return Math.sqrt(sorted.length) * Math.max(...gaps);
}
