import { beforeAll, describe, expect, test } from "vitest";
import type { Rows, Tensor } from "../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, type Program } from "../../../worker/engine/program.ts";
import { evaluationRows } from "../../../src/spec/memory.ts";
import { evaluate, type Evaluation } from "../../../worker/train/evaluate.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { normals, stack, type Stack } from "../../support/stacked.ts";
import { tinyCell, type Given } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

/** Linear models, whose losses are short to write down. */
const linear = (data: Given) =>
  tinyCell({ data, architecture: { kind: "mlp", activation: "tanh", depth: 0, width: 1 } }).config;
// More rows than one chunk, and not a multiple of it.
const MOONS = linear({ kind: "moons", train: 1111, test: 7 });
const TEACHER = linear({ kind: "teacher-student", inputs: 3, outputs: 2, train: 600, test: 5 });
const MEMBERS = 3;

const weightsOf = (program: Program): readonly Stack[] =>
  program.parameters.map(({ name, shape }) =>
    Array.from({ length: MEMBERS }, (_, k) =>
      normals(
        `${name}/${k}`,
        shape.reduce((a, b) => a * b, 1),
      ),
    ),
  );

/** The outputs of one row, in double precision. */
function outputsOf(x: Float32Array, [w, b]: readonly [Float32Array, Float32Array]): number[] {
  return Array.from(b, (bias, j) => x.reduce((sum, value, i) => sum + value * w[i * b.length + j]!, bias));
}

function classified({ x, y, rows }: Rows, weights: readonly [Float32Array, Float32Array]): Evaluation {
  let [loss, hits] = [0, 0];
  for (let r = 0; r < rows; r += 1) {
    const z = outputsOf(x.subarray(2 * r, 2 * r + 2), weights);
    loss += Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0)) - z[y[r]!]!;
    if (z.indexOf(Math.max(...z)) === y[r]) hits += 1;
  }
  return { loss: loss / rows, accuracy: hits / rows };
}

function regressed({ x, y, rows }: Rows, weights: readonly [Float32Array, Float32Array]): Evaluation {
  let loss = 0;
  for (let r = 0; r < rows; r += 1) {
    const f = outputsOf(x.subarray(3 * r, 3 * r + 3), weights);
    loss += f.reduce((sum, value, j) => sum + 0.5 * (value - y[2 * r + j]!) ** 2, 0);
  }
  return { loss: loss / rows, accuracy: null };
}

async function evaluated(config: typeof MOONS, split: "train" | "test", weights: readonly Stack[]) {
  const program = openProgram(engine, config);
  const rows = await engine.datasets.load(config.data);
  const data = new FusedData(program, [rows]);
  const before = engine.memory().tensors;
  const tensors: Tensor[] = weights.map((members, p) => stack(engine.tf, members, program.parameters[p]!.shape));
  const evaluations = evaluate(program, data, split, tensors, Array(weights[0]!.length).fill(0));
  engine.tf.dispose(tensors);
  expect(engine.memory().tensors).toBe(before);
  data.dispose();
  return { evaluations, rows: rows[split], chunk: evaluationRows(program) };
}

describe.each([
  ["classes", MOONS, classified],
  ["values", TEACHER, regressed],
] as const)("an evaluation of %s", (_, config, reference) => {
  test.each(["train", "test"] as const)("is each member's mean over all rows: %s", async (split) => {
    const weights = weightsOf(openProgram(engine, config));
    const { evaluations, rows, chunk } = await evaluated(config, split, weights);
    if (split === "train") expect(rows.rows).toBeGreaterThan(chunk);
    evaluations.forEach(({ loss, accuracy }, k) => {
      const expected = reference(rows, [weights[0]![k]!, weights[1]![k]!]);
      // Each row's loss has some roundings of numbers of size ten; their mean has no more.
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
      expect(accuracy).toBe(expected.accuracy);
    });
    expect(new Set(evaluations.map(({ loss }) => loss)).size).toBe(MEMBERS);
  });

  test("of one member is bitwise that among others, and a NaN stays in its own member", async () => {
    const weights = weightsOf(openProgram(engine, config));
    const { evaluations } = await evaluated(config, "train", weights);
    const alone = await evaluated(config, "train", weights.map((members) => [members[1]!])); // prettier-ignore
    expect(alone.evaluations).toEqual([evaluations[1]]);
    const sick = weights.map((members) => members.map((values, k) => (k === 0 ? values.map(() => NaN) : values)));
    const beside = await evaluated(config, "train", sick);
    expect(beside.evaluations[0]!.loss).toBeNaN();
    expect(beside.evaluations.slice(1)).toEqual(evaluations.slice(1));
  });
});

test("accuracy is the same by our own kernel and by plain operations", async () => {
  const weights = weightsOf(openProgram(engine, MOONS));
  const own = await evaluated(MOONS, "train", weights);
  const kernel = engine.tf.getKernel("OccamHits", "wasm");
  engine.tf.unregisterKernel("OccamHits", "wasm");
  try {
    expect((await evaluated(MOONS, "train", weights)).evaluations).toEqual(own.evaluations);
  } finally {
    engine.tf.registerKernel(kernel);
  }
});
