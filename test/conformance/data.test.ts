import { describe, expect, it, test } from "vitest";
import { inputSize, targetSize, type Config, type Rows, type Scalar } from "../../src/catalogue/entry.ts";
import { DATASETS } from "../../src/catalogue/registry.ts";
import { configOf, DATA_CASES, digestOf, digestsOf, fieldsOf, load } from "./data-cases.ts";

const withFields = (config: Config, fields: Readonly<Record<string, Scalar>>): Config => ({ ...config, ...fields });

const isIdBelow = (bound: number) => (value: number) => Number.isInteger(value) && value >= 0 && value < bound;

/** The digest of each row of input. */
function inputsOf(rows: Rows): readonly string[] {
  const size = rows.x.length / rows.rows;
  return Array.from({ length: rows.rows }, (_, row) => digestOf(rows.x.subarray(row * size, (row + 1) * size)));
}

/** Are the rows the first of the others? */
const areFirstOf = (few: Rows, many: Rows): boolean =>
  digestOf(few.x) === digestOf(many.x.subarray(0, few.x.length)) &&
  digestOf(few.y) === digestOf(many.y.subarray(0, few.y.length));

describe.each(DATASETS)("the fields of $kind", (dataset) => {
  const fields = Object.entries(fieldsOf(dataset));

  test.each(fields)("%s is described and has a default", (_, field) => {
    expect(field.description?.length).toBeGreaterThan(3);
    expect(field.default).toBeDefined();
  });

  it("have a seed, no kind, and refuse what they do not know", () => {
    expect(fields.map(([name]) => name)).toContain("seed");
    expect(fields.map(([name]) => name)).not.toContain("kind");
    expect(dataset.schema.safeParse({ notAField: 1 }).success).toBe(false);
  });
});

describe.each(DATA_CASES)("$name", ({ dataset, config }) => {
  const task = dataset.task(config);
  // Unit vectors in turn: the same few rows in every split and for every seed.
  const isFixed = config["distribution"] === "basis";

  it("loads the sizes that its task announces", async () => {
    const { train, test } = await load(config);
    for (const [rows, count] of [
      [train, task.trainRows],
      [test, task.testRows],
    ] as const) {
      expect(count).toBeGreaterThan(0);
      expect(rows.rows).toBe(count);
      expect(rows.x.length).toBe(count * inputSize(task.input));
      expect(rows.y.length).toBe(count * targetSize(task.output));
    }
  });

  it("holds finite values, and ids in their ranges", async () => {
    const { train, test } = await load(config);
    for (const rows of [train, test]) {
      expect(rows.x.every(Number.isFinite)).toBe(true);
      expect(rows.y.every(Number.isFinite)).toBe(true);
      if (task.input.kind === "tokens") expect(rows.x.every(isIdBelow(task.input.vocabulary))).toBe(true);
      if (task.output.kind === "classes") expect(rows.y.every(isIdBelow(task.output.classes))).toBe(true);
    }
  });

  it("is the same at every load, whatever was done to the rows of another load", async () => {
    const first = await load(config);
    const kept = digestsOf(first);
    first.train.x.fill(-7);
    first.test.x.fill(-7);
    first.train.y.fill(-7);
    first.test.y.fill(-7);
    expect(digestsOf(await load(config))).toEqual(kept);
  });

  it("is different for another seed", async () => {
    const noisy = isFixed ? withFields(config, { noise: 0.1 }) : config;
    const one = await load(noisy);
    const other = await load(withFields(noisy, { seed: 1 }));
    expect(areFirstOf(other.train, one.train)).toBe(false);
    expect(areFirstOf(other.test, one.test)).toBe(false);
  });

  if (!isFixed)
    it("shares no row of input between training and test", async () => {
      const { train, test } = await load(config);
      const seen = new Set(inputsOf(train));
      expect(inputsOf(test).filter((row) => seen.has(row))).toEqual([]);
    });

  it("extends its training rows when more are asked for", async () => {
    const noise: Record<string, Scalar> = "labelNoise" in config ? { labelNoise: 0.3 } : {};
    const few = Math.floor(task.trainRows / 3);
    const small = await load(withFields(config, { ...noise, train: few }));
    const large = await load(withFields(config, { ...noise, train: task.trainRows }));
    expect(small.train.rows).toBe(few);
    expect(areFirstOf(small.train, large.train)).toBe(true);
    if ("test" in config) expect(digestsOf(small).slice(2)).toEqual(digestsOf(large).slice(2));
  });

  // A case that does not apply is no test, rather than a skipped one.
  if ("test" in config)
    it("extends its test rows when more are asked for", async () => {
      const few = Math.floor(task.testRows / 3);
      const small = await load(withFields(config, { test: few }));
      const large = await load(config);
      expect(small.test.rows).toBe(few);
      expect(areFirstOf(small.test, large.test)).toBe(true);
      expect(digestsOf(small).slice(0, 2)).toEqual(digestsOf(large).slice(0, 2));
    });

  if ("labelNoise" in config)
    it("replaces the asked share of its training labels, and no test label", async () => {
      const clean = await load(config);
      const noisy = await load(withFields(config, { labelNoise: 0.25 }));
      const n = clean.train.y.length;
      const changed = noisy.train.y.filter((label, i) => label !== clean.train.y[i]).length;
      expect(Math.abs(changed - 0.25 * n)).toBeLessThan(3.5 * Math.sqrt(n * 0.25 * 0.75));
      expect(digestOf(noisy.train.x)).toBe(digestOf(clean.train.x));
      expect(digestsOf(noisy).slice(2)).toEqual(digestsOf(clean).slice(2));
      const all = await load(withFields(config, { labelNoise: 1 }));
      expect(all.train.y.every((label, i) => label !== clean.train.y[i])).toBe(true);
    });
});

describe("fields that contradict each other", () => {
  const wrong: readonly (readonly [string, Readonly<Record<string, Scalar>>, string])[] = [
    ["boolean", { inputs: 4, k: 5 }, "data.k"],
    ["boolean", { inputs: 4, train: 16 }, "data.train"],
    ["modular-addition", { modulus: 5, train: 25 }, "data.train"],
    ["realizable", { distribution: "basis", inputs: 4, train: 10 }, "data.train"],
    ["digits", { train: 8000, test: 631 }, "data.train"],
    ["text", { context: 1000, train: 1036 }, "data.train"],
    ["text", { context: 1000, test: 116 }, "data.test"],
  ];
  test.each(wrong)("are refused: %s %j", (kind, fields, where) => {
    const config = configOf(kind, fields);
    const dataset = DATASETS.find((entry) => entry.kind === kind)!;
    expect(() => dataset.task(config)).toThrow(expect.objectContaining({ code: "bad-spec", where }));
  });

  const largest: readonly (readonly [string, Readonly<Record<string, Scalar>>])[] = [
    ["boolean", { inputs: 4, k: 4, train: 15 }],
    ["boolean", { function: "majority", inputs: 2, k: 3 }],
    ["boolean", { function: "junta", inputs: 12, k: 12 }],
    ["boolean", { function: "tree", inputs: 10, k: 10 }],
    ["modular-addition", { modulus: 5, train: 24 }],
    ["realizable", { distribution: "basis", inputs: 4, train: 12, test: 3 }],
    ["digits", { train: 8000, test: 630, size: 7 }],
    ["text", { context: 1000, train: 1035, test: 115 }],
    ["text", { alphabet: "punctuation", context: 1000, train: 1071, test: 119 }],
  ];
  test.each(largest)("are not refused at the limit: %s %j", async (kind, fields) => {
    const config = configOf(kind, fields);
    const dataset = DATASETS.find((entry) => entry.kind === kind)!;
    const { train, test } = await load(config);
    expect([train.rows, test.rows]).toEqual([dataset.task(config).trainRows, dataset.task(config).testRows]);
  });
});
