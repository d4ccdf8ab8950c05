import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, outputsOf, rowGradients, type Program } from "../../../worker/engine/program.ts";
import { ProgramSurface, type SurfaceCell, type SurfaceOptions } from "../../../worker/sample/program-surface.ts";
import { stackWeights } from "../../../worker/sample/surface.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { normals, sizeOf, unstack } from "../../support/stacked.ts";
import { tinyCell, type CellGiven } from "../../support/tiny-cells.ts";

let engine: Engine;
/** Three classes, in two datasets; values, of two outputs. */
let classifier: Fixture;
let regressor: Fixture;
let tensors = 0;

interface Fixture {
  readonly program: Program;
  readonly data: FusedData;
  readonly cells: readonly SurfaceCell[];
}

async function fixture(...given: readonly CellGiven[]): Promise<Fixture> {
  const all = given.map(tinyCell);
  const program = openProgram(engine, all[0]!.config);
  const data = new FusedData(program, await Promise.all(all.map(({ config }) => engine.datasets.load(config.data))));
  const cells = [0, 1, 2].map((cell) => ({ dataset: cell % all.length, weights: weightsOf(program, `cell ${cell}`) }));
  return { program, data, cells };
}

const weightsOf = ({ parameters }: Program, name: string): readonly Float32Array[] =>
  parameters.map(({ shape }, p) => normals(`surface ${name} ${p}`, sizeOf(shape), 0.7));

beforeAll(async () => {
  engine = await openEngine("wasm");
  const architecture = { kind: "mlp", activation: "tanh", depth: 1, width: 5 };
  const spirals = (seed: number) => ({ data: { kind: "spirals", arms: 3, train: 30, test: 12, seed }, architecture });
  classifier = await fixture(spirals(1), spirals(2));
  // More rows than own outputs are computed of at a time.
  const teacher = { kind: "teacher-student", inputs: 3, outputs: 2, train: 530, test: 8 };
  regressor = await fixture({ data: teacher, architecture });
});
afterAll(() => {
  for (const { data } of [classifier, regressor]) data.dispose();
  expect(engine.memory().tensors).toBe(0);
});
beforeEach(() => {
  tensors = engine.memory().tensors;
});
afterEach(() => {
  // The table of both splits is made when it is first asked for, and stays.
  expect(engine.memory().tensors - tensors).toBeLessThanOrEqual(2);
});

/** What the surface says of members at these weights, one row of numbers a member. */
interface Said {
  readonly losses: readonly Float32Array[];
  /** By parameter, then by member. */
  readonly gradients: readonly (readonly Float32Array[])[];
  readonly shapes: readonly (readonly number[])[];
  readonly rows: number;
  readonly dimension: number;
}

/** @param rows of each member; by default all of the surface's, in their order */
function ask(
  { program, data, cells }: Fixture,
  options: SurfaceOptions,
  members: readonly number[],
  weights: readonly (readonly Float32Array[])[],
  rows?: readonly (readonly number[])[],
): Said {
  const { tf } = engine;
  const before = engine.memory().tensors;
  const hadAll = options.split === "all";
  const surface = new ProgramSurface(program, data, cells, options);
  const numbers = rows ?? members.map(() => Array.from({ length: surface.rows }, (_, row) => row));
  const given = tf.tensor2d(numbers as number[][], undefined, "int32");
  const batch = surface.batch(members, given);
  const stacked = stackWeights(surface, weights);
  const made = batch.gradients(stacked);
  const { shapes, dimension } = surface;
  const said = { losses: unstack(made.rows), gradients: made.gradients.map(unstack), shapes, dimension, rows: surface.rows }; // prettier-ignore
  batch.dispose();
  surface.dispose();
  tf.dispose([given, ...stacked, made.rows, ...made.gradients]);
  expect(engine.memory().tensors - before).toBeLessThanOrEqual(hadAll ? 2 : 0);
  return said;
}

const LOSS: SurfaceOptions = { distance: "loss", split: "train" };
const trainedOf = ({ cells }: Fixture, members: readonly number[]) => members.map((cell) => cells[cell]!.weights);
const movedOf = ({ program }: Fixture, members: readonly number[]) => members.map((_, k) => weightsOf(program, `moved ${k}`)); // prettier-ignore

/** Outputs [members][rows x width] of all rows of a split. */
function outputs(
  { program, data, cells }: Fixture,
  members: readonly number[],
  weights: readonly (readonly Float32Array[])[],
  split: "train" | "test" | "all" = "train",
): readonly Float32Array[] {
  const { tf } = engine;
  const datasets = members.map((cell) => cells[cell]!.dataset);
  const count = data.rows(split);
  const numbers = Int32Array.from({ length: members.length * count }, (_, i) => i % count);
  const batch = data.gather(split, datasets, numbers);
  const stacked = stackWeights({ engine, shapes: program.parameters.map(({ shape }) => shape) }, weights);
  const out = { values: [] as readonly Float32Array[] };
  tf.tidy(() => {
    out.values = unstack(outputsOf(program, stacked, batch.input));
  });
  tf.dispose([batch.input, batch.targets, ...stacked]);
  return out.values;
}

function softmax(z: Float32Array): readonly number[] {
  const exponentials = [...z].map((value) => Math.exp(value - Math.max(...z)));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const MEMBERS = [1, 0, 2, 1];

describe("the surface of the training loss", () => {
  test("is what rowGradients says of the same members", () => {
    for (const of of [classifier, regressor]) {
      const { program, data, cells } = of;
      const rows = MEMBERS.map((_, k) => [3, 0, 7, 7, k]);
      const weights = movedOf(of, MEMBERS);
      const said = ask(of, LOSS, MEMBERS, weights, rows);
      const datasets = MEMBERS.map((cell) => cells[cell]!.dataset);
      const batch = data.gather("train", datasets, Int32Array.from(rows.flat()));
      const stacked = stackWeights({ engine, shapes: program.parameters.map(({ shape }) => shape) }, weights);
      const made = rowGradients(program, stacked, batch);
      expect(said.losses).toEqual(unstack(made.rows));
      expect(said.gradients).toEqual(made.gradients.map(unstack));
      engine.tf.dispose([batch.input, batch.targets, ...stacked, made.rows, ...made.gradients]);
      expect(said.dimension).toBe(program.parameterCount);
      expect(said.rows).toBe(data.rows("train"));
    }
  });

  test("with parameters held, has the gradients of the others alone, at each cell's own held values", () => {
    const free = [1, 2];
    for (const of of [classifier, regressor]) {
      const moved = movedOf(of, MEMBERS);
      const said = ask(of, { ...LOSS, free }, MEMBERS, moved.map((w) => free.map((p) => w[p]!))); // prettier-ignore
      const whole = MEMBERS.map((cell, k) =>
        of.cells[cell]!.weights.map((w, p) => (free.includes(p) ? moved[k]![p]! : w)),
      );
      const all = ask(of, LOSS, MEMBERS, whole);
      expect(said.losses).toEqual(all.losses);
      expect(said.gradients.length).toBe(2);
      free.forEach((p, i) => {
        said.gradients[i]!.forEach((values, k) => values.forEach((value, j) => expect(value).toBeCloseTo(all.gradients[p]![k]![j]!, 6))); // prettier-ignore
      });
      expect(said.shapes).toEqual(free.map((p) => of.program.parameters[p]!.shape));
      expect(said.dimension).toBe(sum(said.shapes.map(sizeOf)));
    }
  });

  test("on chosen rows is that of these rows, numbered anew", () => {
    const rows = [[2, 9, 11], [0, 1, 2], [29, 4, 3]].map((own) => Int32Array.from(own)); // prettier-ignore
    const weights = movedOf(classifier, MEMBERS);
    const all = ask(classifier, LOSS, MEMBERS, weights);
    const said = ask(classifier, { ...LOSS, rows }, MEMBERS, weights);
    expect(said.rows).toBe(3);
    MEMBERS.forEach((cell, k) => {
      expect([...said.losses[k]!]).toEqual([...rows[cell]!].map((row) => all.losses[k]![row]!));
    });
  });
});

describe.each(["mse", "kl"] as const)("the behavioural surface by %s", (distance) => {
  const of = (): Fixture => (distance === "kl" ? classifier : regressor);

  test.each(["train", "all"] as const)(
    "has its minimum at the trained weights of every cell, on inputs: %s",
    (split) => {
      const given = of();
      const said = ask(given, { distance, split }, MEMBERS, trainedOf(given, MEMBERS));
      const { data } = given;
      expect(said.rows).toBe(split === "all" ? data.rows("train") + data.rows("test") : data.rows("train"));
      // Rounding of softmax minus softmax, through weights of size 1.
      for (const gradient of said.gradients.flat())
        for (const value of gradient) expect(Math.abs(value)).toBeLessThan(1e-6);
      if (distance === "mse") for (const losses of said.losses) expect(losses.every((value) => value === 0)).toBe(true);
      const beside = ask(given, { distance, split }, MEMBERS, movedOf(given, MEMBERS));
      said.losses.forEach((losses, k) => {
        losses.forEach((value, row) => expect(beside.losses[k]![row]!).toBeGreaterThan(value - 1e-6));
        expect(sum([...beside.losses[k]!]) - sum([...losses])).toBeGreaterThan(0.1);
      });
    },
  );

  test.each(["train", "test", "all"] as const)("is the distance by its formula, of rows of %s", (split) => {
    const given = of();
    const options = { distance, split };
    const weights = movedOf(given, MEMBERS);
    const base = ask(given, options, MEMBERS, trainedOf(given, MEMBERS));
    const said = ask(given, options, MEMBERS, weights);
    const [own, moved] = [
      outputs(given, MEMBERS, trainedOf(given, MEMBERS), split),
      outputs(given, MEMBERS, weights, split),
    ];
    const width = distance === "kl" ? 3 : 2;
    MEMBERS.forEach((_, k) => {
      const rows = Array.from({ length: said.rows }, (_, row) => row);
      for (const row of rows) {
        const [z0, z] = [own, moved].map((all) => all[k]!.subarray(row * width, (row + 1) * width)) as [Float32Array, Float32Array]; // prettier-ignore
        const [p0, p] = [softmax(z0), softmax(z)];
        const expected = distance === "kl" ? sum(p0.map((q, c) => q * Math.log(q / p[c]!))) : sum([...z0].map((v, c) => (v - z[c]!) ** 2 / 2)); // prettier-ignore
        expect(said.losses[k]![row]! - base.losses[k]![row]!).toBeCloseTo(expected, 5);
      }
    });
  });

  test("its gradients are the derivatives of its losses", () => {
    const given = of();
    const options = { distance, split: "train" } as const;
    const [weights] = movedOf(given, [0]);
    const { gradients } = ask(given, options, [0], [weights!]);
    const step = 2 ** -6;
    const mean = (losses: Float32Array): number => sum([...losses]) / losses.length;
    gradients.forEach(([gradient], p) => {
      for (let i = 0; i < gradient!.length; i += 3) {
        const at = [step, -step].map((by) => weights!.map((w, q) => w.map((value, j) => (q === p && j === i ? value + by : value)))); // prettier-ignore
        const { losses } = ask(given, options, [0, 0], at);
        const [up, down] = losses.map(mean) as [number, number];
        expect(Math.abs((up - down) / (2 * step) - gradient![i]!)).toBeLessThan(1e-3);
      }
    });
  });

  test("with rows chosen and parameters held, still compares each row with itself", () => {
    const given = of();
    const rows = given.cells.map((_, cell) => Int32Array.from([cell, 7, 19 - cell, 2]));
    const options = { distance, split: "train", rows, free: [0, 3] } as const;
    const trained = trainedOf(given, MEMBERS).map((w) => [w[0]!, w[3]!]);
    const said = ask(given, options, MEMBERS, trained);
    for (const gradient of said.gradients.flat())
      for (const value of gradient) expect(Math.abs(value)).toBeLessThan(1e-6);
  });
});

describe("members of a surface", () => {
  test("read the same bits alone and among others", () => {
    for (const options of [LOSS, { distance: "kl", split: "all" }, { ...LOSS, free: [2] }] as const) {
      const free = "free" in options ? options.free : [0, 1, 2, 3];
      const weights = movedOf(classifier, MEMBERS).map((w) => free.map((p) => w[p]!));
      const among = ask(classifier, options, MEMBERS, weights);
      MEMBERS.forEach((cell, k) => {
        const alone = ask(classifier, options, [cell], [weights[k]!]);
        expect(alone.losses[0]).toEqual(among.losses[k]);
        alone.gradients.forEach(([gradient], p) => expect(gradient).toEqual(among.gradients[p]![k]));
      });
    }
  });

  test("of a surface opened for one cell alone read what they read beside other cells", () => {
    const { program, data, cells } = classifier;
    const weights = movedOf(classifier, [2]);
    for (const distance of ["loss", "kl"] as const) {
      const alone = ask({ program, data, cells: [cells[2]!] }, { distance, split: "train" }, [0], weights);
      const among = ask(classifier, { distance, split: "train" }, [2], weights);
      expect(alone.losses).toEqual(among.losses);
      expect(alone.gradients).toEqual(among.gradients);
    }
  });
});
