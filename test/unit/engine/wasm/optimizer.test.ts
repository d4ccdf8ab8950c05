import { beforeAll, describe, expect, test } from "vitest";
import fc from "fast-check";
import { OPTIMIZERS } from "../../../../src/catalogue/registry.ts";
import type { Tf } from "../../../../src/catalogue/entry.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";
import {
  drawnUpdate,
  expectOwnUpdate,
  expectReferenceUpdate,
  updateByKernel,
  updateByRule,
} from "../../../support/optimizer-kernel.ts";
import { bitsOf } from "../../../support/stacked.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend("wasm"));
});

/** The kernels' Adam computes its corrections in double precision, the plain rule in float32. */
const ADAMS = ["adam", "adamw"];

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33];

describe.each(OPTIMIZERS.map((optimizer) => [optimizer.kind, optimizer] as const))(
  "the update of %s",
  (kind, optimizer) => {
    test("is within rounding of the reference in double precision, for sizes of every remainder", () => {
      for (const size of SIZES) expectReferenceUpdate(tf, optimizer, drawnUpdate(optimizer, [size], size));
    });

    test("is that of the plain rule, schedule included, over random shapes", () => {
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 }),
          fc.nat(1000),
          fc.constantFrom(1, 0.7, 0.01),
          (shape, seed, factor) => {
            const given = drawnUpdate(optimizer, shape, seed, { factor });
            const [own, plain] = [updateByKernel(tf, optimizer, given), updateByRule(tf, optimizer, given)];
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
      for (const size of [3, 4, 9]) expectOwnUpdate(tf, optimizer, drawnUpdate(optimizer, [size], size));
    });

    test("keeps what is not finite to its own number, and reads what it is given without writing it", () => {
      const strange = [NaN, Infinity, -Infinity, -0, 1e-40, 3e38, 1];
      const given = drawnUpdate(optimizer, [strange.length], 3);
      const gradient = given.gradient.map((values) => values.map((value, i) => (i === 6 ? value : strange[i]!)));
      const [clean, odd] = [
        updateByKernel(tf, optimizer, given),
        updateByKernel(tf, optimizer, { ...given, gradient }),
      ];
      odd.forEach((values, i) =>
        values.forEach((member, k) => {
          expect(Number.isNaN(member[0])).toBe(true);
          expect(member[6]).toBe(clean[i]![k]![6]);
        }),
      );
      expect(updateByKernel(tf, optimizer, given)).toEqual(clean);
    });

    test("takes no members and no numbers", () => {
      const none = drawnUpdate(optimizer, [0], 1);
      expect(updateByKernel(tf, optimizer, none).map((values) => values.map((member) => member.length))).toEqual(
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
