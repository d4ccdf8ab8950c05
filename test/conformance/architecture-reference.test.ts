/** Every architecture of the registry against the same mathematics in double precision, written apart from it. */
import { beforeAll, describe, expect, test } from "vitest";
import { ARCHITECTURES, architectureOf } from "../../src/catalogue/registry.ts";
import { outputWidth, type Config, type Task, type Tensor3D, type Tf } from "../../src/catalogue/entry.ts";
import { ModelUnderTest, ROWS } from "../support/model-under-test.ts";
import { REFERENCE_MODELS } from "../support/reference-models.ts";
import { smallConfigs } from "../support/schema-variants.ts";
import { SMALL_TASKS } from "../support/small-tasks.ts";
import { bitsOf, stack, unstack } from "../support/stacked.ts";
import { openTestBackend } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

const cases = ARCHITECTURES.flatMap((architecture) =>
  smallConfigs(architecture).flatMap(([variant, config]) =>
    Object.entries(SMALL_TASKS)
      .filter(([, task]) => architecture.unsupported(config, task) === undefined)
      .map(([taskName, task]) => ({ name: `${variant}, ${taskName}`, config, task })),
  ),
);

/**
 * Float32 against double: each output comes of products of some hundred terms of size about 1, through up to ten layers, each
 * rounded to 2^-24 = 6e-8; the wasm backend's erf is good to 1.5e-7. 1e-5 of the largest output is ten times what is seen and
 * a hundredth of what a misplaced term makes.
 */
const RELATIVE = 1e-5;

test.each(cases)("$name computes what its equations say", ({ config, task }: { config: Config; task: Task }) => {
  const reference = REFERENCE_MODELS[config.kind];
  expect(reference, `a reference for ${config.kind} in reference-models.ts`).toBeDefined();
  const model = new ModelUnderTest(tf, architectureOf(config), config, task);
  const members = [0, 1];
  const { outputs } = model.run(members);
  for (const member of members) {
    const input = model.input(member);
    const expected = Array.from({ length: ROWS }, (_, row) =>
      reference!(config, task, model.weights(member), [
        ...input.subarray(row * model.preparedSize, (row + 1) * model.preparedSize),
      ]),
    ).flat();
    const largest = Math.max(...expected.map(Math.abs));
    outputs[member]!.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(RELATIVE * largest));
  }
});

describe("the transformer", () => {
  const task = SMALL_TASKS["tokens to the next token at each position"]!;
  const [[, config]] = smallConfigs(ARCHITECTURES.find(({ kind }) => kind === "transformer")!) as [[string, Config]];

  test("never lets a prediction depend on a later token, bit for bit", () => {
    const model = new ModelUnderTest(tf, architectureOf(config), config, task);
    const context = model.preparedSize;
    const classes = outputWidth(task.output);
    const plain = model.input(0);
    const outputOf = (ids: Float32Array): readonly (readonly number[])[] =>
      tf.tidy(() => {
        const input = stack(tf, [ids, ids], [ROWS, context]) as Tensor3D;
        const bits = bitsOf(unstack(model.forward(model.stackWeights([0, 1]), input))[0]!);
        // Of the first row: the bits of the logits at each position.
        return Array.from({ length: context }, (_, t) => bits.slice(t * classes, (t + 1) * classes)) as never;
      });
    const before = outputOf(plain);
    for (let changed = 0; changed < context; changed += 1) {
      const ids = Float32Array.from(plain, (id, i) => (i === changed ? (id + 1) % classes : id));
      const after = outputOf(ids);
      for (let t = 0; t < context; t += 1) {
        if (t < changed) expect(after[t]).toEqual(before[t]);
        else expect(after[t]).not.toEqual(before[t]);
      }
    }
  });
});
