import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { ownKernel } from "../../../../src/catalogue/own-kernel.ts";
import { l1 } from "../../../../src/catalogue/regulariser/l1.ts";
import { l2 } from "../../../../src/catalogue/regulariser/l2.ts";
import { weightDecay } from "../../../../src/catalogue/regulariser/weight-decay.ts";
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
  /** L1, L2, decoupled decay of each member. */
  readonly penalties: readonly (readonly [number, number, number])[];
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
  const outside = Array.from({ length: margin }, () => [9, 9, 9] as const);
  return tf.tidy(() => {
    const inputs: Record<string, Tensor> = {
      weight0: wide(given.weight),
      gradient0: wide(given.gradient),
      penalties: tf.tensor2d([...outside, ...given.penalties, ...outside].flat(), [configs.length + 2 * margin, 3]),
    };
    given.slots.forEach((slot, i) => (inputs[`slot0.${i}`] = stack(tf, slot, shape)));
    for (const [name, values] of hyperparametersOf(optimizer, configs)) inputs[name] = tf.tensor1d([...values]);
    const attrs = { parameters: 1, slots: given.slots.length, from: margin, step, factor };
    return ownKernel(tf, `OccamUpdate-${optimizer.kind}`, inputs, attrs)!.map(unstack) as never;
  });
}

/** By the catalogue's rules: the optimizer, and the hooks of the penalties. */
function byRule(optimizer: Optimizer, given: Given): Updated {
  const { configs, shape, step, factor } = given;
  const rank = shape.length + 1;
  return tf.tidy(() => {
    const weight = stack(tf, given.weight, shape);
    const strength = (i: number): Tensor => perMember(tf, given.penalties.map((each) => each[i]!), rank); // prettier-ignore
    const h: Record<string, Tensor> = {};
    for (const [name, values] of hyperparametersOf(optimizer, configs)) h[name] = perMember(tf, values, rank);
    h["learningRate"] = tf.mul(h["learningRate"]!, factor);
    let gradient = stack(tf, given.gradient, shape);
    gradient = tf.add(gradient, l1.gradient!(tf, weight, strength(0)));
    gradient = tf.add(gradient, l2.gradient!(tf, weight, strength(1)));
    const slots = given.slots.map((slot) => stack(tf, slot, shape));
    const update = optimizer.update(tf, { weight, gradient, slots, h, step });
    const decay = weightDecay.decay!(tf, weight, strength(2), h["learningRate"]);
    return [tf.sub(update.weight, decay), ...update.slots].map(unstack) as never;
  });
}

function hyperparametersOf(optimizer: Optimizer, configs: readonly Config[]) {
  const each = configs.map((config) => optimizer.hyperparameters(config));
  return Object.keys(each[0]!).map((name) => [name, each.map((h) => h[name]!)] as const);
}

const NO_PENALTIES = [0, 0, 0] as const;

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
    penalties: configs.map(() => NO_PENALTIES),
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

    test("is that of the plain rule, penalties and schedule included, over random shapes", () => {
      const strength = fc.constantFrom(0, 0, 0.01, 0.3);
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 }),
          fc.nat(1000),
          fc.array(fc.tuple(strength, strength, strength), { minLength: 3, maxLength: 3 }),
          fc.constantFrom(1, 0.7, 0.01),
          (shape, seed, penalties, factor) => {
            const given = drawn(optimizer, shape, seed, { penalties, factor });
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
        const given = drawn(optimizer, [size], size, { penalties: [[0.1, 0, 0], NO_PENALTIES, [0, 0.2, 0.3]] });
        const three = byKernel(optimizer, given);
        expect(byKernel(optimizer, given, 2)).toEqual(three);
        [0, 1, 2].forEach((k) => {
          const alone = byKernel(optimizer, {
            ...given,
            configs: [given.configs[k]!],
            weight: [given.weight[k]!],
            gradient: [given.gradient[k]!],
            slots: given.slots.map((slot) => [slot[k]!]),
            penalties: [given.penalties[k]!],
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
        Array(1 + optimizer.slots.length).fill([0, 0, 0]),
      );
    });
  },
);

describe("penalties of strength 0", () => {
  test("leave every bit of the gradient, the sign of a zero and infinite weights included", () => {
    const [optimizer] = OPTIMIZERS;
    const weight = [Float32Array.of(-0, 0, Infinity, -Infinity, 2)];
    const gradient = [Float32Array.of(-0, -0, 0, 0, 1)];
    const given = { configs: threeConfigs(optimizer!).slice(0, 1), shape: [5], weight, gradient, slots: [], step: 1, factor: 1 }; // prettier-ignore
    const [updated] = byKernel(optimizer!, { ...given, penalties: [NO_PENALTIES] });
    const rate = Math.fround(optimizer!.hyperparameters(given.configs[0]!)["learningRate"]!);
    expect([...updated![0]!]).toEqual([0, 0, Infinity, -Infinity, Math.fround(2 - rate)]);
    expect([...updated![0]!].slice(0, 4).map((w, i) => Object.is(w, weight[0]![i]! - rate * gradient[0]![i]!))).toEqual(Array(4).fill(true)); // prettier-ignore
  });
});

function expectNear(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  actual.forEach((value, i) => expect(Math.abs(value - expected[i]!), `number ${i}`).toBeLessThan(tolerance));
}
