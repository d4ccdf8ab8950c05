/** What the named starts of every architecture must be: weights of its shapes, a function of configuration and key alone. */
import { Matrix, SVD } from "ml-matrix";
import { beforeAll, describe, expect, test } from "vitest";
import type { Config, StartWeights, Task } from "../../src/catalogue/entry.ts";
import { genericLayerRanks } from "../../src/catalogue/architecture/linear-layers.ts";
import { ARCHITECTURES, architectureOf } from "../../src/catalogue/registry.ts";
import { rootKey, type RandomKey } from "../../src/core/random.ts";
import { namedStart, startKey } from "../../src/spec/start.ts";
import { variance } from "../../src/stats/moments.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { openProgram } from "../../worker/engine/program.ts";
import { initialWeights } from "../../worker/train/initial-weights.ts";
import { memberOf } from "../../worker/train/members.ts";
import { smallConfigs } from "../support/schema-variants.ts";
import { SMALL_TASKS } from "../support/small-tasks.ts";
import { sizeOf, unstack } from "../support/stacked.ts";
import { openTestEngine } from "../support/test-backend.ts";
import { tinyCell } from "../support/tiny-cells.ts";

interface Case {
  readonly name: string;
  readonly config: Config;
  readonly task: Task;
  readonly start: (key: RandomKey) => StartWeights;
}

const cases: readonly Case[] = ARCHITECTURES.flatMap((architecture) =>
  smallConfigs(architecture).flatMap(([variant, config]) =>
    Object.entries(SMALL_TASKS)
      .filter(([, task]) => architecture.unsupported(config, task) === undefined)
      .flatMap(([taskName, task]) => {
        const { canonical, generic } = architecture.starts ?? {};
        const starts = { canonical: canonical && (() => canonical(config, task)), generic: generic && ((key: RandomKey) => generic(config, task, key)) }; // prettier-ignore
        return Object.entries(starts).flatMap(([start, make]): Case[] =>
          make === undefined ? [] : [{ name: `${start} ${variant}, ${taskName}`, config, task, start: make }],
        );
      }),
  ),
);

test("there are starts to look at", () => {
  expect(cases.length).toBeGreaterThan(10);
});

test.each(cases)("$name has the shapes of the parameters, finite values, and is the same twice", (each) => {
  const weights = each.start(rootKey("a"));
  const parameters = architectureOf(each.config).parameters(each.config, each.task);
  expect(weights.length).toBe(parameters.length);
  weights.forEach((values, index) => {
    if (values === undefined) return;
    expect(values.length).toBe(sizeOf(parameters[index]!.shape));
    expect(values.every(Number.isFinite)).toBe(true);
  });
  expect(each.start(rootKey("a"))).toEqual(weights);
});

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

const LINEAR = [
  ["deep-linear", { widths: "6 5 7 4" }, [6, 5, 7, 4]],
  ["reduced-rank", { width: 5 }, [6, 5, 4]],
] as const;
const cellOfRank = (kind: string, fields: object, rank: number, start: "canonical" | "generic", seed: number) =>
  tinyCell({
    architecture: { kind, ...fields, rank, initScale: 1.3 },
    data: { kind: "realizable", inputs: 6, outputs: 4, train: 12, test: 6 },
    seed,
    train: { steps: 0, start },
  });

/** The weights that a worker starts a cell at. */
function weightsOf(cell: ReturnType<typeof cellOfRank>): readonly Float32Array[] {
  const program = openProgram(engine, cell.config);
  const tensors = initialWeights(program, [memberOf(cell, 0)]);
  const values = tensors.map((tensor) => unstack(tensor)[0]!);
  engine.tf.dispose([...tensors]);
  return values;
}

const matrixOf = (values: Float32Array, rows: number, columns: number): Matrix =>
  new Matrix(Array.from({ length: rows }, (_, i) => [...values.subarray(i * columns, (i + 1) * columns)]));

const rankOfMatrix = (matrix: Matrix): number => {
  const { diagonal } = new SVD(matrix, { autoTranspose: true });
  return diagonal.filter((value) => value > 1e-5 * Math.max(1e-3, diagonal[0]!)).length;
};

describe.each(LINEAR)("%s", (kind, fields, widths) => {
  const layersOf = (weights: readonly Float32Array[]): readonly Matrix[] =>
    weights.map((values, layer) => matrixOf(values, widths[layer]!, widths[layer + 1]!));
  const productOf = (layers: readonly Matrix[]): Matrix => layers.reduce((left, right) => left.mmul(right));

  test.each([0, 1, 2, 3, 4])("starts canonically at the identity of size %d and nothing else", (rank) => {
    const layers = layersOf(weightsOf(cellOfRank(kind, fields, rank, "canonical", 1)));
    for (const layer of [...layers, productOf(layers)]) {
      layer.to2DArray().forEach((row, i) => row.forEach((value, j) => expect(value).toBe(i === j && i < rank ? 1 : 0)));
    }
  });

  test.each([0, 1, 2, 3, 4])(
    "starts generically at a map of rank %d, whose layers have the ranks that are said",
    (rank) => {
      const deficient = new Set<number>();
      for (let seed = 0; seed < 12; seed += 1) {
        const layers = layersOf(weightsOf(cellOfRank(kind, fields, rank, "generic", seed)));
        expect(rankOfMatrix(productOf(layers))).toBe(rank);
        const said = genericLayerRanks(widths, rank, startKey(String(seed)));
        expect(layers.map(rankOfMatrix)).toEqual(said);
        said.forEach((layerRank, layer) => {
          if (layerRank < Math.min(widths[layer]!, widths[layer + 1]!)) deficient.add(layer);
        });
      }
      // Each layer comes to be the one, some time.
      expect(deficient.size).toBe(rank === 4 ? 0 : widths.length - 1);
    },
  );

  test("gives the entries of a deficient layer the variance of the others", () => {
    const scaled = (weights: StartWeights): readonly number[] =>
      weights.flatMap((values, layer) => [...(values ?? [])].map((value) => value * Math.sqrt(widths[layer]!)));
    for (const rank of [1, 3]) {
      const cells = Array.from({ length: 200 }, (_, seed) => cellOfRank(kind, fields, rank, "generic", seed));
      const drawn = Float64Array.from(cells.flatMap(({ config }) => scaled(namedStart(config)!)));
      // Within a layer entries are uncorrelated with heavier tails than a normal's; 200 layers of some twenty entries.
      expect(variance(drawn) / 1.3 ** 2).toBeGreaterThan(0.85);
      expect(variance(drawn) / 1.3 ** 2).toBeLessThan(1.15);
    }
  });

  test("starts a layer that is not deficient as at random", () => {
    const generic = weightsOf(cellOfRank(kind, fields, 2, "generic", 3));
    const full = weightsOf(cellOfRank(kind, fields, 4, "generic", 3));
    const changed = generic.filter((values, layer) => !values.every((value, i) => value === full[layer]![i]));
    expect(changed.length).toBe(1);
  });
});
