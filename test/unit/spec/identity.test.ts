/** A cell is its fields: not the order of axes, the formatting of the file, or what was left to a default. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { sha256Hex } from "../../../src/core/canonical-json.ts";
import { canonicalCell, cellOf } from "../../../src/spec/cell.ts";
import { parseSweep, resolvedSpec, sweepIdOf } from "../../../src/spec/sweep.ts";
import { idsOf, pointsOf, SMALL, sweepOf, withGrid, type SweepFile } from "./sweep-file.ts";

const some = <T>(values: fc.Arbitrary<T>) => fc.uniqueArray(values, { minLength: 1, maxLength: 3, size: "max" });
const learningRate = some(fc.constantFrom(0.01, 0.03, 0.1, 0.3));
const optimizer = fc.oneof(
  fc.constantFrom("sgd", "adam", "lion"),
  fc.record({ kind: fc.constantFrom("sgd", "nesterov", "adamw"), learningRate }),
);
const architecture = fc.oneof(
  fc.record({
    kind: fc.constant("mlp"),
    activation: some(fc.constantFrom("tanh", "relu")),
    depth: some(fc.integer({ min: 1, max: 3 })),
  }),
  fc.record({
    kind: fc.constant("polynomial"),
    basis: fc.constantFrom("walsh", "monomial"),
    degree: some(fc.integer({ min: 1, max: 2 })),
  }),
);
const regulariser = fc.oneof(
  fc.constant("none"),
  fc.record({ kind: fc.constantFrom("l1", "l2"), strength: some(fc.constantFrom(0, 0.1)) }),
);
const seed = fc.oneof(some(fc.nat(99)), fc.record({ replicates: fc.integer({ min: 1, max: 3 }) }));

const sweep = fc
  .record({
    architecture: fc.array(architecture, { minLength: 1, maxLength: 2, size: "max" }),
    optimizer: fc.array(optimizer, { minLength: 1, maxLength: 2, size: "max" }),
    regulariser,
    seed,
    train: fc.record({ steps: fc.integer({ min: 1, max: 9 }) }, { requiredKeys: [] }),
    estimate: fc.oneof(fc.constant("none"), fc.record({ budget: fc.integer({ min: 20, max: 25 }) })),
  })
  .map((grid): SweepFile => ({
    version: 1,
    name: "any",
    data: { kind: "boolean", inputs: 4 },
    grid,
    where: "optimizer.kind != 'adam' || architecture.kind == 'mlp'",
  }))
  .filter((file) => {
    // A filter that leaves nothing is refused.
    const { architecture, optimizer } = file["grid"] as {
      architecture: { kind: string }[];
      optimizer: (string | object)[];
    };
    return architecture.some(({ kind }) => kind === "mlp") || optimizer.some((each) => each !== "adam");
  });

/** The same value with the keys of every mapping in another order; lists stay as they are. */
function shuffled(value: unknown, order: (length: number) => number[]): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, order));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(order(entries.length).map((i) => [entries[i]![0], shuffled(entries[i]![1], order)]));
}

const RUNS = { numRuns: 60 };

describe("the cells of a sweep, and the sweep's id,", () => {
  test("do not depend on the order of keys", () => {
    fc.assert(
      fc.property(sweep, fc.infiniteStream(fc.nat()), (file, numbers) => {
        const order = (length: number) =>
          Array.from({ length }, (_, i) => ({ i, at: numbers.next().value as number }))
            .sort((left, right) => left.at - right.at)
            .map(({ i }) => i);
        const [one, other] = [sweepOf(file), sweepOf(shuffled(file, order) as SweepFile)];
        expect(idsOf(other)).toEqual(idsOf(one));
        expect(sweepIdOf(other)).toBe(sweepIdOf(one));
      }),
      RUNS,
    );
  });

  test("do not depend on the formatting: block YAML, flow YAML, JSON", () => {
    fc.assert(
      fc.property(sweep, (file) => {
        const forms = [
          stringify(file),
          stringify(file, { collectionStyle: "flow", indent: 4 }),
          `# a comment\n${stringify(file, { defaultStringType: "QUOTE_SINGLE" })}\n# another\n`,
          JSON.stringify(file, undefined, "\t"),
        ].map((text) => parseSweep(text, "x"));
        expect(new Set(forms.map((form) => sweepIdOf(form))).size).toBe(1);
        for (const form of forms) expect(idsOf(form)).toEqual(idsOf(forms[0]!));
      }),
      RUNS,
    );
  });

  test("do not depend on whether defaults are written: the resolved spec reads as the same sweep", () => {
    fc.assert(
      fc.property(sweep, (file) => {
        const spec = sweepOf(file);
        const again = parseSweep(stringify(resolvedSpec(spec)), "resolved.yaml");
        expect(again.canonical).toBe(spec.canonical);
        expect(idsOf(again)).toEqual(idsOf(spec));
        expect(sweepIdOf(again)).toBe(sweepIdOf(spec));
      }),
      RUNS,
    );
  });

  test("are what the cell's whole configuration hashes to", () => {
    fc.assert(
      fc.property(sweep, (file) => {
        for (const { cell } of pointsOf(sweepOf(file))) {
          expect(cell).toEqual(cellOf(cell.config));
          expect(cell.id).toBe(sha256Hex(canonicalCell(cell.config)));
        }
      }),
      RUNS,
    );
  });

  test("are distinct, each once", () => {
    fc.assert(
      fc.property(sweep, (file) => {
        const ids = idsOf(sweepOf(file));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      RUNS,
    );
  });
});

describe("a cell", () => {
  const MLP = { kind: "mlp", activation: "tanh", depth: 1 };

  test("is the same whether its width stands in scale, in the architecture or in an override", () => {
    const inScale = withGrid({ architecture: MLP, optimizer: "sgd", scale: { width: [4, 8] } });
    const inPlace = withGrid({ architecture: { ...MLP, width: [4, 8] }, optimizer: "sgd" });
    const overridden = withGrid(
      { architecture: MLP, optimizer: "sgd", scale: { width: [4, 9] } },
      { overrides: [{ when: "architecture.width == 9", set: { "architecture.width": 8 } }] },
    );
    expect(idsOf(inPlace)).toEqual(idsOf(inScale));
    expect(idsOf(overridden)).toEqual(idsOf(inScale));
  });

  test("is the same for a range and for the list of its values", () => {
    const at = (learningRate: unknown) =>
      withGrid({ architecture: MLP, optimizer: { kind: "sgd", learningRate }, scale: { width: 4 } });
    expect(at({ log: [0.01, 1, 3] }).canonical).toBe(at([0.01, 0.1, 1]).canonical);
  });

  test("without an estimate is the same whatever the estimate's fields were", () => {
    const none = sweepOf({ ...SMALL, estimate: { sampler: "none" } });
    expect(idsOf(none)).toEqual(idsOf(sweepOf(SMALL)));
    expect(pointsOf(none)[0]!.cell.config.estimate.budget).toBe(0);
  });

  test("has a batch of all rows when the data has fewer than the preset", () => {
    const { data: _data, ...rest } = SMALL;
    const spec = sweepOf({ ...rest, data: { kind: "boolean", inputs: 4, train: 10 }, train: { steps: 5 } });
    expect(pointsOf(spec)[0]!.cell.config.train.batch).toBe(10);
  });

  test("depends on its seed, and on nothing that only other cells have", () => {
    const [first, second] = idsOf(sweepOf(SMALL));
    expect(first).not.toBe(second);
    const more = withGrid({
      architecture: [MLP, { kind: "polynomial", degree: 1 }],
      optimizer: [{ kind: "sgd", learningRate: [0.1, 0.3, 0.9] }, "adam"],
      scale: { width: [4, 8] },
      seed: [1, 2, 3],
    });
    expect(idsOf(more)).toEqual(expect.arrayContaining(idsOf(sweepOf(SMALL))));
  });
});

describe("a sweep's id", () => {
  test("is its name and ten hex digits", () => {
    expect(sweepIdOf(sweepOf(SMALL))).toMatch(/^small-[0-9a-f]{10}$/u);
  });

  test("differs with the name, the grid, the filters, and a request without the cache", () => {
    const ids = [
      sweepIdOf(sweepOf(SMALL)),
      sweepIdOf(sweepOf({ ...SMALL, name: "other" })).replace("other", "small"),
      sweepIdOf(sweepOf({ ...SMALL, train: { steps: 21, batch: 8 } })),
      sweepIdOf(sweepOf({ ...SMALL, where: "scale.width > 4" })),
      sweepIdOf(sweepOf(SMALL), { noCacheRequestId: "a" }),
      sweepIdOf(sweepOf(SMALL), { noCacheRequestId: "b" }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(sweepIdOf(sweepOf(SMALL), { noCacheRequestId: "a" })).toBe(ids[4]);
  });
});
