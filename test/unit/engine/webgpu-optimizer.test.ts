/** The WGSL kernels of the optimizers, against the plain rules of the catalogue and the references in double precision. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { ownKernel } from "../../../src/catalogue/own-kernel.ts";
import { OPTIMIZERS } from "../../../src/catalogue/registry.ts";
import type { Config, Optimizer, Tensor, Tf } from "../../../src/catalogue/entry.ts";
import { ConstantBuffers } from "../../../worker/engine/webgpu/constant-buffers.ts";
import { loadWebgpu } from "../../../worker/engine/webgpu/load.ts";
import { optimizerKernels } from "../../../worker/engine/webgpu/optimizer.ts";
import { OwnPrograms } from "../../../worker/engine/webgpu/own-program.ts";
import type { WebgpuBackend } from "../../../worker/engine/webgpu/tfjs-backend.ts";
import { threeConfigs } from "../../support/optimizer-under-test.ts";
import { REFERENCE_OPTIMIZERS } from "../../support/reference-optimizers.ts";
import { bitsOf, normals, perMember, sizeOf, stack, unstack, type Stack } from "../../support/stacked.ts";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

interface Given {
  readonly configs: readonly Config[];
  readonly shape: readonly number[];
  readonly weight: Stack;
  readonly gradient: Stack;
  /** By slot. */
  readonly slots: readonly Stack[];
  readonly step: number;
  readonly factor: number;
}

/** Weight, then slots. */
type Updated = readonly Stack[];

/** Draws of a given seed; second moments are positive. */
function drawn(optimizer: Optimizer, shape: readonly number[], seed: number): Given {
  const configs = threeConfigs(optimizer);
  const draw = (name: string): Stack => configs.map((_, k) => normals(`${name}/${seed}/${k}`, sizeOf(shape)));
  const squares = (of: Stack): Stack => of.map((values) => values.map((v) => v * v));
  const slots = optimizer.slots.map((slot) => (slot === "square" ? squares(draw(slot)) : draw(slot)));
  const [weight, gradient] = [draw("weight"), draw("gradient")];
  return { configs, shape, weight, gradient, slots, step: 1 + (seed % 50), factor: seed % 2 === 0 ? 1 : 0.7 };
}

function hyperparametersOf(optimizer: Optimizer, configs: readonly Config[]) {
  const each = configs.map((config) => optimizer.hyperparameters(config));
  return Object.keys(each[0]!).map((name) => [name, each.map((h) => h[name]!)] as const);
}

describe.skipIf(WEBGPU_MISSING !== undefined)(
  `updates on webgpu (${WEBGPU_MISSING ?? "available"})`,
  { timeout: 120_000 },
  () => {
    let tf: Tf;
    beforeAll(async () => {
      ({ tf } = await loadWebgpu());
    });

    /** Updates the middle of a stack with `margin` members on either side. */
    function byKernel(optimizer: Optimizer, given: Given, margin = 0): Updated {
      const { configs, shape, step, factor } = given;
      const wide = (members: Stack): Tensor => {
        const around = Array.from({ length: margin }, () => new Float32Array(sizeOf(shape)).fill(7));
        return stack(tf, [...around, ...members, ...around], shape);
      };
      return tf.tidy(() => {
        const inputs: Record<string, Tensor> = { weight0: wide(given.weight), gradient0: wide(given.gradient) };
        given.slots.forEach((slot, i) => (inputs[`slot0.${i}`] = stack(tf, slot, shape)));
        for (const [name, values] of hyperparametersOf(optimizer, configs)) inputs[name] = tf.tensor1d([...values]);
        const attrs = { parameters: 1, slots: given.slots.length, from: margin, step, factor };
        return ownKernel(tf, `OccamUpdate-${optimizer.kind}`, inputs, attrs)!.map(unstack) as never;
      });
    }

    /** By the rule of the catalogue. */
    function byRule(optimizer: Optimizer, { configs, shape, step, factor, ...given }: Given): Updated {
      return tf.tidy(() => {
        const [weight, gradient] = [stack(tf, given.weight, shape), stack(tf, given.gradient, shape)];
        const h: Record<string, Tensor> = {};
        for (const [name, values] of hyperparametersOf(optimizer, configs))
          h[name] = perMember(tf, values, shape.length + 1);
        h["learningRate"] = tf.mul(h["learningRate"]!, factor);
        const slots = given.slots.map((slot) => stack(tf, slot, shape));
        const update = optimizer.update(tf, { weight, gradient, slots, h, step });
        return [update.weight, ...update.slots].map(unstack) as never;
      });
    }

    describe.each(OPTIMIZERS.map((optimizer) => [optimizer.kind, optimizer] as const))("of %s", (kind, optimizer) => {
      test.each([[1], [2], [3, 5], [63], [64], [65], [7, 11, 3], [1000], [0]])(
        "is that of the plain rule, for the shape [%i, ...]",
        (...shape) => {
          const given = drawn(optimizer, shape, sizeOf(shape));
          const [own, plain] = [byKernel(optimizer, given), byRule(optimizer, given)];
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
          const given = { ...drawn(optimizer, [33], step), step, factor: 1 };
          const [weight, ...slots] = byKernel(optimizer, given);
          given.configs.forEach((config, k) => {
            const stated = Object.entries(optimizer.hyperparameters(config));
            const h = Object.fromEntries(stated.map(([name, value]) => [name, Math.fround(value)]));
            for (let i = 0; i < 33; i += 1) {
              const s = Object.fromEntries(optimizer.slots.map((name, slot) => [name, given.slots[slot]![k]![i]!]));
              const at = { w: given.weight[k]![i]!, g: given.gradient[k]![i]!, s, h, t: step };
              const expected = REFERENCE_OPTIMIZERS[kind]!(at);
              expect(Math.abs(weight![k]![i]! - expected.w), `step ${step}`).toBeLessThan(2e-6);
              optimizer.slots.forEach((name, slot) =>
                expect(Math.abs(slots[slot]![k]![i]! - expected.s[name]!), name).toBeLessThan(2e-6),
              );
            }
          });
        }
      });

      test("gives a member the same bits at any place, beside any others", () => {
        const given = drawn(optimizer, [9], 9);
        const three = byKernel(optimizer, given);
        expect(byKernel(optimizer, given, 2)).toEqual(three);
        [0, 1, 2].forEach((k) => {
          const alone = byKernel(optimizer, {
            ...given,
            configs: [given.configs[k]!],
            weight: [given.weight[k]!],
            gradient: [given.gradient[k]!],
            slots: given.slots.map((slot) => [slot[k]!]),
          });
          alone.forEach((values, i) => expect(bitsOf(values[0]!)).toEqual(bitsOf(three[i]![k]!)));
        });
      });

      test("keeps what is not finite to its own number, and reads what it is given without writing it", () => {
        const strange = [NaN, Infinity, -Infinity, -0, 3e38, 1];
        const given = drawn(optimizer, [strange.length], 3);
        const gradient = given.gradient.map((values) => values.map((value, i) => (i === 5 ? value : strange[i]!)));
        const [clean, odd] = [byKernel(optimizer, given), byKernel(optimizer, { ...given, gradient })];
        odd.forEach((values, i) =>
          values.forEach((member, k) => {
            expect(member[0]).toBeNaN();
            expect(bitsOf(member.subarray(5))).toEqual(bitsOf(clean[i]![k]!.subarray(5)));
          }),
        );
        expect(byKernel(optimizer, given)).toEqual(clean);
      });
    });

    test("leaves as many tensors and buffers as it says, over many steps", () => {
      const optimizer = OPTIMIZERS.find(({ kind }) => kind === "adam")!;
      const given = drawn(optimizer, [40], 1);
      byKernel(optimizer, given);
      const before = tf.memory();
      for (let step = 0; step < 100; step += 1) byKernel(optimizer, { ...given, step });
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
