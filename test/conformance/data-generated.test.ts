/** What the generated datasets are known to be. */
import { Matrix, solve } from "ml-matrix";
import { describe, expect, it, test } from "vitest";
import type { LoadedData, Rows } from "../../src/catalogue/entry.ts";
import { mean, standardError, variance } from "../../src/stats/moments.ts";
import { configOf, load } from "./data-cases.ts";

/** Labels by the number of the table's row; bit i of the number says whether input i is +1. */
function truthTableOf(data: LoadedData, inputs: number): Map<number, number> {
  const table = new Map<number, number>();
  for (const { rows, x, y } of [data.train, data.test]) {
    for (let row = 0; row < rows; row += 1) {
      let number = 0;
      for (let i = 0; i < inputs; i += 1) number |= (x[row * inputs + i] === 1 ? 1 : 0) << i;
      table.set(number, y[row]!);
    }
  }
  return table;
}

const bitsOf = (number: number): number => number.toString(2).replaceAll("0", "").length;

/** Does some assignment of the other inputs make this input matter? */
const matters = (table: Map<number, number>, input: number): boolean =>
  [...table].some(([row, label]) => table.get(row ^ (1 << input)) !== label);

/** Depth of the smallest decision tree that computes the rows, each of which agrees on the inputs that were read. */
function treeDepth(table: readonly (readonly [number, number])[], inputs: readonly number[]): number {
  if (table.every(([, label]) => label === table[0]![1])) return 0;
  const depths = inputs.map((input) => {
    const rest = inputs.filter((other) => other !== input);
    const side = (bit: number) => table.filter(([row]) => ((row >> input) & 1) === bit);
    return 1 + Math.max(treeDepth(side(0), rest), treeDepth(side(1), rest));
  });
  return Math.min(...depths);
}

describe("Boolean functions", () => {
  const tableOf = async (fields: Record<string, string | number>) => {
    const config = configOf("boolean", fields);
    return truthTableOf(await load(config), config["inputs"] as number);
  };

  test.each([5, 7, 10])("hold every one of the 2^n rows once, for n = %d", async (inputs) => {
    const data = await load(configOf("boolean", { inputs, function: "majority" }));
    expect(data.train.rows + data.test.rows).toBe(2 ** inputs);
    expect(truthTableOf(data, inputs).size).toBe(2 ** inputs);
    for (const rows of [data.train, data.test]) expect(rows.x.every((x) => x === 1 || x === -1)).toBe(true);
  });

  test.each(["parity", "and", "or"])("%s is that function of exactly one set of k inputs", async (name) => {
    const table = await tableOf({ function: name, inputs: 8, k: 4 });
    const truth = { parity: (n: number) => n % 2, and: (n: number) => +(n === 4), or: (n: number) => +(n > 0) };
    const fitting = Array.from({ length: 256 }, (_, mask) => mask).filter(
      (mask) =>
        bitsOf(mask) === 4 &&
        [...table].every(([row, label]) => label === truth[name as keyof typeof truth](bitsOf(row & mask))),
    );
    expect(fitting).toHaveLength(1);
  });

  test.each([6, 7])("majority counts all of %d inputs, and a tie is false", async (inputs) => {
    const table = await tableOf({ function: "majority", inputs });
    for (const [row, label] of table) expect(label).toBe(2 * bitsOf(row) > inputs ? 1 : 0);
  });

  test.each([1, 2, 3, 5])("a junta depends on %d inputs and on no other", async (k) => {
    for (let seed = 0; seed < 10; seed += 1) {
      const table = await tableOf({ function: "junta", inputs: 6, k, seed });
      expect([0, 1, 2, 3, 4, 5].filter((input) => matters(table, input))).toHaveLength(k);
    }
  });

  it("relevant inputs are drawn by the seed", async () => {
    const chosen = new Set<string>();
    for (let seed = 0; seed < 20; seed += 1) {
      const table = await tableOf({ function: "parity", inputs: 6, k: 2, seed });
      chosen.add([0, 1, 2, 3, 4, 5].filter((input) => matters(table, input)).join());
    }
    expect(chosen.size).toBeGreaterThan(5);
  });

  test.each([1, 2, 3])("a tree of depth %d is computed by a decision tree of that depth", async (k) => {
    for (let seed = 0; seed < 5; seed += 1) {
      const table = await tableOf({ function: "tree", inputs: 5, k, seed });
      const depth = treeDepth([...table], [0, 1, 2, 3, 4]);
      expect(depth).toBeLessThanOrEqual(k);
      expect(depth).toBeGreaterThan(0);
      // Sibling leaves differ: half of all rows are true.
      expect([...table.values()].filter((label) => label === 1)).toHaveLength(16);
    }
  });

  it("random labels are fair coins and depend on every input", async () => {
    const table = await tableOf({ function: "random", inputs: 10 });
    const heads = [...table.values()].reduce((a, b) => a + b, 0);
    expect(Math.abs(heads - 512)).toBeLessThan(3 * 16);
    expect(Array.from({ length: 10 }, (_, i) => i).every((input) => matters(table, input))).toBe(true);
  });

  it("values are the classes as -1 and +1, label noise included", async () => {
    const fields = { function: "parity", labelNoise: 0.2 };
    const classes = await load(configOf("boolean", fields));
    const values = await load(configOf("boolean", { ...fields, target: "values" }));
    expect(values.train.y).toEqual(classes.train.y.map((label) => 2 * label - 1));
    expect(values.test.y).toEqual(classes.test.y.map((label) => 2 * label - 1));
  });
});

describe("modular addition", () => {
  test.each([2, 13, 97])("is a + b mod %d on every pair once", async (modulus) => {
    const { train, test } = await load(configOf("modular-addition", { modulus }));
    const pairs = new Set<number>();
    for (const { rows, x, y } of [train, test]) {
      for (let row = 0; row < rows; row += 1) {
        const [a, b] = [x[2 * row]!, x[2 * row + 1]!];
        pairs.add(a * modulus + b);
        expect(y[row]).toBe((a + b) % modulus);
      }
    }
    expect(pairs.size).toBe(modulus ** 2);
    expect(train.rows).toBe(Math.floor(modulus ** 2 / 2));
  });
});

/** [1, x] for each row, as float64. */
function design(rows: Rows): Matrix {
  const inputs = rows.x.length / rows.rows;
  return Matrix.from1DArray(rows.rows, inputs, [...rows.x]).addColumn(
    0,
    Array.from({ length: rows.rows }, () => 1),
  );
}

/** What is left of the targets (one output) after the least-squares fit on the training rows. */
function residuals(data: LoadedData, of: Rows): Float64Array {
  const fit = solve(design(data.train), Matrix.columnVector([...data.train.y]), true);
  return Float64Array.from(
    Matrix.columnVector([...of.y])
      .sub(design(of).mmul(fit))
      .to1DArray(),
  );
}

describe("teacher and student", () => {
  it("a noiseless linear teacher is recovered by least squares, and holds on the test rows", async () => {
    const data = await load(configOf("teacher-student", { noise: 0, inputs: 8 }));
    expect(Math.max(...residuals(data, data.test).map(Math.abs))).toBeLessThan(1e-5);
    expect(variance(Float64Array.from(data.test.y))).toBeGreaterThan(0.1);
  });

  it("with noise 1 the residuals of a linear teacher have variance 1: the Gaussian likelihood is right", async () => {
    const data = await load(configOf("teacher-student", { inputs: 8, train: 5000 }));
    const sum = residuals(data, data.train).reduce((total, r) => total + r * r, 0);
    // chi-squared with n - d degrees of freedom.
    const freedom = 5000 - 9;
    expect(Math.abs(sum - freedom)).toBeLessThan(3 * Math.sqrt(2 * freedom));
  });

  test.each(["tanh", "relu"])("a %s teacher is no linear function, and noise adds N(0, noise^2)", async (teacher) => {
    const fields = { teacher, train: 4000, signal: 3 };
    const clean = await load(configOf("teacher-student", { ...fields, noise: 0 }));
    const noisy = await load(configOf("teacher-student", { ...fields, noise: 2 }));
    expect(variance(residuals(clean, clean.train))).toBeGreaterThan(0.05);
    expect(noisy.train.x).toEqual(clean.train.x);
    const noise = Float64Array.from(noisy.train.y, (y, i) => (y - clean.train.y[i]!) / 2);
    expect(Math.abs(mean(noise))).toBeLessThan(3 * standardError(noise));
    expect(Math.abs(variance(noise) - 1)).toBeLessThan(3 * Math.sqrt(2 / 4000));
  });

  it("has standard normal inputs, and another teacher for another seed", async () => {
    const { train } = await load(configOf("teacher-student", { train: 5000 }));
    const x = Float64Array.from(train.x);
    expect(Math.abs(mean(x))).toBeLessThan(3 * standardError(x));
    expect(Math.abs(variance(x) - 1)).toBeLessThan(3 * Math.sqrt(2 / x.length));
    const fits = await Promise.all(
      [0, 1].map(async (seed) => {
        const data = await load(configOf("teacher-student", { noise: 0, seed }));
        return solve(design(data.train), Matrix.columnVector([...data.train.y]), true).to1DArray();
      }),
    );
    expect(Math.abs(fits[0]![1]! - fits[1]![1]!)).toBeGreaterThan(1e-3);
  });

  it("multiplies the teacher, not the noise, by the signal", async () => {
    const one = await load(configOf("teacher-student", { noise: 0, outputs: 3 }));
    const five = await load(configOf("teacher-student", { noise: 0, outputs: 3, signal: 5 }));
    five.train.y.forEach((y, i) => expect(y).toBeCloseTo(5 * one.train.y[i]!, 4));
  });
});

describe("regression of one variable", () => {
  const truths: readonly (readonly [string, (x: number) => number])[] = [
    ["sine", (x) => Math.sin(Math.PI * x)],
    ["kink", (x) => Math.max(x, -x)],
    ["step", (x) => (x >= 0 ? 1 : -1)],
    ["slab", (x) => (x > -0.5 && x < 0.5 ? 1 : 0)],
    ["cubic", (x) => Math.cos(3 * Math.acos(x))],
  ];
  test.each(truths)("%s is that function, and x is uniform in [-1, 1)", async (name, truth) => {
    const { train, test } = await load(configOf("regression-1d", { function: name, noise: 0, train: 2000 }));
    for (const { x, y } of [train, test]) x.forEach((at, i) => expect(y[i]).toBeCloseTo(truth(at), 6));
    expect(train.x.every((x) => x >= -1 && x < 1)).toBe(true);
    const x = Float64Array.from(train.x);
    expect(Math.abs(mean(x))).toBeLessThan(3 * standardError(x));
    expect(variance(x)).toBeCloseTo(1 / 3, 1);
  });

  it("adds noise of the asked standard deviation", async () => {
    const fields = { function: "step", train: 4000 };
    const clean = await load(configOf("regression-1d", { ...fields, noise: 0 }));
    const noisy = await load(configOf("regression-1d", { ...fields, noise: 0.5 }));
    const noise = Float64Array.from(noisy.train.y, (y, i) => (y - clean.train.y[i]!) / 0.5);
    expect(Math.abs(variance(noise) - 1)).toBeLessThan(3 * Math.sqrt(2 / 4000));
  });
});

describe("classes in the plane", () => {
  /** The points of each class. */
  function pointsOf({ rows, x, y }: Rows, label: number): readonly (readonly [number, number])[] {
    return Array.from({ length: rows }, (_, row) => row)
      .filter((row) => y[row] === label)
      .map((row) => [x[2 * row]!, x[2 * row + 1]!] as const);
  }

  it("moons are two half circles of radius 1, balanced", async () => {
    const { train } = await load(configOf("moons", { noise: 0 }));
    const [upper, lower] = [pointsOf(train, 0), pointsOf(train, 1)];
    expect([upper.length, lower.length]).toEqual([100, 100]);
    for (const [x, y] of upper) expect([Math.hypot(x, y), y >= 0]).toEqual([expect.closeTo(1, 5), true]);
    for (const [x, y] of lower) expect([Math.hypot(x - 1, y - 0.5), y <= 0.5]).toEqual([expect.closeTo(1, 5), true]);
  });

  test.each([2, 5])("%d spirals are one curve, turned by equal angles, balanced", async (arms) => {
    const { train } = await load(configOf("spirals", { noise: 0, arms, turns: 1.25, train: 400 }));
    for (let arm = 0; arm < arms; arm += 1) {
      const points = pointsOf(train, arm);
      expect(points).toHaveLength(400 / arms);
      for (const [x, y] of points) {
        const radius = Math.hypot(x, y);
        const phi = 2 * Math.PI * (1.25 * radius + arm / arms);
        expect(Math.hypot(x - radius * Math.cos(phi), y - radius * Math.sin(phi))).toBeLessThan(1e-5);
      }
    }
  });

  test.each(["moons", "spirals"])("noise of %s has the asked standard deviation on both coordinates", async (kind) => {
    const clean = await load(configOf(kind, { noise: 0, train: 2000 }));
    const noisy = await load(configOf(kind, { noise: 0.3, train: 2000 }));
    const noise = Float64Array.from(noisy.train.x, (x, i) => (x - clean.train.x[i]!) / 0.3);
    expect(Math.abs(variance(noise) - 1)).toBeLessThan(3 * Math.sqrt(2 / 4000));
  });
});
