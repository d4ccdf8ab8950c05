import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { ownKernel } from "../../../../src/catalogue/own-kernel.ts";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";
import { bitsOf, normals, sizeOf } from "../../../support/stacked.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend("wasm"));
});

const read = (make: () => Tensor): Float32Array => tf.tidy(() => make().dataSync<"float32">());

/** Sums of numbers [blocks, length, width] over the middle, and the sums of their absolute values, in double precision. */
function reference(x: Float32Array, blocks: number, length: number, width: number) {
  const [sums, sizes] = [new Float64Array(blocks * width), new Float64Array(blocks * width)];
  for (let b = 0; b < blocks; b += 1)
    for (let i = 0; i < length; i += 1)
      for (let j = 0; j < width; j += 1) {
        const value = x[(b * length + i) * width + j]!;
        sums[b * width + j]! += value;
        sizes[b * width + j]! += Math.abs(value);
      }
  return { sums, sizes };
}

describe.each(["sum", "mean"] as const)("%s", (name) => {
  test("is within the error of its additions, over any neighbouring axes of random shapes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        (lengths, a, b, keepDims) => {
          // One long axis, so that vectors of sixteen and all that is left of them come by.
          const shape = lengths.map((length, i) => (i === a % lengths.length ? 7 * length : length));
          const first = a % shape.length;
          const last = first + (b % (shape.length - first));
          const x = normals(`x/${shape.join()}`, sizeOf(shape));
          const blocks = sizeOf(shape.slice(0, first));
          const length = sizeOf(shape.slice(first, last + 1));
          const width = sizeOf(shape.slice(last + 1));
          const { sums, sizes } = reference(x, blocks, length, width);
          const axes = Array.from({ length: last - first + 1 }, (_, i) =>
            i % 2 === 0 ? first + i : first + i - shape.length,
          );
          const actual = read(() => tf[name](tf.tensor(x, shape), axes, keepDims));
          expect(actual).toHaveLength(sums.length);
          const divisor = name === "mean" ? length : 1;
          actual.forEach((value, i) => {
            if (name === "mean" && length === 0) expect(value).toBeNaN();
            else
              expect(Math.abs(value - sums[i]! / divisor)).toBeLessThanOrEqual(
                (2 ** -24 * (length + 1) * sizes[i]!) / divisor,
              );
          });
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  test("shapes its result as TensorFlow.js does", () => {
    const shapes = tf.tidy(() => {
      const x = tf.ones([2, 3, 4]);
      return [tf[name](x), tf[name](x, 1), tf[name](x, -1, true), tf[name](x, [0, 1], true), tf[name](x, [])].map(({ shape }) => shape) as never; // prettier-ignore
    });
    expect(shapes).toEqual([[], [2, 4], [2, 3, 1], [1, 1, 4], [2, 3, 4]]);
  });

  test("of a member has the same bits at any place, beside any others", () => {
    for (const [length, width] of [
      [5, 1],
      [100, 1],
      [3, 5],
      [33, 21],
      [128, 32],
    ] as const) /* prettier-ignore */ {
      const members = ["a", "b", "c"].map((member) => normals(member, length * width));
      const all = Float32Array.from(members.flatMap((values) => [...values]));
      const together = read(() => tf[name](tf.tensor3d(all, [3, length, width]), 1));
      members.forEach((values, k) => {
        const alone = read(() => tf[name](tf.tensor3d(values, [1, length, width]), 1));
        expect(bitsOf(together.slice(k * width, (k + 1) * width))).toEqual(bitsOf(alone));
      });
    }
  });

  test("carries NaN and infinity to their own sum alone, and takes axes that are not neighbours and integers", () => {
    const x = tf.tensor2d([[1, NaN, 2], [Infinity, 1, 1], [Infinity, -Infinity, 0], [1, 2, 3]]); // prettier-ignore
    const rows = [...read(() => tf[name](x, 1))];
    expect(rows).toEqual([NaN, Infinity, NaN, name === "sum" ? 6 : 2]);
    x.dispose();
    expect([...read(() => tf[name](tf.ones([2, 3, 4]), [0, 2]))]).toEqual(Array(3).fill(name === "sum" ? 8 : 1));
    expect([...read(() => tf[name](tf.tensor2d([[1, 3], [5, 9]], [2, 2], "int32"), 1))]).toEqual(name === "sum" ? [4, 14] : [2, 7]); // prettier-ignore
  });
});

describe("the count of hits", () => {
  const hits = (a: Float32Array, b: Float32Array, shape: [number, number, number]): number[] => [
    ...read(() => ownKernel(tf, "OccamHits", { a: tf.tensor3d(a, shape), b: tf.tensor3d(b, shape) })![0]!),
  ];

  test("is that of argMax, ties included, over random shapes", () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12 })),
        fc.nat(),
        (shape, seed) => {
          // Few different numbers, so that many are equal.
          const draw = (name: string): Float32Array => normals(`${name}/${seed}`, sizeOf(shape)).map(Math.round);
          const [a, b] = [draw("a"), draw("b")];
          const expected = read(() => {
            const [x, y] = [tf.argMax(tf.tensor3d(a, shape), -1), tf.argMax(tf.tensor3d(b, shape), -1)];
            return tf.sum(tf.cast(tf.equal(x, y), "float32"), -1);
          });
          expect(hits(a, b, shape)).toEqual([...expected]);
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });

  test("takes the first of equal numbers, and no NaN for a largest but where it stands first", () => {
    const a = Float32Array.of(1, 1, 0, /**/ NaN, 5, 9, /**/ 1, NaN, 2);
    const b = Float32Array.of(1, 0, 0, /**/ 1, 0, 0, /**/ 0, 0, 1);
    expect(hits(a, b, [1, 3, 3])).toEqual([3]);
    expect(hits(b, a, [3, 1, 3])).toEqual([1, 1, 1]);
  });
});
