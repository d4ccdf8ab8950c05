/** The WGSL kernels of the optimizers, against the plain rules of the catalogue and the references in double precision. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { OPTIMIZERS } from "../../../src/catalogue/registry.ts";
import type { Optimizer, Tf } from "../../../src/catalogue/entry.ts";
import { ConstantBuffers } from "../../../worker/engine/webgpu/constant-buffers.ts";
import { loadWebgpu } from "../../../worker/engine/webgpu/load.ts";
import { optimizerKernels } from "../../../worker/engine/webgpu/optimizer.ts";
import { OwnPrograms } from "../../../worker/engine/webgpu/own-program.ts";
import type { WebgpuBackend } from "../../../worker/engine/webgpu/tfjs-backend.ts";
import {
  drawnUpdate,
  expectOwnUpdate,
  expectReferenceUpdate,
  updateByKernel,
  updateByRule,
  type GivenUpdate,
} from "../../support/optimizer-kernel.ts";
import { bitsOf, sizeOf } from "../../support/stacked.ts";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

/** With and without a schedule's factor. */
const drawn = (optimizer: Optimizer, shape: readonly number[], seed: number): GivenUpdate =>
  drawnUpdate(optimizer, shape, seed, { factor: seed % 2 === 0 ? 1 : 0.7 });

describe.skipIf(WEBGPU_MISSING !== undefined)(
  `updates on webgpu (${WEBGPU_MISSING ?? "available"})`,
  { timeout: 120_000 },
  () => {
    let tf: Tf;
    beforeAll(async () => {
      ({ tf } = await loadWebgpu());
    });

    describe.each(OPTIMIZERS.map((optimizer) => [optimizer.kind, optimizer] as const))("of %s", (kind, optimizer) => {
      test.each([[1], [2], [3, 5], [63], [64], [65], [7, 11, 3], [1000], [0]])(
        "is that of the plain rule, for the shape [%i, ...]",
        (...shape) => {
          const given = drawn(optimizer, shape, sizeOf(shape));
          const [own, plain] = [updateByKernel(tf, optimizer, given), updateByRule(tf, optimizer, given)];
          own.forEach((values, i) =>
            values.forEach((member, k) =>
              // Roundings of numbers of size 4, and of Adam's corrections, which the plain rule takes in float32.
              member.forEach((value, j) => expect(Math.abs(value - plain[i]![k]![j]!)).toBeLessThan(2e-6)),
            ),
          );
        },
      );

      test("is within rounding of the reference in double precision, late and early", () => {
        for (const step of [1, 2, 3, 10, 1000, 100_000]) {
          expectReferenceUpdate(tf, optimizer, drawnUpdate(optimizer, [33], step, { step }));
        }
      });

      test("gives a member the same bits at any place, beside any others", () => {
        expectOwnUpdate(tf, optimizer, drawn(optimizer, [9], 9));
      });

      test("keeps what is not finite to its own number, and reads what it is given without writing it", () => {
        const strange = [NaN, Infinity, -Infinity, -0, 3e38, 1];
        const given = drawn(optimizer, [strange.length], 3);
        const gradient = given.gradient.map((values) => values.map((value, i) => (i === 5 ? value : strange[i]!)));
        const [clean, odd] = [
          updateByKernel(tf, optimizer, given),
          updateByKernel(tf, optimizer, { ...given, gradient }),
        ];
        odd.forEach((values, i) =>
          values.forEach((member, k) => {
            expect(member[0]).toBeNaN();
            expect(bitsOf(member.subarray(5))).toEqual(bitsOf(clean[i]![k]!.subarray(5)));
          }),
        );
        expect(updateByKernel(tf, optimizer, given)).toEqual(clean);
      });
    });

    test("leaves as many tensors and buffers as it says, over many steps", () => {
      const optimizer = OPTIMIZERS.find(({ kind }) => kind === "adam")!;
      const given = drawn(optimizer, [40], 1);
      updateByKernel(tf, optimizer, given);
      const before = tf.memory();
      for (let step = 0; step < 100; step += 1) updateByKernel(tf, optimizer, { ...given, step });
      expect(tf.memory()).toEqual(before);
    });

    test("is the same whatever a device takes: workgroups in one dimension, bindings in one dispatch", () => {
      const backend = tf.backend() as unknown as WebgpuBackend;
      const sizes = [1000, 1, 70];
      for (const [groups, bindings] of [
        [4, 4],
        [5, 7],
        [7, 10],
        [15, 16],
        [16, 8],
        [65_535, 16],
      ] as const) {
        const limits = { maxComputeWorkgroupsPerDimension: groups, maxStorageBuffersPerShaderStage: bindings };
        const programs = new OwnPrograms(tf, backend, new ConstantBuffers(backend), limits);
        const next = tf.tidy(() => {
          const inputs: Record<string, TensorInfo> = { learningRate: tf.tensor1d([0.5]) };
          sizes.forEach((size, p) => {
            inputs[`weight${p}`] = tf.mul(tf.ones([1, size]), p);
            inputs[`gradient${p}`] = tf.reshape(tf.range(0, size), [1, size]);
          });
          const attrs = { parameters: sizes.length, slots: 0, from: 0, step: 1, factor: 1 };
          const made = optimizerKernels["OccamUpdate-sgd"]!.run(programs, { inputs, attrs }) as TensorInfo[];
          return made.map((info) => [...tf.engine().makeTensorFromTensorInfo(info).dataSync()]) as never;
        }) as unknown as readonly number[][];
        const expected = sizes.map((size, p) => Array.from({ length: size }, (_, i) => Math.fround(p - 0.5 * i)));
        expect(next, `${groups} groups, ${bindings} bindings`).toEqual(expected);
      }
    });
  },
);
