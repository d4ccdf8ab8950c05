import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { meanPool, type Planes } from "../../../../src/catalogue/architecture/convolution.ts";
import type { Tensor, Tensor3D, Tf } from "../../../../src/catalogue/entry.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

const pooledOf = (planes: Planes, pool: number): Planes => ({
  ...planes,
  height: Math.floor(planes.height / pool),
  width: Math.floor(planes.width / pool),
});

const countOf = ({ members, channels, rows, height, width }: Planes): number =>
  members * channels * rows * height * width;

describe.each(WASM_BUILDS)("mean pooling in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  function run(planes: Planes, pool: number, image: Float32Array, dy: Float32Array) {
    const { members, channels } = planes;
    return tf.tidy(() => {
      const shape = (values: Float32Array): [number, number, number] => [
        members,
        channels,
        members * channels === 0 ? 0 : values.length / members / channels,
      ];
      const apply = (x: Tensor): Tensor => meanPool(tf, x as Tensor3D, planes, pool);
      const { value, grad } = tf.valueAndGrad(apply)(tf.tensor(image, shape(image)), tf.tensor(dy, shape(dy)));
      return { y: value.dataSync<"float32">(), dImage: grad.dataSync<"float32">() };
    });
  }

  const drawn = (planes: Planes, pool: number) =>
    [normals("image", countOf(planes)), normals("dy", countOf(pooledOf(planes, pool)))] as const;

  /** Means in float64, and each output's share of dy. */
  function reference(planes: Planes, pool: number, image: Float32Array, dy: Float32Array) {
    const [pooled, share] = [pooledOf(planes, pool), 1 / pool ** 2];
    const [y, dImage] = [new Float64Array(dy.length), new Float64Array(image.length)];
    for (let i = 0; i < y.length; i += 1) {
      const [w, rest] = [i % pooled.width, Math.floor(i / pooled.width)];
      const [h, n] = [rest % pooled.height, Math.floor(rest / pooled.height)];
      for (let row = h * pool; row < (h + 1) * pool; row += 1)
        for (let column = w * pool; column < (w + 1) * pool; column += 1) {
          const at = (n * planes.height + row) * planes.width + column;
          y[i]! += image[at]! * share;
          dImage[at] = dy[i]! * share;
        }
    }
    return { y, dImage };
  }

  test("agrees with float64 for windows and sides of every remainder, forward and back", () => {
    for (const pool of [2, 3, 4])
      for (let height = pool; height <= 9; height += 1)
        for (let width = pool; width <= 21; width += 1) {
          const planes = { members: 2, channels: 2, rows: 2, height, width };
          const [image, dy] = drawn(planes, pool);
          const [ours, expected] = [run(planes, pool, image, dy), reference(planes, pool, image, dy)];
          expect(ours.y).toHaveLength(expected.y.length);
          // At most 16 terms of size up to 5, and a product.
          const isMean = (value: number, i: number): boolean => Math.abs(value - expected.y[i]!) < 17 * 5 * 2 ** -24;
          const isShare = (value: number, i: number): boolean =>
            Math.abs(value - expected.dImage[i]!) <= 2 ** -23 * Math.abs(expected.dImage[i]!);
          expect(ours.y.every(isMean), JSON.stringify({ planes, pool })).toBe(true);
          expect(ours.dImage.every(isShare), JSON.stringify({ planes, pool })).toBe(true);
        }
  });

  test("agrees with TensorFlow.js's own operations, the gradient to its bits", () => {
    const planes = { members: 3, channels: 2, rows: 3, height: 7, width: 11 };
    const [image, dy] = drawn(planes, 2);
    const [ours, plain] = [run(planes, 2, image, dy), withoutOwnKernels(tf, () => run(planes, 2, image, dy))];
    ours.y.forEach((value, i) => expect(Math.abs(value - plain.y[i]!)).toBeLessThan(1e-6));
    expect([...ours.dImage]).toEqual([...plain.dImage]);
  });

  test("numbers that a vector holds have the bits of those behind the last one", () => {
    const wide = { members: 1, channels: 1, rows: 1, height: 2, width: 14 };
    const [image, dy] = drawn(wide, 2);
    const whole = run(wide, 2, image, dy);
    for (let w = 0; w < 7; w += 1) {
      const window = Float32Array.from([0, 1, 14, 15], (i) => image[2 * w + i]!);
      const one = run({ ...wide, width: 2 }, 2, window, dy.slice(w, w + 1));
      expect(bitsOf(one.y)).toEqual(bitsOf(whole.y.slice(w, w + 1)));
      expect(bitsOf(one.dImage.slice(0, 2))).toEqual(bitsOf(whole.dImage.slice(2 * w, 2 * w + 2)));
    }
  });

  test("a window of one is the image, NaN and infinity come through, and nothing gives nothing", () => {
    const planes = { members: 1, channels: 1, rows: 1, height: 2, width: 4 };
    const image = Float32Array.from([1, 2, Number.NaN, 0, 3, 4, 0, 0]);
    tf.tidy(() => {
      const whole = tf.tensor3d(image, [1, 1, 8]);
      expect(meanPool(tf, whole, planes, 1)).toBe(whole);
    });
    const dy = Float32Array.from([Number.POSITIVE_INFINITY, -0]);
    const { y, dImage } = run(planes, 2, image, dy);
    expect([...y]).toEqual([2.5, Number.NaN]);
    expect([...dImage]).toEqual([Infinity, Infinity, -0, -0, Infinity, Infinity, -0, -0]);
    const none = run({ ...planes, rows: 0 }, 2, new Float32Array(), new Float32Array());
    expect([none.y.length, none.dImage.length]).toEqual([0, 0]);
  });
});
