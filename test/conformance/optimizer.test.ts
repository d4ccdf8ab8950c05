/** What every optimizer of the registry must do. */
import { beforeAll, describe, expect, test } from "vitest";
import { OPTIMIZERS } from "../../src/catalogue/registry.ts";
import type { Tf } from "../../src/catalogue/entry.ts";
import { descend, threeConfigs, type Descent } from "../support/optimizer-under-test.ts";
import { REFERENCE_OPTIMIZERS } from "../support/reference-optimizers.ts";
import { normals, perMember, stack } from "../support/stacked.ts";
import { expectSame, openTestBackend, THE_SAME } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

const SHAPE = [3, 5];
const SIZE = 15;
const STEPS = 12;

const start = [0, 1, 2].map((member) => normals(`start/${member}`, SIZE));
/** Gradients that do not depend on the weights, so that rounding errors do not feed on themselves. */
const drawn = (t: number, member: number): Float32Array => normals(`gradient/${t}/${member}`, SIZE);

describe.each(OPTIMIZERS.map((optimizer) => [optimizer.kind, optimizer] as const))("%s", (kind, optimizer) => {
  const configs = threeConfigs(optimizer);
  const descent: Descent = {
    configs,
    shape: SHAPE,
    start,
    steps: STEPS,
    gradient: (t) => [0, 1, 2].map((member) => drawn(t, member)),
  };

  test("has a learning rate and finite hyperparameters for each member, of the same names", () => {
    const all = configs.map((config) => optimizer.hyperparameters(config));
    for (const h of all) {
      expect(h["learningRate"]).toBeGreaterThan(0);
      expect(Object.values(h).every(Number.isFinite)).toBe(true);
      expect(Object.keys(h)).toEqual(Object.keys(all[0]!));
    }
    expect(new Set(all.map((h) => h["learningRate"])).size).toBe(3);
  });

  test("agrees with its reference in double precision over several steps, each member with its own hyperparameters", () => {
    const reference = REFERENCE_OPTIMIZERS[kind];
    expect(reference, `a reference for ${kind} in reference-optimizers.ts`).toBeDefined();
    const { weights, slots } = descend(tf, optimizer, descent);
    configs.forEach((config, member) => {
      // The hyperparameters as float32 holds them: Adam's 1 - beta is sensitive to their rounding, and is meant to be so.
      const stated = Object.entries(optimizer.hyperparameters(config));
      const h = Object.fromEntries(stated.map(([name, value]) => [name, Math.fround(value)]));
      for (let i = 0; i < SIZE; i += 1) {
        let w = start[member]![i]!;
        let s: Readonly<Record<string, number>> = Object.fromEntries(optimizer.slots.map((name) => [name, 0]));
        for (let t = 1; t <= STEPS; t += 1) {
          ({ w, s } = reference!({ w, g: drawn(t, member)[i]!, s, h, t }));
          // At most a hundred float32 roundings of numbers of size about 3: 100 x 3 x 2^-25 = 1e-5.
          expect(Math.abs(weights[t - 1]![member]![i]! - w), `member ${member}, update ${t}`).toBeLessThan(1e-5);
        }
        optimizer.slots.forEach((name, slot) =>
          expect(Math.abs(slots[slot]![member]![i]! - s[name]!), `${name} of member ${member}`).toBeLessThan(1e-5),
        );
      }
    });
  });

  test(`gives a member weights that are ${THE_SAME} among three and among two, and twice`, () => {
    const three = descend(tf, optimizer, descent);
    for (const members of [
      [0, 1],
      [2, 0],
      [1, 2],
    ]) {
      const two = descend(tf, optimizer, {
        ...descent,
        configs: members.map((member) => configs[member]!),
        start: members.map((member) => start[member]!),
        gradient: (t) => members.map((member) => drawn(t, member)),
      });
      members.forEach((member, place) => {
        two.weights.forEach((weights, t) => expectSame(weights[place]!, three.weights[t]![member]!));
        two.slots.forEach((slot, index) => expectSame(slot[place]!, three.slots[index]![member]!));
      });
    }
    const again = descend(tf, optimizer, descent);
    again.weights.forEach((stacked, t) =>
      stacked.forEach((values, member) => expectSame(values, three.weights[t]![member]!)),
    );
    again.slots.forEach((stacked, slot) =>
      stacked.forEach((values, member) => expectSame(values, three.slots[slot]![member]!)),
    );
  });

  test.each([[[4]], [[2, 3]], [[2, 2, 2]]])("keeps the shape of a weight of shape %j and of its slots", (shape) => {
    tf.tidy(() => {
      const size = shape.reduce((product, length) => product * length, 1);
      const weight = stack(tf, [normals("a", size), normals("b", size)], shape);
      const names = Object.entries(optimizer.hyperparameters(configs[0]!));
      const h = Object.fromEntries(
        names.map(([name, value]) => [name, perMember(tf, [value, value], shape.length + 1)]),
      );
      const slots = optimizer.slots.map(() => tf.zerosLike(weight));
      const next = optimizer.update(tf, { weight, gradient: weight, slots, h, step: 1 });
      expect(next.weight.shape).toEqual([2, ...shape]);
      expect(next.slots.map((slot) => slot.shape)).toEqual(optimizer.slots.map(() => [2, ...shape]));
    });
  });

  test("finds the minimum of a quadratic bowl", () => {
    // f(w) = |w - 1|^2 / 2 from |w - 1| = 0.1: steps of lion and the Adams are of size eta, so eta = 0.001 needs some hundreds.
    const configs = [0, 1].map(() => ({ kind, ...optimizer.schema.parse({ learningRate: 0.001 }) }));
    const { weights } = descend(tf, optimizer, {
      configs,
      shape: [1],
      start: [Float32Array.of(1.1), Float32Array.of(0.9)],
      steps: 600,
      gradient: (_, weights) => weights.map((w) => w.map((value) => value - 1)),
    });
    for (const [w] of weights.at(-1)! as readonly [Float32Array, Float32Array]) {
      // Plain descent covers 1 - 0.999^600 = 45 % of the way, all others more; none may run away.
      expect(Math.abs(w! - 1)).toBeLessThan(0.06);
    }
  });

  test("leaves no tensor behind and disposes of none that it was given", () => {
    const weight = stack(tf, start, SHAPE);
    const slots = optimizer.slots.map(() => tf.zerosLike(weight));
    const names = Object.entries(optimizer.hyperparameters(configs[0]!));
    const h = Object.fromEntries(names.map(([name, value]) => [name, perMember(tf, [value, value, value], 3)]));
    const before = tf.memory().numTensors;
    tf.tidy(() => void optimizer.update(tf, { weight, gradient: weight, slots, h, step: 1 }));
    expect(tf.memory().numTensors).toBe(before);
    for (const tensor of [weight, ...slots, ...Object.values(h)]) {
      expect(tensor.isDisposed).toBe(false);
      tensor.dispose();
    }
  });
});
