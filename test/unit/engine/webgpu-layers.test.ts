/** The WGSL kernels of layers and losses, against the plain operations that they stand for, on one device. */
import { beforeAll, describe, expect, test } from "vitest";
import { activate, type Activation } from "../../../src/catalogue/architecture/activation.ts";
import { addRow, dense, sumRows } from "../../../src/catalogue/architecture/dense.ts";
import type { Tensor, Tensor3D, Tf } from "../../../src/catalogue/entry.ts";
import { crossEntropy, squaredError } from "../../../worker/engine/row-loss.ts";
import { loadWebgpu } from "../../../worker/engine/webgpu/load.ts";
import { normalDensity, normalDistribution } from "../../support/normal-distribution.ts";
import { bitsOf, normals, sizeOf, stack, unstack, type Stack } from "../../support/stacked.ts";
import { withoutOwnKernels } from "../../support/wasm-builds.ts";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

type Kind = Activation | "none";
const KINDS: readonly Kind[] = ["none", "tanh", "relu", "gelu"];
/** Members, rows, inner, columns: of no round number, vectors of four, one column, several workgroups. */
const SHAPES = [
  [1, 1, 1, 1],
  [3, 5, 7, 9],
  [2, 33, 4, 8],
  [4, 16, 16, 64],
  [3, 130, 65, 1],
] as const;

describe.skipIf(WEBGPU_MISSING !== undefined)(
  `layers on webgpu (${WEBGPU_MISSING ?? "available"})`,
  { timeout: 120_000 },
  () => {
    let tf: Tf;
    beforeAll(async () => {
      ({ tf } = await loadWebgpu());
    });

    const members = (name: string, count: number, shape: readonly number[], std = 1): Tensor =>
    stack(tf, Array.from({ length: count }, (_, k) => normals(`${name} ${k}`, sizeOf(shape), std)), shape); // prettier-ignore

    const read = (make: () => readonly Tensor[]): readonly Stack[] => tf.tidy(() => make().map(unstack) as never);

    const plain = <T>(work: () => T): T => withoutOwnKernels(tf, work);

    /** Each number by less than this share of the largest of its tensor, or of 1. */
    function expectNear(got: readonly Stack[], expected: readonly Stack[], tolerance: number): void {
      got.forEach((stacked, n) =>
        stacked.forEach((values, k) => {
          const most = expected[n]![k]!.reduce((size, value) => Math.max(size, Math.abs(value)), 1);
          expect(values.length).toBe(expected[n]![k]!.length);
          const error = values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[n]![k]![i]!)), 0);
          expect(error).toBeLessThanOrEqual(tolerance * most);
        }),
      );
    }

    /** Value and gradients of what is made of these tensors, pulled back from a given gradient. */
    function bothWays(
      make: (...given: Tensor[]) => Tensor,
      given: readonly Tensor[],
      dy: (value: Tensor) => Tensor,
    ): readonly Tensor[] {
      const { value, grads } = tf.valueAndGrads(make)([...given], dy(tf.tidy(() => tf.zerosLike(make(...given)))));
      return [value, ...grads];
    }

    describe.each(KINDS)("a dense layer with %s", (kind) => {
      const options = kind === "none" ? {} : { activation: kind };
      const layer = ([k, rows, inner, columns]: readonly number[], readsData: boolean): readonly Stack[] =>
        read(() => {
          const x = members("x", k!, [rows!, inner!]) as Tensor3D;
          const [weight, bias] = [members("weight", k!, [inner!, columns!], 1 / Math.sqrt(inner!)), members("bias", k!, [1, columns!])]; // prettier-ignore
          const dy = members("dy", k!, [rows!, columns!]);
          if (readsData) return bothWays((w, b) => dense(tf, x, w, b, { ...options, readsData }), [weight, bias], () => dy); // prettier-ignore
          return bothWays(
            (x, w, b) => dense(tf, x as Tensor3D, w, b, options),
            [x, weight, bias],
            () => dy,
          );
        });

      test.each(SHAPES)("is the plain one, value and gradients: %i members, %i rows, %i by %i", (...shape) => {
        const readsData = shape[0] === 2;
        const made = layer(shape, readsData);
        expectNear(made, plain(() => layer(shape, readsData)), 2e-6); // prettier-ignore
      });

      test("gives a member the same bits alone and among others", () => {
        const [three, one] = [layer([3, 37, 5, 18], false), layer([1, 37, 5, 18], false)];
        three.forEach((stacked, n) => expect(bitsOf(stacked[0]!)).toEqual(bitsOf(one[n]![0]!)));
      });
    });

    describe.each(["tanh", "relu", "gelu"] as const)("%s", (kind) => {
      const values = Float32Array.of(-40, -14, -13, -5, -1, -0.6, -0.599, -1e-3, -1e-20, 0, 1e-20, 1e-3, 0.599, 0.6, 1, 5, 13, 14, 40); // prettier-ignore
      const exact = {
        tanh: Math.tanh,
        relu: (z: number) => Math.max(z, 0),
        gelu: (z: number) => z * normalDistribution(z),
      };
      const slope = {
        tanh: (z: number) => 1 - Math.tanh(z) ** 2,
        relu: (z: number) => (z > 0 ? 1 : 0),
        gelu: (z: number) => normalDistribution(z) + z * normalDensity(z),
      };

      test("is its function in double precision, and so is its slope", () => {
        const [y, dz] = read(() => bothWays((z) => activate(tf, kind, z), [tf.tensor2d(values, [1, values.length])], tf.onesLike)); // prettier-ignore
        values.forEach((z, i) => {
          // tanh is accurate beside small numbers too; Phi is to 1e-7 beside 1, times |z| for gelu.
          const tolerance = { tanh: 4e-7 * Math.abs(exact.tanh(z)), relu: 0, gelu: 2e-7 * Math.max(1, Math.abs(z)) }[
            kind
          ];
          expect(Math.abs(y![0]![i]! - exact[kind](z)), `at ${z}`).toBeLessThanOrEqual(tolerance);
          expect(Math.abs(dz![0]![i]! - slope[kind](z)), `slope at ${z}`).toBeLessThanOrEqual(4e-7);
        });
      });

      test("gives on what is not finite", () => {
        const [y] = read(() => [activate(tf, kind, tf.tensor2d([NaN, Infinity, -Infinity, 1], [1, 4]))]);
        // gelu is taken as at -13.2 from there on.
        expect(Array.from(y![0]!.slice(0, 3), (value) => (Math.abs(value) < 1e-37 ? 0 : value))).toEqual([
          NaN,
          kind === "tanh" ? 1 : Infinity,
          kind === "tanh" ? -1 : 0,
        ]);
      });
    });

    describe("rows", () => {
      test.each([
        [1, 1, 1],
        [3, 5, 17],
        [2, 300, 3],
        [1, 1000, 40],
      ])("of [%i, %i, %i] are added to and summed as by plain operations", (count, rows, width) => {
        const make = (): readonly Stack[] =>
          read(() => {
            const [x, row] = [members("x", count, [rows, width]), members("row", count, [1, width])];
            const dy = members("dy", count, [rows, width]);
            return [
              sumRows(tf, x as Tensor3D),
              ...bothWays(
                (x, row) => addRow(tf, x as Tensor3D, row),
                [x, row],
                () => dy,
              ),
            ];
          });
        expectNear(make(), plain(make), 2e-6);
      });

      test.each([
        [1, 1, 1],
        [3, 5, 7],
        [2, 65, 10],
        [1, 33, 130],
      ])("of [%i, %i, %i] have the losses and gradients of plain operations", (count, rows, width) => {
        const make = (): readonly Stack[] =>
          read(() => {
            const [outputs, values] = [members("f", count, [rows, width], 3), members("y", count, [rows, width])];
            const shares = tf.softmax(values);
            const dy = (): Tensor => members("dy", count, [rows]);
            return [
              ...bothWays((f) => squaredError(tf, f as Tensor3D, values as Tensor3D), [outputs], dy),
              ...bothWays((z) => crossEntropy(tf, z as Tensor3D, shares as Tensor3D), [outputs], dy),
            ];
          });
        expectNear(make(), plain(make), 2e-6);
      });

      test("take targets that are integers or truth values and only called float32", () => {
        const make = (): readonly Stack[] =>
          read(() => {
            const f = members("f", 2, [3, 4]) as Tensor3D;
            const ids = tf.tensor1d([0, 3, 1, 2, 2, 0], "int32");
            const integers = tf.reshape(tf.cast(tf.oneHot(ids, 4), "float32"), [2, 3, 4]) as Tensor3D;
            const truths = tf.cast(tf.greater(f, 0), "float32") as Tensor3D;
            return [integers, truths].flatMap((y) => [squaredError(tf, f, y), crossEntropy(tf, f, y)]);
          });
        expectNear(make(), plain(make), 2e-6);
      });

      test("that are not finite have losses that are not, and no other row has", () => {
        const outputs = [
          [1, NaN, 2],
          [Infinity, 0, 0],
          [1, 2, 3],
          [-Infinity, 1, 1],
        ];
        const losses = read(() => {
          const [f, y] = [
            tf.tensor3d([outputs]),
            tf.tensor3d([
              [
                [0, 1, 0],
                [1, 0, 0],
                [0, 0, 1],
                [1, 0, 0],
              ],
            ]),
          ];
          return [squaredError(tf, f, y), crossEntropy(tf, f, y)];
        });
        for (const [of] of losses) expect([...of!].map(Number.isFinite)).toEqual([false, false, true, false]);
      });
    });

    test("all of them leave nothing behind", () => {
      const step = (): void => {
        const loss = (x: Tensor, w: Tensor, b: Tensor): Tensor => {
          const h = dense(tf, x as Tensor3D, w, b, { activation: "gelu" });
          return tf.add(squaredError(tf, h, h), crossEntropy(tf, addRow(tf, h, b), tf.softmax(h)));
        };
        tf.tidy(() => {
          const given = [members("x", 2, [5, 3]), members("weight", 2, [3, 4]), members("bias", 2, [1, 4])];
          bothWays((x, w, b) => loss(x, w, b), given, tf.onesLike)[1]!.dataSync();
        });
      };
      step();
      const before = tf.memory();
      for (let i = 0; i < 30; i += 1) step();
      expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
    });
  },
);
