import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { ownKernel } from "../../../../src/catalogue/own-kernel.ts";
import { OPTIMIZERS } from "../../../../src/catalogue/registry.ts";
import type { Config, Optimizer, Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";
import { threeConfigs } from "../../../support/optimizer-under-test.ts";
import { REFERENCE_OPTIMIZERS } from "../../../support/reference-optimizers.ts";
import { bitsOf, normals, perMember, sizeOf, stack, unstack, type Stack } from "../../../support/stacked.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend("wasm"));
});

/** The kernels' Adam computes its corrections in double precision, the plain rule in float32. */
const ADAMS = ["adam", "adamw"];

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

/** Updates the middle of a stack with `margin` members on either side. */
function byKernel(optimizer: Optimizer, given: Given, margin = 0): Updated {
  const { configs, shape, step, factor } = given;
  const wide = (members: Stack): Tensor => {
    const around = Array.from({ length: margin }, () => new Float32Array(sizeOf(shape)).fill(7));
    return stack(tf, [...around, ...members, ...around], shape);
  };
  return tf.tidy(() => {
    const inputs: Record<string, Tensor> = {
      weight0: wide(given.weight),
      gradient0: wide(given.gradient),
    };
    given.slots.forEach((slot, i) => (inputs[`slot0.${i}`] = stack(tf, slot, shape)));
    for (const [name, values] of hyperparametersOf(optimizer, configs)) inputs[name] = tf.tensor1d([...values]);
    const attrs = { parameters: 1, slots: given.slots.length, from: margin, step, factor };
    return ownKernel(tf, `OccamUpdate-${optimizer.kind}`, inputs, attrs)!.map(unstack) as never;
  });
}

/** By the rule of the catalogue. */
function byRule(optimizer: Optimizer, given: Given): Updated {
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

function hyperparametersOf(optimizer: Optimizer, configs: readonly Config[]) {
  const each = configs.map((config) => optimizer.hyperparameters(config));
  return Object.keys(each[0]!).map((name) => [name, each.map((h) => h[name]!)] as const);
}

/** Draws of a given seed; second moments are positive. */
function drawn(optimizer: Optimizer, shape: readonly number[], seed: number, given: Partial<Given> = {}): Given {
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

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33];

describe.each(OPTIMIZERS.map((optimizer) => [optimizer.kind, optimizer] as const))(
  "the update of %s",
  (kind, optimizer) => {
    test("is within rounding of the reference in double precision, for sizes of every remainder", () => {
      for (const size of SIZES) {
        const given = drawn(optimizer, [size], size);
        const [weight, ...slots] = byKernel(optimizer, given);
        given.configs.forEach((config, k) => {
          const stated = Object.entries(optimizer.hyperparameters(config));
          const h = Object.fromEntries(stated.map(([name, value]) => [name, Math.fround(value)]));
          for (let i = 0; i < size; i += 1) {
            const s = Object.fromEntries(optimizer.slots.map((name, slot) => [name, given.slots[slot]![k]![i]!]));
            const step = { w: given.weight[k]![i]!, g: given.gradient[k]![i]!, s, h, t: given.step };
            const expected = REFERENCE_OPTIMIZERS[kind]!(step);
            // A handful of roundings of numbers of size 4 at the most: 8 x 4 x 2^-24.
            expect(Math.abs(weight![k]![i]! - expected.w), `size ${size}, member ${k}, weight ${i}`).toBeLessThan(2e-6);
            optimizer.slots.forEach((name, slot) =>
              expect(Math.abs(slots[slot]![k]![i]! - expected.s[name]!), `${name} ${i}`).toBeLessThan(2e-6),
            );
          }
        });
      }
    });

    test("is that of the plain rule, schedule included, over random shapes", () => {
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 }),
          fc.nat(1000),
          fc.constantFrom(1, 0.7, 0.01),
          (shape, seed, factor) => {
            const given = drawn(optimizer, shape, seed, { factor });
            const [own, plain] = [byKernel(optimizer, given), byRule(optimizer, given)];
            own.forEach((values, i) =>
              values.forEach((member, k) => {
                if (!ADAMS.includes(kind) || i > 0) expect(bitsOf(member)).toEqual(bitsOf(plain[i]![k]!));
                else expectNear(member, plain[i]![k]!, 1e-6);
              }),
            );
          },
        ),
        { numRuns: 60, seed: 1 },
      );
    });

    test("gives a member the same bits at any place, beside any others", () => {
      for (const size of [3, 4, 9]) {
        const given = drawn(optimizer, [size], size);
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
      }
    });

    test("keeps what is not finite to its own number, and reads what it is given without writing it", () => {
      const strange = [NaN, Infinity, -Infinity, -0, 1e-40, 3e38, 1];
      const given = drawn(optimizer, [strange.length], 3);
      const gradient = given.gradient.map((values) => values.map((value, i) => (i === 6 ? value : strange[i]!)));
      const [clean, odd] = [byKernel(optimizer, given), byKernel(optimizer, { ...given, gradient })];
      odd.forEach((values, i) =>
        values.forEach((member, k) => {
          expect(Number.isNaN(member[0])).toBe(true);
          expect(member[6]).toBe(clean[i]![k]![6]);
        }),
      );
      expect(byKernel(optimizer, given)).toEqual(clean);
    });

    test("takes no members and no numbers", () => {
      const none = drawn(optimizer, [0], 1);
      expect(byKernel(optimizer, none).map((values) => values.map((member) => member.length))).toEqual(
        [null, ...optimizer.slots].map(() => [0, 0, 0]),
      );
    });
  },
);

describe("the sign", () => {
  test("is that of every number, however small, and NaN of NaN, at any length", () => {
    const values = [1e-30, -1e-30, 1e-44, -1e-44, 5e-8, -5e-8, 0, -0, Infinity, -Infinity, NaN, 3, -3];
    for (let length = 0; length <= values.length; length += 1) {
      const taken = values.slice(0, length);
      const actual = tf.tidy(() => [...tf.sign(tf.tensor1d(taken, "float32")).dataSync()] as never);
      expect(actual).toEqual(taken.map((value) => (value === 0 ? 0 : Math.sign(value))));
    }
    expect([...tf.tidy(() => tf.sign(tf.tensor1d([-2, 0, 5], "int32")).dataSync())]).toEqual([-1, 0, 1]);
  });
});

function expectNear(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  actual.forEach((value, i) => expect(Math.abs(value - expected[i]!), `number ${i}`).toBeLessThan(tolerance));
}
