import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend("wasm"));
});

const ramp = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i) * 10);
const read = (make: () => Tensor): number[] => tf.tidy(() => [...make().dataSync()]);

describe("gather along the first axis", () => {
  test("copies rows bit by bit, whatever their width", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (rows, width, draws) => {
          // prettier-ignore
          const [values, indices] = [ramp(rows * width), draws.map((draw) => draw % rows)];
          const expected = indices.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]);
          expect(read(() => tf.gather(tf.tensor(values, [rows, width]), tf.tensor1d(indices, "int32")))).toEqual(
            expected,
          );
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });

  test("carries NaN and -0, takes indices of any rank and integers, and refuses an index past the rows", () => {
    const table = (): Tensor => tf.tensor2d([[Number.NaN, -0], [1, Number.NEGATIVE_INFINITY]]); // prettier-ignore
    const taken = read(() => tf.gather(table(), tf.tensor2d([[1, 0]], [1, 2], "int32")));
    expect(taken).toEqual([1, Number.NEGATIVE_INFINITY, Number.NaN, -0]);
    expect(read(() => tf.gather(tf.tensor1d([7, 8, 9], "int32"), tf.tensor1d([2, 2, 0], "int32")))).toEqual([9, 9, 7]);
    expect(() => read(() => tf.gather(table(), tf.tensor1d([0, -1], "int32")))).toThrow(
      "index 1 of 2 is not among the 2 rows",
    );
  });

  test("along another axis it is the shipped kernel", () => {
    expect(read(() => tf.gather(tf.tensor2d([[1, 2, 3], [4, 5, 6]]), tf.tensor1d([2, 0], "int32"), 1))).toEqual([3, 1, 6, 4]); // prettier-ignore
  });

  test("has the segment sum as its gradient", () => {
    const gradient = tf.grad((x: Tensor) => tf.sum(tf.mul(tf.gather(x, tf.tensor1d([1, 1, 3], "int32")), tf.tensor2d([[1, 2], [3, 4], [5, 6]])))); // prettier-ignore
    expect(read(() => gradient(tf.zeros([4, 2])))).toEqual([0, 0, 4, 6, 0, 0, 5, 6]);
  });
});

describe("the segment sum", () => {
  test("adds rows in their order, and leaves out segments that are none", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: -2, max: 8 }), { maxLength: 30 }),
        (width, count, segments) => {
          // prettier-ignore
          const values = ramp(segments.length * width);
          const expected = new Float32Array(count * width);
          segments.forEach((segment, i) => {
            if (segment < 0 || segment >= count) return;
            for (let j = 0; j < width; j += 1) expected[segment * width + j]! += values[i * width + j]!;
          });
          const sums = read(() => tf.unsortedSegmentSum(tf.tensor(values, [segments.length, width]), tf.tensor1d(segments, "int32"), count)); // prettier-ignore
          expect(sums).toEqual([...expected]);
        },
      ),
      { numRuns: 100, seed: 2 },
    );
  });

  test("keeps NaN to its own segment", () => {
    const sums = read(() => tf.unsortedSegmentSum(tf.tensor2d([[1], [Number.NaN], [2]]), tf.tensor1d([0, 1, 0], "int32"), 3)); // prettier-ignore
    expect(sums).toEqual([3, Number.NaN, 0]);
  });
});

test("one-hot codes have the dtype that was asked for", () => {
  tf.tidy(() => {
    const codes = tf.oneHot(tf.tensor1d([2, 0, 5], "int32"), 3, 2, -1, "float32");
    expect(codes.dtype).toBe("float32");
    expect([...codes.dataSync()]).toEqual([-1, -1, 2, 2, -1, -1, -1, -1, -1]);
    expect([...tf.oneHot(tf.tensor1d([1], "int32"), 3).dataSync()]).toEqual([0, 1, 0]);
  });
});
