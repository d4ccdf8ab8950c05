/** The value of each regulariser's hook, from its equation. */
import { beforeAll, describe, expect, test } from "vitest";
import { dropout } from "../../src/catalogue/regulariser/dropout.ts";
import { l1 } from "../../src/catalogue/regulariser/l1.ts";
import { l2 } from "../../src/catalogue/regulariser/l2.ts";
import { labelSmoothing } from "../../src/catalogue/regulariser/label-smoothing.ts";
import { weightDecay } from "../../src/catalogue/regulariser/weight-decay.ts";
import { weightNoise } from "../../src/catalogue/regulariser/weight-noise.ts";
import type { Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { fillUniform, rootKey } from "../../src/core/random.ts";
import { perMember, stack, unstack } from "../support/stacked.ts";
import { openTestBackend } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

/** Two members of one row: strengths 0.5 and 0.25, exact in binary. */
const STRENGTHS = [0.5, 0.25];
const WEIGHTS = [
  [1, -2, 0, 4],
  [-8, 0, 16, -1],
];

function rows(values: readonly (readonly number[])[]): Tensor3D {
  const members = values.map((member) => Float32Array.from(member));
  return stack(tf, members, [1, values[0]!.length]) as Tensor3D;
}

const strengths = (): Tensor => perMember(tf, STRENGTHS, 3);

function valuesOf(make: () => Tensor): number[][] {
  return tf.tidy(() => unstack(make()).map((member) => [...member]) as never);
}

test("l2 adds lambda w, the gradient of (lambda / 2) |w|^2", () => {
  expect(valuesOf(() => l2.gradient!(tf, rows(WEIGHTS), strengths()))).toEqual([
    [0.5, -1, 0, 2],
    [-2, 0, 4, -0.25],
  ]);
});

test("l1 adds lambda sign w, and nothing at 0", () => {
  const terms = valuesOf(() => l1.gradient!(tf, rows(WEIGHTS), strengths()));
  expect(terms.map((member) => member.map((value) => value + 0))).toEqual([
    [0.5, -0.5, 0, 0.5],
    [-0.25, 0, 0.25, -0.25],
  ]);
});

test("weight decay takes eta lambda w", () => {
  const rates = (): Tensor => perMember(tf, [0.5, 2], 3);
  expect(valuesOf(() => weightDecay.decay!(tf, rows(WEIGHTS), strengths(), rates()))).toEqual([
    [0.25, -0.5, 0, 1],
    [-4, 0, 8, -0.5],
  ]);
});

test("weight noise adds sigma n, and lets the gradient through unchanged", () => {
  const normal = (): Tensor =>
    rows([
      [2, 4, -2, 0],
      [4, 4, -4, 8],
    ]);
  expect(valuesOf(() => weightNoise.perturb!(tf, rows(WEIGHTS), strengths(), normal()))).toEqual([
    [2, 0, -1, 4],
    [-7, 1, 15, 1],
  ]);
  const gradient = (): Tensor =>
    tf.grad((weight) => tf.sum(tf.square(weightNoise.perturb!(tf, weight, strengths(), normal()))))(rows(WEIGHTS));
  expect(valuesOf(gradient)).toEqual([
    [4, 0, -2, 8],
    [-14, 2, 30, 2],
  ]);
});

test("label smoothing mixes with the uniform distribution, so that targets still sum to 1", () => {
  const targets = (): Tensor =>
    labelSmoothing.targets!(
      tf,
      rows([
        [0, 1, 0, 0],
        [1, 0, 0, 0],
      ]),
      strengths(),
      4,
    );
  expect(valuesOf(targets)).toEqual([
    [0.125, 0.625, 0.125, 0.125],
    [0.8125, 0.0625, 0.0625, 0.0625],
  ]);
});

describe("dropout", () => {
  const uniform = (): Tensor3D =>
    rows([
      [0.49, 0.5, 0, 0.99],
      [0.24, 0.25, 0.5, 0],
    ]);

  test("drops where the uniform is below p, and scales the rest by 1 / (1 - p)", () => {
    const kept = valuesOf(() => dropout.hidden!(tf, rows(WEIGHTS), strengths(), uniform()));
    const third = Math.fround(1 / 0.75);
    expect(kept.map((member) => member.map((value) => value + 0))).toEqual([
      [0, -4, 0, 8],
      [0, 0, 16 * third, 0],
    ]);
  });

  test("passes the gradient through what it keeps alone, by the same factor", () => {
    const gradient = (): Tensor =>
      tf.grad((activation) => tf.sum(dropout.hidden!(tf, activation as Tensor3D, strengths(), uniform())))(
        rows(WEIGHTS),
      );
    const third = Math.fround(1 / 0.75);
    expect(valuesOf(gradient)).toEqual([
      [0, 2, 0, 2],
      [0, third, third, 0],
    ]);
  });

  test("keeps the mean, and drops a share p of the activations", () => {
    const count = 100_000;
    const uniforms = [0, 1].map((member) => {
      const draws = new Float32Array(count);
      fillUniform(rootKey(`dropout/${member}`), { a: 0, b: 0 }, draws);
      return draws;
    });
    const ones = [new Float32Array(count).fill(1), new Float32Array(count).fill(1)];
    const kept = valuesOf(() =>
      dropout.hidden!(
        tf,
        stack(tf, ones, [1, count]) as Tensor3D,
        strengths(),
        stack(tf, uniforms, [1, count]) as Tensor3D,
      ),
    );
    STRENGTHS.forEach((p, member) => {
      const dropped = kept[member]!.filter((value) => value === 0).length / count;
      const standardError = Math.sqrt((p * (1 - p)) / count);
      expect(Math.abs(dropped - p)).toBeLessThan(4 * standardError);
      const mean = kept[member]!.reduce((sum, value) => sum + value, 0) / count;
      expect(Math.abs(mean - 1)).toBeLessThan((4 * standardError) / (1 - p));
    });
  });
});
