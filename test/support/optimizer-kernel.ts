/** A backend's own kernels of updates, `OccamUpdate-*`: made-up updates of three members, by the kernel and by the plain rule. */
import { expect } from "vitest";
import { ownKernel } from "../../src/catalogue/own-kernel.ts";
import type { Config, Optimizer, Tensor, Tf } from "../../src/catalogue/entry.ts";
import { threeConfigs } from "./optimizer-under-test.ts";
import { REFERENCE_OPTIMIZERS } from "./reference-optimizers.ts";
import { bitsOf, normals, perMember, sizeOf, stack, unstack, type Stack } from "./stacked.ts";

export interface GivenUpdate {
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
export type Updated = readonly Stack[];

/** Draws of a given seed; second moments are positive. */
export function drawnUpdate(
  optimizer: Optimizer,
  shape: readonly number[],
  seed: number,
  given: Partial<GivenUpdate> = {},
): GivenUpdate {
  const configs = threeConfigs(optimizer);
  const draw = (name: string): Stack => configs.map((_, k) => normals(`${name}/${seed}/${k}`, sizeOf(shape)));
  return {
    configs,
    shape,
    weight: draw("weight"),
    gradient: draw("gradient"),
    slots: optimizer.slots.map((slot) =>
      slot === "square" ? draw(slot).map((values) => values.map((v) => v * v)) : draw(slot),
    ),
    step: 1 + (seed % 50),
    factor: 1,
    ...given,
  };
}

/** Updates the middle of a stack with `margin` members on either side. */
export function updateByKernel(tf: Tf, optimizer: Optimizer, given: GivenUpdate, margin = 0): Updated {
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
export function updateByRule(tf: Tf, optimizer: Optimizer, given: GivenUpdate): Updated {
  const { configs, shape, step, factor } = given;
  const rank = shape.length + 1;
  return tf.tidy(() => {
    const [weight, gradient] = [stack(tf, given.weight, shape), stack(tf, given.gradient, shape)];
    const h: Record<string, Tensor> = {};
    for (const [name, values] of hyperparametersOf(optimizer, configs)) h[name] = perMember(tf, values, rank);
    h["learningRate"] = tf.mul(h["learningRate"]!, factor);
    const slots = given.slots.map((slot) => stack(tf, slot, shape));
    const update = optimizer.update(tf, { weight, gradient, slots, h, step });
    return [update.weight, ...update.slots].map(unstack) as never;
  });
}

/** Of the kernel and the reference in double precision, which takes no factor. */
export function expectReferenceUpdate(tf: Tf, optimizer: Optimizer, given: GivenUpdate): void {
  const [weight, ...slots] = updateByKernel(tf, optimizer, given);
  given.configs.forEach((config, k) => {
    const stated = Object.entries(optimizer.hyperparameters(config));
    const h = Object.fromEntries(stated.map(([name, value]) => [name, Math.fround(value)]));
    for (let i = 0; i < sizeOf(given.shape); i += 1) {
      const s = Object.fromEntries(optimizer.slots.map((name, slot) => [name, given.slots[slot]![k]![i]!]));
      const at = { w: given.weight[k]![i]!, g: given.gradient[k]![i]!, s, h, t: given.step };
      const expected = REFERENCE_OPTIMIZERS[optimizer.kind]!(at);
      const where = `shape ${given.shape.join()}, step ${given.step}, member ${k}, number ${i}`;
      // A handful of roundings of numbers of size 4 at the most: 8 x 4 x 2^-24.
      expect(Math.abs(weight![k]![i]! - expected.w), where).toBeLessThan(2e-6);
      optimizer.slots.forEach((name, slot) =>
        expect(Math.abs(slots[slot]![k]![i]! - expected.s[name]!), `${name}: ${where}`).toBeLessThan(2e-6),
      );
    }
  });
}

/** A member has the same bits at any place of a stack and alone. */
export function expectOwnUpdate(tf: Tf, optimizer: Optimizer, given: GivenUpdate): void {
  const three = updateByKernel(tf, optimizer, given);
  expect(updateByKernel(tf, optimizer, given, 2)).toEqual(three);
  [0, 1, 2].forEach((k) => {
    const alone = updateByKernel(tf, optimizer, {
      ...given,
      configs: [given.configs[k]!],
      weight: [given.weight[k]!],
      gradient: [given.gradient[k]!],
      slots: given.slots.map((slot) => [slot[k]!]),
    });
    alone.forEach((values, i) => expect(bitsOf(values[0]!)).toEqual(bitsOf(three[i]![k]!)));
  });
}

function hyperparametersOf(optimizer: Optimizer, configs: readonly Config[]) {
  const each = configs.map((config) => optimizer.hyperparameters(config));
  return Object.keys(each[0]!).map((name) => [name, each.map((h) => h[name]!)] as const);
}
