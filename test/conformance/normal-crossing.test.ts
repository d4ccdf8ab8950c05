/** Normal crossings where their gradients are delicate: at 0, where powers by logarithms have none, and at negative weights. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Task, Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { normalCrossing } from "../../src/catalogue/architecture/normal-crossing.ts";
import { numbersOf } from "../../src/catalogue/number-list.ts";
import { openTestBackend } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

const configOf = (powers: string, form: "product" | "sum") =>
  ({ kind: "normal-crossing", powers, form, initScale: 1 }) as const;
const X = [1.5, -0.5];
const R = [0.75, -1.25, 2, 0.5, -3, 1];

/** sum_i r_i f(x)_i of one member and its gradient, by the architecture; and in double precision, by the product rule. */
function both(powers: string, form: "product" | "sum", w: readonly number[]) {
  const k = numbersOf(powers);
  const outputs = form === "sum" ? k.length : 1;
  const task: Task = { input: { kind: "vector", size: 1 }, output: { kind: "values", values: outputs }, trainRows: 2, testRows: 2 }; // prettier-ignore
  const r = R.slice(0, X.length * outputs);
  const computed = tf.tidy(() => {
    const context = { tf, hidden: (activation: Tensor3D) => activation };
    const input = tf.tensor3d(X, [1, X.length, 1]);
    const value = (weight: Tensor): Tensor =>
      tf.sum(tf.mul(normalCrossing.forward(context, configOf(powers, form), task, [weight], input), tf.tensor3d(r, [1, X.length, outputs]))); // prettier-ignore
    const weight = tf.tensor3d([...w], [1, 1, k.length]);
    return { value: value(weight).dataSync()[0]!, gradient: [...tf.grad(value)(weight).dataSync()] } as never;
  }) as { readonly value: number; readonly gradient: readonly number[] };
  const power = (i: number): number => w[i]! ** k[i]!;
  const slope = (i: number): number => k[i]! * w[i]! ** (k[i]! - 1);
  const others = (i: number): number => k.reduce((product, _, j) => (j === i ? product : product * power(j)), 1);
  const weightOf = (i: number): number =>
    X.reduce((sum, x, row) => sum + x * r[row * outputs + (form === "sum" ? i : 0)]!, 0);
  const value = form === "sum" ? k.reduce((sum, _, i) => sum + weightOf(i) * power(i), 0) : weightOf(0) * others(-1);
  const gradient = k.map((_, i) => weightOf(i) * slope(i) * (form === "sum" ? 1 : others(i)));
  return { computed, expected: { value, gradient } };
}

describe.each(["product", "sum"] as const)("the %s of powers", (form) => {
  test.each([
    ["1", [0]],
    ["1", [-0.5]],
    ["2", [0]],
    ["3", [-1.5]],
    ["1 1", [0, 0]],
    ["1 1", [0, 1.25]],
    ["1 2 3", [0, 0, 0]],
    ["1 2 3", [0, -0.5, 1.5]],
    ["3 2 1", [-0.5, -1.25, -2]],
    ["4 5 7", [-1.5, 0.5, -0.75]],
    ["4 1 16", [0, -1, -1]],
  ])("%s has exact values and gradients at w = %j", (powers, w) => {
    const { computed, expected } = both(powers, form, w);
    // Products of short binary fractions: float32 rounds few of them.
    expect(computed.value).toBeCloseTo(expected.value, 4);
    computed.gradient.forEach((value, i) => {
      expect(Math.abs(value - expected.gradient[i]!)).toBeLessThanOrEqual(
        1e-6 * Math.max(1, Math.abs(expected.gradient[i]!)),
      );
    });
    const zeros = expected.gradient.flatMap((value, i) => (value === 0 ? [i] : []));
    // Zero of either sign.
    for (const i of zeros) expect(Math.abs(computed.gradient[i]!)).toBe(0);
  });
});
