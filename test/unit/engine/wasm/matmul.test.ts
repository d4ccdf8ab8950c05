import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { fillNormal, rootKey } from "../../../../src/core/random.ts";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { sizeOf } from "../../../support/stacked.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend("wasm"));
});

interface Product {
  readonly batchA: readonly number[];
  readonly batchB: readonly number[];
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

const shapeOf = (batch: readonly number[], rows: number, columns: number, transposed: boolean): number[] =>
  transposed ? [...batch, columns, rows] : [...batch, rows, columns];

function drawn(shape: readonly number[], name: string): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  fillNormal(rootKey(name), { a: 0, b: 0 }, values);
  return values;
}

/** In float64, with sum |a b| beside each element, the scale of its rounding errors. One batch that both share, or one matrix. */
function reference(given: Product, a: Float32Array, b: Float32Array): { value: number; scale: number }[] {
  const { batchA, batchB, rows, inner, columns, transposeA, transposeB } = given;
  const batch = Math.max(sizeOf(batchA), sizeOf(batchB));
  const out: { value: number; scale: number }[] = [];
  for (let m = 0; m < batch; m += 1) {
    const [atA, atB] = [(m % sizeOf(batchA)) * rows * inner, (m % sizeOf(batchB)) * inner * columns];
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < columns; j += 1) {
        let [value, scale] = [0, 0];
        for (let k = 0; k < inner; k += 1) {
          const x = a[atA + (transposeA ? k * rows + i : i * inner + k)]!;
          const y = b[atB + (transposeB ? j * inner + k : k * columns + j)]!;
          value += x * y;
          scale += Math.abs(x * y);
        }
        out.push({ value, scale });
      }
    }
  }
  return out;
}

function multiplied(given: Product, a: Float32Array, b: Float32Array): Float32Array {
  const { batchA, batchB, rows, inner, columns, transposeA, transposeB } = given;
  return tf.tidy(() => {
    const x = tf.tensor(a, shapeOf(batchA, rows, inner, transposeA));
    const y = tf.tensor(b, shapeOf(batchB, inner, columns, transposeB));
    return tf.matMul(x, y, transposeA, transposeB).dataSync<"float32">();
  });
}

/** |error| of a float32 sum of n products, added up one after the other, is at most (n + 1) 2^-24 sum |a b|. */
function expectClose(given: Product): void {
  const [a, b] = [
    drawn(shapeOf(given.batchA, given.rows, given.inner, given.transposeA), "a"),
    drawn(shapeOf(given.batchB, given.inner, given.columns, given.transposeB), "b"),
  ];
  const expected = reference(given, a, b);
  const values = multiplied(given, a, b);
  expect(values).toHaveLength(expected.length);
  const bound = (given.inner + 1) * 2 ** -24;
  expected.forEach(({ value, scale }, i) => expect(Math.abs(values[i]! - value)).toBeLessThanOrEqual(bound * scale));
}

const FORMS = [false, true].flatMap((transposeA) => [false, true].map((transposeB) => ({ transposeA, transposeB })));

describe("the batched product", () => {
  test.each(FORMS)("agrees with float64 for every remainder of its tiles, $transposeA $transposeB", (form) => {
    for (const rows of [1, 3, 4, 5, 9])
      for (const columns of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17])
        for (const inner of [1, 3, 4, 9]) expectClose({ batchA: [3], batchB: [3], rows, inner, columns, ...form });
  });

  test("agrees with float64 over random shapes, forms and broadcast batches", () => {
    const length = fc.integer({ min: 1, max: 41 });
    const batches = fc.constantFrom<readonly [number[], number[]]>([[1], [1]], [[4], [4]], [[1], [5]], [[3], [1]], [[2, 3], [2, 3]]); // prettier-ignore
    fc.assert(
      fc.property(
        batches,
        length,
        length,
        length,
        fc.boolean(),
        fc.boolean(),
        (batch, rows, inner, columns, transposeA, transposeB) =>
          // prettier-ignore
          expectClose({ batchA: batch[0], batchB: batch[1], rows, inner, columns, transposeA, transposeB }),
      ),
      { numRuns: 150, seed: 1 },
    );
  });

  test.each(FORMS)(
    "agrees with float64 where it packs a matrix too large for the cache, $transposeA $transposeB",
    (form) => {
      expectClose({ batchA: [1], batchB: [1], rows: 66, inner: 260, columns: 301, ...form });
    },
  );

  test("broadcasts batches axis by axis", () => {
    const [a, b] = [drawn([2, 1, 3, 4], "a"), drawn([5, 4, 2], "b")];
    tf.tidy(() => {
      const [x, y] = [tf.tensor(a, [2, 1, 3, 4]), tf.tensor(b, [5, 4, 2])];
      const product = tf.matMul(x, y);
      expect(product.shape).toEqual([2, 5, 3, 2]);
      const at = (i: number, j: number): Tensor =>
        tf.matMul(tf.reshape(tf.slice(x, [i, 0, 0, 0], [1, 1, 3, 4]), [3, 4]), tf.reshape(tf.slice(y, [j, 0, 0], [1, 4, 2]), [4, 2])); // prettier-ignore
      const one = tf.reshape(tf.slice(product, [1, 3, 0, 0], [1, 1, 3, 2]), [3, 2]);
      expect([...one.dataSync()]).toEqual([...at(1, 3).dataSync()]);
    });
  });

  test("gives each member the bits that it has alone, at any place in the batch", () => {
    const [members, rows, inner, columns] = [7, 13, 19, 11];
    const [a, b] = [drawn([members, rows, inner], "a"), drawn([members, inner, columns], "b")];
    const given = { rows, inner, columns, transposeA: false, transposeB: false };
    const fused = multiplied({ ...given, batchA: [members], batchB: [members] }, a, b);
    for (let m = 0; m < members; m += 1) {
      const alone = multiplied(
        { ...given, batchA: [1], batchB: [1] },
        a.slice(m * rows * inner, (m + 1) * rows * inner),
        b.slice(m * inner * columns, (m + 1) * inner * columns),
      );
      expect([...alone]).toEqual([...fused.subarray(m * rows * columns, (m + 1) * rows * columns)]);
    }
  });

  test("keeps NaN and infinities to the rows and columns that they stand in", () => {
    const [rows, inner, columns] = [6, 5, 10];
    const [a, b] = [drawn([rows, inner], "a"), drawn([inner, columns], "b")];
    a[2 * inner + 1] = Number.NaN;
    a[4 * inner + 3] = Number.POSITIVE_INFINITY;
    const given = { batchA: [], batchB: [], rows, inner, columns, transposeA: false, transposeB: false };
    const values = multiplied(given, a, b);
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < columns; j += 1) {
        const value = values[i * columns + j]!;
        if (i === 2) expect(value).toBeNaN();
        else if (i === 4) expect(value).toBe(Math.sign(b[3 * columns + j]!) * Number.POSITIVE_INFINITY);
        else expect(Number.isFinite(value)).toBe(true);
      }
    }
  });

  test("is empty over no rows, no columns or no members, and zero over an empty inner axis", () => {
    const shapes: readonly (readonly [number, number, number, number])[] = [[0, 2, 3, 4], [2, 0, 3, 4], [2, 3, 4, 0], [2, 3, 0, 4]]; // prettier-ignore
    for (const [members, rows, inner, columns] of shapes) {
      tf.tidy(() => {
        const product = tf.matMul(tf.zeros([members, rows, inner]), tf.zeros([members, inner, columns]));
        expect(product.shape).toEqual([members, rows, columns]);
        expect([...product.dataSync()]).toEqual(Array.from({ length: members * rows * columns }, () => 0));
      });
    }
  });

  test("leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    for (let i = 0; i < 20; i += 1)
      expectClose({ batchA: [2], batchB: [1], rows: 5, inner: 6, columns: 7, ...FORMS[i % 4]! });
    expect(tf.memory().numTensors).toBe(before);
  });
});
