/**
 * A cell's numbers depend on the cell alone, whoever shares its program: on wasm bitwise, on other backends within rounding.
 * Held for whole cells, training and estimate, over every architecture, optimizer and regulariser of the registry.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { ARCHITECTURES, OPTIMIZERS, REGULARISERS } from "../../src/catalogue/registry.ts";
import { fuseKeyOf, type Cell, type EstimateConfig } from "../../src/spec/cell.ts";
import { NO_ESTIMATE } from "../../src/spec/estimate-section.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { expectSameStatement, statementOf, type Statement } from "../support/cell-statement.ts";
import { recordShard } from "../support/shard-recorder.ts";
import { IS_SLOW, openTestEngine, THE_SAME } from "../support/test-backend.ts";
import {
  ESTIMATE as DEFAULT_ESTIMATE,
  SGLD_ESTIMATE,
  tinyCell,
  type CellGiven,
  type Given,
} from "../support/tiny-cells.ts";

/** A smallest interesting instance of each architecture, with data that it takes. */
const INSTANCES: Readonly<Record<string, Pick<CellGiven, "architecture" | "data">>> = {
  mlp: {
    architecture: { kind: "mlp", activation: "gelu", depth: 2, width: 6 },
    data: { kind: "moons", train: 40, test: 20 },
  },
  "deep-linear": {
    architecture: { kind: "deep-linear", depth: 1, width: 3 },
    data: { kind: "teacher-student", inputs: 4, outputs: 2, train: 40, test: 20 },
  },
  "reduced-rank": {
    architecture: { kind: "reduced-rank", width: 2 },
    data: { kind: "teacher-student", inputs: 4, outputs: 3, train: 40, test: 20 },
  },
  "normal-crossing": {
    architecture: { kind: "normal-crossing", powers: "2 1" },
    data: { kind: "teacher-student", inputs: 1, outputs: 1, train: 40, test: 20 },
  },
  polynomial: {
    architecture: { kind: "polynomial", degree: 2 },
    data: { kind: "teacher-student", inputs: 3, train: 40, test: 20 },
  },
  cnn: {
    architecture: { kind: "cnn", activation: "tanh", depth: 1, width: 3 },
    data: { kind: "digits", size: 7, train: 40, test: 20 },
  },
  transformer: {
    architecture: { kind: "transformer", depth: 1, width: 8, heads: 2 },
    data: { kind: "text", context: 6, train: 24, test: 12 },
  },
};

const REGULARISER_FIELDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  none: {},
  l2: { strength: 0.01 },
  l1: { strength: 0.003 },
  "weight-decay": { strength: 0.02 },
  dropout: { strength: 0.3 },
  "weight-noise": { strength: 0.05 },
  "label-smoothing": { strength: 0.1 },
};

const TRAIN = { steps: 6, batch: 8, evalEvery: 3, schedule: "cosine" } as const;
const ESTIMATE: EstimateConfig = { ...DEFAULT_ESTIMATE, chains: 2, budget: 40, trajectory: 3, kernelRows: 12 };
/** Without the descent to a minimum, which costs ten times the chains here; on a device in software training alone. */
const QUICK: EstimateConfig = IS_SLOW ? NO_ESTIMATE : { ...ESTIMATE, refine: "never" };
/** Every way to estimate. The weights are hardly trained: where a loss may be refined, it is. */
const ESTIMATES: Readonly<Record<string, EstimateConfig>> = {
  "adjusted, on a subset": { ...ESTIMATE, subset: 25 },
  "adjusted, with the whole kernel": { ...ESTIMATE, kernelRows: 400 },
  minibatches: { ...ESTIMATE, tier: "B", batch: 10, budget: 60 },
  "minibatches of all rows": { ...ESTIMATE, tier: "B", batch: 0, budget: 60 },
  "both estimands": { ...ESTIMATE, estimand: "both", inputs: "all" },
  "both estimands by minibatches": { ...ESTIMATE, estimand: "both", tier: "B", batch: 10, budget: 60 },
  "behavioural, of the other distance": { ...ESTIMATE, estimand: "behavioural", distance: "mse" },
  "curves in t and in gamma": { ...ESTIMATE, curveNBeta: "0.25 1 4", curveGamma: "0.1 10" },
  "curves by minibatches": { ...ESTIMATE, tier: "B", batch: 10, budget: 60, curveNBeta: "0.5 2 4" },
  "some parameters, some rows": { ...ESTIMATE, parameters: "weight", rows: "class:1" },
  "a gamma of its own": { ...ESTIMATE, gamma: 0, rho: 0.2 },
  sgld: { ...SGLD_ESTIMATE, chains: 2, draws: 6, burnIn: 2, thin: 2, batch: 10, kernelRows: 12 },
  "rmsprop-sgld": { ...SGLD_ESTIMATE, sampler: "rmsprop-sgld", chains: 2, draws: 6, burnIn: 2, batch: 10 },
  sgnht: { ...SGLD_ESTIMATE, sampler: "sgnht", chains: 2, draws: 6, burnIn: 2, batch: 10 },
  "adjusted, never refined": { ...ESTIMATE, refine: "never" },
};

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

async function together(cells: readonly Cell[]): Promise<ReadonlyMap<string, Statement>> {
  const shard = await recordShard(engine, cells);
  return new Map(cells.map((cell) => [cell.id, statementOf(shard, cell)]));
}

async function alone(cells: readonly Cell[]): Promise<ReadonlyMap<string, Statement>> {
  const all = new Map<string, Statement>();
  for (const cell of cells) for (const [id, said] of await together([cell])) all.set(id, said);
  return all;
}

/** Both say the same of each cell of the first. */
function expectSame(actual: ReadonlyMap<string, Statement>, expected: ReadonlyMap<string, Statement>): void {
  for (const [id, statement] of actual) expectSameStatement(statement, expected.get(id)!);
}

const optimizerKinds = OPTIMIZERS.map(({ kind }) => kind);
const regulariserKinds = REGULARISERS.map(({ kind }) => kind);
const regulariser = (kind: string): Given => ({ kind, ...REGULARISER_FIELDS[kind] });

describe(`a cell's result is ${THE_SAME} fused or alone`, () => {
  test("every regulariser of the registry has a strength here", () => {
    expect(Object.keys(REGULARISER_FIELDS).sort()).toEqual([...regulariserKinds].sort());
    expect(Object.keys(INSTANCES).sort()).toEqual(ARCHITECTURES.map(({ kind }) => kind).sort());
  });

  test.each(ARCHITECTURES.map(({ kind }) => kind))("%s, with every optimizer and every regulariser", async (kind) => {
    const count = Math.max(optimizerKinds.length, regulariserKinds.length);
    const cells = Array.from({ length: count }, (_, i) =>
      tinyCell({
        ...INSTANCES[kind],
        optimizer: { kind: optimizerKinds[i % optimizerKinds.length]!, learningRate: 0.01 },
        regulariser: regulariser(regulariserKinds[i % regulariserKinds.length]!),
        seed: i,
        train: TRAIN,
        estimate: QUICK,
      }),
    );
    const said = await alone(cells);
    expectSame(await together(cells), said);
    expect(new Set([...said.values()].map(({ digest }) => digest)).size).toBe(count);
  });

  test("every optimizer with every regulariser, in one program of a small network", async () => {
    const cells = optimizerKinds.flatMap((optimizer) =>
      regulariserKinds.map((kind) =>
        tinyCell({
          architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 4 },
          data: { kind: "moons", train: 16, test: 8 },
          optimizer: { kind: optimizer, learningRate: 0.02 },
          regulariser: regulariser(kind),
          train: TRAIN,
        }),
      ),
    );
    expectSame(await together(cells), await alone(cells));
  });

  test("in any order, and in programs of any width", async () => {
    const cells = Array.from({ length: 7 }, (_, i) =>
      tinyCell({
        optimizer: { kind: optimizerKinds[(3 * i) % optimizerKinds.length]! },
        regulariser: regulariser(regulariserKinds[(2 * i) % regulariserKinds.length]!),
        seed: i,
        train: TRAIN,
        estimate: QUICK,
      }),
    );
    const said = await alone(cells);
    expectSame(await together(cells.toReversed()), said);
    for (const width of [2, 3]) {
      for (let at = 0; at < cells.length; at += width) {
        expectSame(await together(cells.slice(at, at + width)), said);
      }
    }
  });

  test.skipIf(IS_SLOW).each(Object.entries(ESTIMATES))("estimated by: %s", async (name, estimate) => {
    const cells = [1, 2, 3, 4].map((seed) =>
      tinyCell({
        data: { kind: "moons", train: 40, test: 20, noise: 0.1 * seed, seed },
        seed,
        train: { ...TRAIN, steps: 40 },
        estimate,
      }),
    );
    const shard = await recordShard(engine, cells);
    for (const { id } of cells) {
      const { estimate: found, behavioural } = shard.results.get(id)!;
      const isTrained =
        estimate.sampler !== "tiered" || estimate.refine === "never" || found!.estimand.startsWith("behavioural");
      expect(found!.anchorMoved! > 0, name).toBe(!isTrained);
      expect(behavioural !== null).toBe(estimate.estimand === "both");
    }

    const said = await alone(cells);
    expectSame(new Map(cells.map((cell) => [cell.id, statementOf(shard, cell)])), said);
    expectSame(await together(cells.toReversed().slice(1)), said);
    expect(new Set([...said.values()].map(({ digest }) => digest)).size).toBe(cells.length);
  });

  test("beside cells that read other data, and beside cells that stop early", async () => {
    const train = { ...TRAIN, steps: 60, evalEvery: 10, stopTrainLoss: 0.3 };
    const cells = [1, 2, 3, 4].map((seed) =>
      tinyCell({
        data: { kind: "moons", train: 64, test: 32, noise: 0.02 * seed, seed },
        optimizer: { kind: "sgd", learningRate: [0.001, 0.5, 1, 2][seed - 1]! },
        seed,
        train,
        estimate: QUICK,
      }),
    );
    const shard = await recordShard(engine, cells);
    const steps = cells.map(({ id }) => shard.results.get(id)!.steps);
    expect(new Set(steps).size, `steps ${steps.join(" ")}`).toBeGreaterThan(2);
    expectSame(await together(cells), await alone(cells));
  });

  test.each([0, 6])(
    "that starts at a known truth, beside others and beside random starts, after %d updates",
    async (steps) => {
      const starts = ["canonical", "generic", "teacher"] as const;
      const realizable = Array.from({ length: 9 }, (_, i) =>
        tinyCell({
          architecture: { kind: "deep-linear", widths: "3 4 2", rank: i % 3, initScale: 1 + 0.1 * i },
          data: { kind: "realizable", inputs: 3, outputs: 2, train: 40, test: 20, noise: i < 6 ? 0 : 0.3, seed: i % 2 },
          seed: i,
          train: { ...TRAIN, steps, start: starts[i % 2 === 0 ? 1 : i % 3]! },
          estimate: QUICK,
        }),
      );
      const random = tinyCell({
        architecture: { kind: "deep-linear", widths: "3 4 2" },
        data: { kind: "teacher-student", inputs: 3, outputs: 2, train: 40, test: 20 },
        train: { ...TRAIN, steps },
        estimate: QUICK,
      });
      const cells = [...realizable, random];
      expect(new Set(cells.map(({ config }) => fuseKeyOf(config))).size).toBe(1);
      expectSame(await together(cells), await alone(cells));
      expectSame(await together(cells.slice(3, 7).toReversed()), await alone(cells.slice(3, 7)));
    },
  );

  test("a cell that diverges ends with its step and value, and changes nothing of the others", async () => {
    const sane = [1, 2, 3].map((seed) =>
      tinyCell({ data: LINEAR_DATA, architecture: LINEAR, seed, train: TRAIN, estimate: QUICK }),
    );
    const wild = tinyCell({
      data: LINEAR_DATA,
      architecture: LINEAR,
      optimizer: { kind: "sgd", learningRate: 1e9 },
      train: { ...TRAIN },
      estimate: QUICK,
    });
    const shard = await recordShard(engine, [sane[0]!, wild, sane[1]!, sane[2]!]);
    const result = shard.results.get(wild.id)!;
    expect(result).toMatchObject({ outcome: "diverged", stopped: "diverged", trainLoss: null, estimate: null });
    expect(result.steps).toBeLessThanOrEqual(TRAIN.steps);
    expect(result.reason).toMatch(/^training loss (Infinity|NaN) at step \d$/);
    const said = await alone(sane);
    for (const cell of sane) expectSameStatement(statementOf(shard, cell), said.get(cell.id)!);
  });
});

const LINEAR: Given = { kind: "polynomial", degree: 1 };
const LINEAR_DATA: Given = { kind: "teacher-student", inputs: 3, train: 40, test: 20 };
