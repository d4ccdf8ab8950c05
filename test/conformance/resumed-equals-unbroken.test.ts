/**
 * A cell that is cut anywhere and gone on with from its checkpoint says what it would have said without a break: its result and
 * every point of its series, on wasm bit for bit. Cut at many steps of every piece of the work, and twice.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { OPTIMIZERS } from "../../src/catalogue/registry.ts";
import type { Cell, EstimateConfig } from "../../src/spec/cell.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { expectSameStatement, statementOf } from "../support/cell-statement.ts";
import { everyStepTurns, runUntil, type CutShard } from "../support/cut-shard.ts";
import { IS_SLOW, openTestEngine, THE_SAME } from "../support/test-backend.ts";
import { ESTIMATE as DEFAULT_ESTIMATE, SGLD_ESTIMATE, tinyCell } from "../support/tiny-cells.ts";

const ESTIMATE = {
  ...DEFAULT_ESTIMATE,
  chains: 2,
  budget: 200,
  trajectory: 3,
  kernelRows: 12,
  refine: "never",
} as const;
const TIER_B: Partial<EstimateConfig> = { ...ESTIMATE, tier: "B", batch: 10, budget: 100 };
const SGLD: Partial<EstimateConfig> = { ...SGLD_ESTIMATE, chains: 2, draws: 20, burnIn: 6, thin: 2, batch: 10, kernelRows: 12 }; // prettier-ignore

interface Case {
  readonly estimate: Partial<EstimateConfig>;
  readonly cuts?: number;
  /** Places that a cut must have met. */
  readonly met: readonly RegExp[];
}

/** Steps of tier B: the warm-up plain, learning the preconditioner, with it, and draws of two sets of chains. */
const ESTIMATES: Readonly<Record<string, Case>> = {
  "adjusted chains": { estimate: ESTIMATE, met: [/^train/, /chains@[3-9]$/, /chains@[1-5]\d$/] },
  "adjusted chains, with curves": {
    estimate: { ...ESTIMATE, chains: 6, budget: 450, tolerance: 0.9, gamma: 1000, nBeta: 10, curveNBeta: "0.25 1" },
    cuts: 7,
    met: [/chains@[5-9]\d$/, /chains@1\d\d$/],
  },
  "w0 refined, both losses": {
    estimate: { ...ESTIMATE, refine: "auto", budget: 60, estimand: "both" },
    cuts: 8,
    // Of two cells one is ahead: its chains are done, and the other's descent goes on.
    met: [/first\.descent@/, /first\.chains@/, /first\.chains$/, /second\.descent@/, /second\.chains/],
  },
  "minibatches, corrected": { estimate: TIER_B, met: [/chains\.0@[0-7]$/, /chains\.0@1\d$/, /chains\.0@[3-9]\d$/] },
  "the whole set, with curves": { estimate: { ...TIER_B, batch: 0, curveGamma: "0.1 10" }, met: [/chains\.0@/] },
  "a step that is far too large": { estimate: { ...TIER_B, stepSize: 40 }, met: [/chains\.0@/, /chains\.1@/] },
  sgld: { estimate: SGLD, met: [/chains\.0@/] },
  "rmsprop-sgld": { estimate: { ...SGLD, sampler: "rmsprop-sgld" }, met: [/chains\.0@/] },
  sgnht: { estimate: { ...SGLD, sampler: "sgnht" }, met: [/chains\.0@/] },
};

let engine: Engine;
beforeAll(async () => {
  engine = everyStepTurns(await openTestEngine());
});

/** About `count` turns, over all of them. */
const spread = (turns: number, count: number): readonly number[] => [
  ...new Set(Array.from({ length: count }, (_, i) => 1 + Math.floor(((i + 0.5) * turns) / count))),
];

/** Cuts at these turns, one run each, goes on to the end, and compares. Gives the positions of all cuts. */
async function expectTheSame(cells: readonly Cell[], cuts: number): Promise<readonly string[]> {
  const whole = await runUntil(engine, cells);
  const positions: string[] = [];
  for (const cut of spread(whole.turns, cuts)) {
    const first = await runUntil(engine, cells, cut);
    const open = cells.filter(({ id }) => !first.results.has(id));
    positions.push(...first.positions);
    const second = await runUntil(engine, open, Math.ceil((whole.turns - cut) / 2), first.left);
    const rest = open.filter(({ id }) => !second.results.has(id));
    const third = await runUntil(engine, rest, Infinity, second.left);
    for (const run of [first, second, third]) expectSaid(run, whole, cells);
    expect(first.results.size + second.results.size + third.results.size).toBe(cells.length);
  }
  return positions;
}

function expectSaid(run: CutShard, whole: CutShard, cells: readonly Cell[]): void {
  for (const cell of cells) {
    if (run.results.has(cell.id)) expectSameStatement(statementOf(run, cell), statementOf(whole, cell));
  }
}

// A GPU in software needs minutes for each of them.
describe.skipIf(IS_SLOW)(`a cell that goes on from a checkpoint says ${THE_SAME}`, () => {
  test("in training: every optimizer, beside cells that end early or diverge", async () => {
    const cells = OPTIMIZERS.flatMap(({ kind }, i) =>
      [0.02, 0.4].map((learningRate) =>
        tinyCell({
          optimizer: { kind, learningRate },
          regulariser: [{ kind: "dropout", strength: 0.3 }, { kind: "none" }, { kind: "weight-noise", strength: 0.1 }][
            i % 3
          ]!,
          seed: i,
          train: { steps: 70, evalEvery: 20, schedule: "cosine", stopTrainLoss: 0.25 },
        }),
      ),
    );
    const wild = tinyCell({ optimizer: { kind: "sgd", learningRate: 1e30 }, train: cells[0]!.config.train });
    const positions = await expectTheSame([...cells, wild], 12);
    expect(positions).toContain("train");
    expect(positions.filter((position) => position.startsWith("train@")).length).toBeGreaterThan(8);
  });

  test.each(Object.entries(ESTIMATES))("in estimates by: %s", async (_, { estimate, met, cuts = 10 }) => {
    const cells = [1, 2].map((seed) =>
      tinyCell({
        data: { kind: "moons", train: 40, test: 20, noise: 0.1 * seed, seed },
        seed,
        train: { steps: 10, batch: 16, evalEvery: 5 },
        estimate,
      }),
    );
    const positions = await expectTheSame(cells, cuts);
    for (const place of met) expect(positions.join("\n"), String(place)).toMatch(new RegExp(place, "m"));
  });

  test("and does no step twice, but for those of a trajectory and of the look at w0", async () => {
    const cell = tinyCell({ train: { steps: 60 }, estimate: ESTIMATE });
    const whole = await runUntil(engine, [cell]);
    for (const cut of spread(whole.turns, 6)) {
      const first = await runUntil(engine, [cell], cut);
      const second = await runUntil(engine, [cell], Infinity, first.left);
      expect(second.log.join()).toMatch(/^goes on from a checkpoint: (step \d+|the end) of /);
      // A trajectory of an exploring stage, and two runs of Lanczos.
      expect(first.turns + second.turns - whole.turns, `cut at ${cut}`).toBeLessThanOrEqual(5 * 3 + 2 * 21);
    }
  });
});
