/** Keyed noise from the WGSL kernel, against the published vectors and the reference in JavaScript. */
import { beforeAll, describe, expect, test } from "vitest";
import { fillIntegers, fillNormal, fillUniform, fold, rootKey, type RandomKey } from "../../../src/core/random.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import { loadWebgpu } from "../../../worker/engine/webgpu/load.ts";
import { NORMAL_TOLERANCE } from "../../../worker/engine/webgpu/noise.ts";
import type { NoiseSource, NoiseStream } from "../../../worker/engine/noise.ts";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

const KEY = rootKey("webgpu noise");
/** Every bit of a 32-bit word, a sign bit included. */
const STREAMS: readonly NoiseStream[] = [
  { key: KEY, a: 0, b: 0 },
  { key: { k0: 0xffffffff, k1: 0x80000000 }, a: 0xffffffff, b: 7 },
  { key: fold(KEY, "third"), a: 12, b: 0xdeadbeef },
];

type Fill = (key: RandomKey, address: NoiseStream, out: Float32Array) => void;

function reference(fill: Fill, stream: NoiseStream, size: number): Float32Array {
  const out = new Float32Array(size);
  fill(stream.key, stream, out);
  return out;
}

describe.skipIf(WEBGPU_MISSING !== undefined)(`noise on webgpu (${WEBGPU_MISSING ?? "available"})`, () => {
  let tf: Tf;
  let noise: NoiseSource;
  beforeAll(async () => {
    ({ tf, noise } = await loadWebgpu());
  });

  /** The draws of each stream. */
  function drawn(
    kind: "normals" | "uniforms",
    streams: readonly (NoiseStream | undefined)[],
    shape: readonly number[],
  ) {
    return tf.tidy(() => {
      const tensor = noise[kind](streams, shape);
      expect(tensor.shape).toEqual([streams.length, ...shape]);
      expect(tensor.dtype).toBe("float32");
      const values = tensor.dataSync<"float32">();
      const size = values.length / streams.length;
      return streams.map((_, k) => values.slice(k * size, (k + 1) * size)) as never;
    }) as unknown as readonly Float32Array[];
  }

  test("the published vectors of Philox 4x32-10 come out of its words", () => {
    // Random123 1.14, kat_vectors: counter and key all 0, and all 0xffffffff. Ours has counter (block, 0, a, b).
    const [words] = drawn("uniforms", [{ key: { k0: 0, k1: 0 }, a: 0, b: 0 }], [4]);
    const published = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
    expect([...words!]).toEqual(published.map((word) => (word >>> 8) / 2 ** 24));
  });

  test.each([1, 2, 3, 4, 5, 63, 64, 257, 10_000])("%i uniforms are bitwise those of the reference", (size) => {
    drawn("uniforms", STREAMS, [size]).forEach((values, k) =>
      expect(values).toEqual(reference(fillUniform, STREAMS[k]!, size)),
    );
  });

  test.each([1, 2, 3, 4, 5, 63, 64, 257, 10_000])("%i normals are those of the reference within tolerance", (size) => {
    drawn("normals", STREAMS, [size]).forEach((values, k) => {
      const expected = reference(fillNormal, STREAMS[k]!, size);
      const error = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      expect(error).toBeLessThan(NORMAL_TOLERANCE);
      expect(values.every(Number.isFinite)).toBe(true);
    });
  });

  test("a quarter of a million normals, the far tails and the words beside 1 among them, are within tolerance", () => {
    const [values] = drawn("normals", [STREAMS[2]!], [500, 500]);
    const expected = reference(fillNormal, STREAMS[2]!, 250_000);
    const error = values!.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(error).toBeLessThan(NORMAL_TOLERANCE);
    // Rounding is not a bias: the mean error is far below one unit in the last place of 1.
    const bias = values!.reduce((sum, value, i) => sum + value - expected[i]!, 0) / 250_000;
    expect(Math.abs(bias)).toBeLessThan(2e-9);
  });

  test("integers are the reference's for every bound, small, odd and beyond the kernel's own", () => {
    for (const bound of [1, 2, 60_000, 2 ** 21, 2 ** 21 + 1, 2 ** 31 - 1]) {
      tf.tidy(() => {
        const tensor = noise.integers!(STREAMS, 1001, bound);
        expect(tensor.shape).toEqual([3, 1001]);
        expect(tensor.dtype).toBe("int32");
        const expected = STREAMS.flatMap((stream) => {
          const out = new Int32Array(1001);
          fillIntegers(stream.key, stream, bound, out);
          return [...out];
        });
        expect([...tensor.dataSync()]).toEqual(expected);
      });
    }
  });

  test("a member without a stream gets zeros, also in memory that held other numbers", () => {
    for (let repeat = 0; repeat < 3; repeat += 1) {
      const [first, none, last] = drawn("normals", [STREAMS[0], undefined, STREAMS[1]], [7, 11]);
      expect(none).toEqual(new Float32Array(77));
      expect(first!.every((value) => value !== 0)).toBe(true);
      expect(last).not.toEqual(first);
    }
  });

  test("a stream's draws do not depend on its place, its neighbours or the shape", () => {
    const [alone] = drawn("normals", [STREAMS[1]!], [130]);
    const [, beside] = drawn("normals", [STREAMS[0], STREAMS[1]], [10, 13]);
    const [longer] = drawn("normals", [STREAMS[1]!], [131]);
    expect(beside).toEqual(alone);
    expect(longer!.subarray(0, 130)).toEqual(alone);
  });

  test("it leaves one tensor, and no memory once that is disposed", () => {
    const before = tf.memory();
    const tensor = noise.normals(STREAMS, [100]);
    expect(tf.memory().numTensors).toBe(before.numTensors + 1);
    tensor.dataSync();
    tensor.dispose();
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
  });
});
