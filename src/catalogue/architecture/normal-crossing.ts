/**
 * Normal crossings, the form that every singularity has after resolution (Watanabe, "Algebraic Geometry and Statistical Learning
 * Theory", 2009, theorem 2.3), as models of one input x with weights w_1 .. w_d and powers k_1 .. k_d:
 *   product  f(x)   = x prod_i w_i^k_i, one output:           K = (E x^2 / 2) prod_i w_i^(2 k_i) at the truth 0;
 *   sum      f_i(x) = x w_i^k_i, an output for each power:    K = (E x^2 / 2) sum_i w_i^(2 k_i).
 */
import { z } from "zod";
import { product } from "./dense.ts";
import { initScaleField } from "./fields.ts";
import type { Architecture, Config, Task, Tensor, Tf } from "../entry.ts";
import { numberList, numbersOf } from "../number-list.ts";

const schema = z.strictObject({
  powers: numberList(z.int().min(1).max(16), { most: 32 })
    .default("1 1")
    .describe("k_1, k_2, ...: the power of each weight; there are as many weights."),
  form: z
    .enum(["product", "sum"])
    .default("product")
    .describe("product of all powers as one output, or a sum over outputs, one for each power"),
  initScale: initScaleField,
});

type NormalCrossingConfig = Config & z.infer<typeof schema>;

function outputsOf(config: NormalCrossingConfig): number {
  return config.form === "sum" ? numbersOf(config.powers).length : 1;
}

function unsupported(config: NormalCrossingConfig, { input, output }: Task): string | undefined {
  if (input.kind !== "vector" || input.size !== 1) return "it reads rows of one number; use data with inputs: 1";
  const outputs = outputsOf(config);
  if (output.kind === "values" && output.values === outputs) return undefined;
  return `the ${config.form} of the powers ${config.powers} gives ${outputs} values; use data with outputs: ${outputs}`;
}

/** w^power by squaring: a product's gradient is exact at 0 and below, where that of a power by logarithms is not. */
function raised(tf: Tf, w: Tensor, power: number): Tensor {
  if (power === 1) return w;
  const root = raised(tf, w, Math.floor(power / 2));
  const square = tf.mul(root, root);
  return power % 2 === 0 ? square : tf.mul(square, w);
}

export const normalCrossing: Architecture<NormalCrossingConfig> = {
  kind: "normal-crossing",
  summary: "products or sums of powers of weights: singularities of known learning coefficient",
  schema,
  unsupported,
  preparedSize: () => 1,
  parameters: ({ powers, initScale }) => [
    { name: "w", shape: [1, numbersOf(powers).length], initial: { kind: "normal", std: initScale } },
  ],
  forwardFlops: (config) => 2 * outputsOf(config),
  forward({ tf }, { powers, form }, _task, weights, input) {
    const exponents = numbersOf(powers);
    const w = weights[0]!;
    // The gradient of a split fails where there is but one part.
    const parts = exponents.length === 1 ? [w] : tf.split(w, exponents.length, -1);
    const each = parts.map((part, i) => raised(tf, part, exponents[i]!));
    const factors = form === "sum" ? tf.concat(each, -1) : each.reduce((left, right) => tf.mul(left, right));
    return product(tf, input, factors);
  },
  starts: { canonical: ({ powers }) => [new Float32Array(numbersOf(powers).length)] },
};
