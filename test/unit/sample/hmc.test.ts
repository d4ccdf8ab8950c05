import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OccamError } from "../../../src/core/errors.ts";
import { fold, rootKey } from "../../../src/core/random.ts";
import { normalCrossingAtT, powerSumAtT } from "../../../src/oracle/normal-crossing.ts";
import { mean, standardError, variance } from "../../../src/stats/moments.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { sampleByHmc, type HmcPlan } from "../../../worker/sample/hmc.ts";
import { START_SD, type ChainRecord, type Posterior } from "../../../worker/sample/posterior.ts";
import type { Surface } from "../../../worker/sample/surface.ts";
import { analyticSurface, bowl, crossing, quartic, walled, type Potential } from "../../support/analytic-surface.ts";

const KEY = rootKey("hmc-test");
const [T, GAMMA] = [20, 2];
const P = T + GAMMA;
const PLAN: HmcPlan = {
  chains: 3,
  budget: 400,
  trajectory: 6,
  fixedStep: true,
  rows: [Int32Array.of(0), Int32Array.of(0)],
};
const BOWL = bowl([1, 1, 1, 1]);

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});
/** Tensors alive before the test. */
let alive: number;
beforeEach(() => {
  alive = engine.memory().tensors;
});
afterEach(() => {
  expect(engine.memory().tensors).toBe(alive);
});

interface Options {
  readonly plan?: Partial<HmcPlan>;
  isDone?(record: ChainRecord): boolean;
  onTransition?(gradients: number): void;
  turn?(): Promise<void>;
}

function sampled(
  surface: Surface,
  posteriors: readonly Posterior[],
  options: Options = {},
): Promise<
  readonly ChainRecord[]
> /* prettier-ignore */ {
  const { plan, isDone = () => false, onTransition = () => undefined, turn = () => Promise.resolve() } = options;
  return sampleByHmc(surface, posteriors, { ...PLAN, ...plan }, { isDone, onTransition }, { turn });
}

function posterior(surface: Surface, index: number, given: Partial<Posterior> = {}): Posterior {
  const anchor = surface.trained[given.cell ?? 0]!;
  return {
    cell: 0,
    key: fold(KEY, "posterior", index),
    anchor,
    t: T,
    gamma: GAMMA,
    epsilon: 0.2 + 0.05 * index,
    ...given,
  };
}

const estimateOf = (chains: readonly Float64Array[]): { readonly mean: number; readonly error: number } => {
  const means = Float64Array.from(chains, mean);
  return { mean: mean(means), error: standardError(means) };
};

/** |w - w0| that chains start with: sums of d squares. */
const startsAt = (displacement: number, d: number): boolean =>
  displacement > 0 && displacement < 5 * START_SD * Math.sqrt(d);

describe("the mean along a trajectory", () => {
  const potential = quartic(2);
  const truth = powerSumAtT([4, 4, 4, 4, 4, 4], 100, 1);

  test("has the expectation of the draws, the closed form, and a smaller variance", async () => {
    const surface = analyticSurface(engine, potential);
    const given = posterior(surface, 0, { t: 100, gamma: 1, epsilon: 0.1 });
    const [record] = await sampled(surface, [given], { plan: { chains: 192, budget: 1200, trajectory: 10 } });
    const [draws, means] = [estimateOf(record!.x), estimateOf(record!.mean)];
    for (const { mean, error } of [draws, means]) {
      expect(error / truth).toBeLessThan(0.015);
      expect(Math.abs(mean - truth) / error).toBeLessThan(3);
    }
    expect(means.error / draws.error).toBeLessThan(0.85);
    const spread = (chains: readonly Float64Array[]): number => mean(Float64Array.from(chains, variance));
    expect(spread(record!.mean) / spread(record!.x)).toBeLessThan(0.7);
  });

  test("has it also where half of the proposals are refused", async () => {
    const surface = analyticSurface(engine, BOWL);
    const given = posterior(surface, 0, { epsilon: 1.8 / Math.sqrt(P) });
    const [record] = await sampled(surface, [given], { plan: { chains: 192, budget: 900 } });
    expect(record!.acceptance!).toBeLessThan(0.6);
    // d/2 t h / p
    for (const chains of [record!.x, record!.mean]) {
      const { mean, error } = estimateOf(chains);
      expect(error).toBeLessThan(0.04);
      expect(Math.abs(mean - (2 * T) / P) / error).toBeLessThan(3);
    }
  });
});

describe("a record", () => {
  test("has the virial d and one number a draw in every series", async () => {
    const surface = analyticSurface(engine, BOWL);
    const [record] = await sampled(surface, [posterior(surface, 0)], { plan: { chains: 64, budget: 1000 } });
    const { mean, error } = estimateOf(record!.virial);
    expect(error).toBeLessThan(0.1);
    expect(Math.abs(mean - 4) / error).toBeLessThan(3);
    const draws = record!.x[0]!.length;
    expect(draws).toBeGreaterThan(100);
    for (const series of [record!.x, record!.mean, record!.displacement, record!.virial]) {
      expect(series.map(({ length }) => length)).toEqual(Array.from({ length: 64 }, () => draws));
    }
    expect(record).toMatchObject({ nonFinite: 0, batches: 1, batchRows: 1, halves: [] });
    expect(record!.rejected / (64 * draws)).toBeCloseTo(1 - record!.acceptance!, 1);
  });

  test("counts the gradients that chains took, within the budget, and tells of them after every transition", async () => {
    for (const budget of [57, 400]) {
      const surface = analyticSurface(engine, BOWL);
      const told: number[] = [];
      const [record] = await sampled(surface, [posterior(surface, 0)], {
        plan: { budget },
        onTransition: (n) => told.push(n),
      });
      const spent = told.at(-1)!;
      expect(spent).toBeLessThanOrEqual(budget);
      expect(spent).toBeGreaterThan(budget - 9);
      expect(record!.gradients).toBe(PLAN.chains * spent);
      // One more at w0 and one where the chains start.
      expect(surface.evaluations).toBe(spent + 2);
      // Warm-up is every transition that begins within 0.4 of the budget.
      expect(record!.warmUp).toBe(told.filter((n) => n < 0.4 * budget).length + 1);
      expect(record!.x[0]!.length).toBe(told.length - record!.warmUp);
    }
  });

  test("is empty where the budget is too small for a trajectory", async () => {
    const surface = analyticSurface(engine, BOWL);
    const [record] = await sampled(surface, [posterior(surface, 0)], { plan: { budget: 2 } });
    expect(record).toMatchObject({ acceptance: null, energyError: null, gradients: 0, warmUp: 0, rejected: 0 });
    expect(record!.x.map(({ length }) => length)).toEqual([0, 0, 0]);
  });

  test("has the energy error of the proposals that are finite", async () => {
    // Two independent parameters: the proposals of `a` run into a wall, the energy error is that of the bowl in `w`.
    const besideWall = (radius: number): Potential =>
      walled(
        {
          shapes: [[1], [4]],
          at: (tf, [a, w]) => {
            const { loss, gradients } = BOWL.at(tf, [w!]);
            return { loss, gradients: [tf.zerosLike(a!), ...gradients] };
          },
        },
        radius,
      );
    const read = async (radius: number): Promise<ChainRecord> => {
      const surface = analyticSurface(engine, besideWall(radius));
      return (await sampled(surface, [posterior(surface, 0)], { plan: { chains: 64, budget: 1000 } }))[0]!;
    };
    const [free, held] = [await read(1e6), await read(0.2)];
    expect(free.nonFinite).toBe(0);
    const share = held.nonFinite / (64 * held.x[0]!.length);
    expect(share).toBeGreaterThan(0.4);
    expect(held.energyError! / free.energyError!).toBeGreaterThan(0.9);
    expect(held.energyError! / free.energyError!).toBeLessThan(1.1);
  });
});

describe("the step", () => {
  test("is learned until proposals are accepted as often as wanted, and frozen", async () => {
    const surface = analyticSurface(engine, bowl(Array.from({ length: 32 }, (_, i) => (1 + i) / 32)));
    const plan = { chains: 16, budget: 1500, trajectory: 8, fixedStep: false };
    for (const epsilon of [0.01, 3]) {
      const [record] = await sampled(surface, [posterior(surface, 0, { epsilon })], { plan });
      expect(Math.abs(record!.acceptance! - 0.8)).toBeLessThan(0.06);
      // What a warm-up tries and refuses is not held against the chains.
      expect(record!.nonFinite).toBe(0);
    }
  });

  test("is what the user has set, of every transition", async () => {
    // Where a trajectory of the whole step is stable all are accepted, and beyond it none.
    const surface = analyticSurface(engine, bowl(Array.from({ length: 400 }, () => 1)));
    const accepted = async (epsilon: number): Promise<number> =>
      (await sampled(surface, [posterior(surface, 0, { epsilon })], { plan: { chains: 16 } }))[0]!.acceptance!;
    expect(await accepted(0.1 / Math.sqrt(P))).toBeGreaterThan(0.95);
    expect(await accepted(2.1 / Math.sqrt(P))).toBeLessThan(1e-3);
  });

  test("takes chains along arms that no fixed step is right for", async () => {
    const [t, gamma] = [1e5, 1];
    const truth = normalCrossingAtT([1, 1], t, gamma);
    const surface = analyticSurface(engine, crossing);
    const errors = async (epsilon: number, fixedStep: boolean): Promise<{ mean: number; error: number }> => {
      const posteriors = Array.from({ length: 64 }, (_, i) => posterior(surface, i, { t, gamma, epsilon }));
      const plan = { chains: 4, budget: 6000, trajectory: 20, fixedStep };
      const records = await sampled(surface, posteriors, { plan });
      const relative = Float64Array.from(records, (record) => mean(Float64Array.from(record.mean, mean)) / truth - 1);
      return { mean: mean(relative), error: standardError(relative) };
    };
    const learned = await errors(0.01, false);
    expect(learned.error).toBeLessThan(0.02);
    expect(Math.abs(learned.mean) / learned.error).toBeLessThan(3);
    // What dual averaging finds where every transition takes the whole step.
    const fixed = await errors(0.015, true);
    expect(fixed.mean / fixed.error).toBeLessThan(-3);
  });

  test("of a posterior is learned from its own chains alone", async () => {
    const surface = analyticSurface(engine, quartic(2), [1, 30]);
    const given = [posterior(surface, 0), posterior(surface, 1, { cell: 1 }), posterior(surface, 2, { t: 300 })];
    const plan = { fixedStep: false };
    const among = await sampled(surface, given, { plan });
    expect(new Set(among.map(({ epsilon }) => epsilon)).size).toBe(3);
    for (const [index, one] of given.entries())
      expect((await sampled(surface, [one], { plan }))[0]).toEqual(among[index]);
  });
});

describe("trajectories", () => {
  test("have lengths uniform in [L/2, 3L/2], the same whoever runs", async () => {
    const surface = analyticSurface(engine, BOWL);
    const lengths = async (posteriors: readonly Posterior[], trajectory: number, budget: number): Promise<number[]> => {
      const told = [0];
      const plan = { chains: 1, trajectory, budget };
      await sampled(surface, posteriors, { plan, onTransition: (n) => told.push(n) });
      return told.slice(1).map((n, i) => n - told[i]!);
    };
    const own = await lengths([posterior(surface, 0)], 7, 2500);
    const ends = own.map((_, i) => own.slice(0, i).reduce((sum, steps) => sum + steps, 0));
    const short = own.filter((_, i) => ends[i]! < 125 || ends[i]! >= 625);
    expect(new Set(short)).toEqual(new Set([4, 5, 6, 7, 8, 9, 10]));
    // sd of the mean of 280 uniform ones: 2 / sqrt(280).
    expect(short.length).toBeGreaterThan(250);
    expect(Math.abs(mean(Float64Array.from(short)) - 7)).toBeLessThan(0.36);
    // They are five times as long while chains explore, and end with that stage.
    const long = own.filter((_, i) => ends[i]! >= 125 && ends[i]! < 625);
    expect(long.slice(0, -1).every((steps) => steps % 5 === 0 && steps >= 20 && steps <= 50)).toBe(true);
    expect(ends.some((at) => at >= 625 && at < 636)).toBe(true);
    const two = await lengths([posterior(surface, 1), posterior(surface, 2)], 7, 200);
    expect(two).toEqual(await lengths([posterior(surface, 0)], 7, 200));
    expect(new Set(await lengths([posterior(surface, 0)], 1, 20))).toEqual(new Set([1, 4]));
  });

  test("are the same by the kernels and by plain operations, to rounding", async () => {
    const surface = analyticSurface(engine, quartic(2));
    const given = [posterior(surface, 0), posterior(surface, 1)];
    const fused = await sampled(surface, given);
    // The run ends within: its turns resolve at once.
    const plain = await sampledWithoutKernels(surface, given);
    fused.forEach((record, index) => {
      for (const series of ["x", "mean", "displacement", "virial"] as const) {
        record[series].forEach((values, chain) => {
          const largest = Math.max(...values.map(Math.abs));
          values.forEach((value, draw) => {
            expect(Math.abs(value - plain[index]![series][chain]![draw]!) / largest).toBeLessThan(1e-3);
          });
        });
      }
    });
  });
});

async function sampledWithoutKernels(surface: Surface, given: readonly Posterior[]): Promise<readonly ChainRecord[]> {
  const { tf } = engine;
  const names = ["OccamLeapfrog", "OccamPhase"];
  const kernels = names.map((name) => tf.getKernel(name, "wasm"));
  for (const name of names) tf.unregisterKernel(name, "wasm");
  try {
    return await sampled(surface, given);
  } finally {
    for (const kernel of kernels) tf.registerKernel(kernel);
  }
}

describe("posteriors side by side", () => {
  test("go on bitwise unchanged when others end early, and end where they say", async () => {
    const surface = analyticSurface(engine, quartic(2), [1, 3]);
    const given = [0, 1, 2, 3].map((index) => posterior(surface, index, { cell: index % 2, t: T + index }));
    const plan = { budget: 800 };
    const all = await sampled(surface, given, { plan });
    const most = all[0]!.x[0]!.length;
    expect(most).toBeGreaterThan(55);
    const asked: number[] = [];
    const ends = new Map([[given[0]!.epsilon, 40], [given[2]!.epsilon, 55]]); // prettier-ignore
    const some = await sampled(surface, given, {
      plan,
      isDone: ({ epsilon, x }) => {
        asked.push(x[0]!.length);
        return x[0]!.length >= (ends.get(epsilon) ?? Number.POSITIVE_INFINITY);
      },
    });
    for (const index of [1, 3]) expect(some[index]).toEqual(all[index]);
    for (const [index, draws] of [
      [0, 40],
      [2, 55],
    ] as const) /* prettier-ignore */ {
      for (const series of ["x", "mean", "displacement", "virial"] as const) {
        expect(some[index]![series]).toEqual(all[index]![series].map((values) => values.slice(0, draws)));
      }
      expect(some[index]!.gradients).toBeLessThan(all[index]!.gradients);
    }
    expect([...new Set(asked)].slice(0, 2)).toEqual([40, 55]);
  });

  test("end the run when all have ended", async () => {
    const surface = analyticSurface(engine, BOWL);
    const told: number[] = [];
    const records = await sampled(surface, [posterior(surface, 0), posterior(surface, 1)], {
      plan: { budget: 800 },
      isDone: () => true,
      onTransition: (n) => told.push(n),
    });
    for (const { x } of records) expect(x[0]!.length).toBe(40);
    expect(told.at(-1)!).toBeLessThan(800 - 10);
  });

  test("are none of each other's business when one of them is lost", async () => {
    const surface = analyticSurface(engine, quartic(2), [1, Number.NaN]);
    const [well, other] = [posterior(surface, 0), posterior(surface, 3)];
    const wild = posterior(surface, 1, { epsilon: 1e30 });
    const lost = posterior(surface, 2, { cell: 1 });
    const among = await sampled(surface, [wild, well, lost, other]);
    const alone = await sampled(surface, [well, other]);
    expect([among[1], among[3]]).toEqual(alone);
  });

  test("of no posteriors there is nothing to do", async () => {
    expect(await sampled(analyticSurface(engine, BOWL), [])).toEqual([]);
  });
});

describe("a posterior that accepts nothing", () => {
  test("stays where it started and says so", async () => {
    // Nothing but the start is inside of the wall.
    const surface = analyticSurface(engine, walled(BOWL, 10 * START_SD));
    const [record] = await sampled(surface, [posterior(surface, 0, { epsilon: 1e6 })]);
    const draws = record!.x[0]!.length;
    expect(draws).toBeGreaterThan(5);
    expect(record!.acceptance).toBe(0);
    expect(record!.rejected).toBe(PLAN.chains * draws);
    expect(record!.nonFinite).toBe(PLAN.chains * draws);
    for (const series of [record!.x, record!.mean, record!.displacement, record!.virial]) {
      for (const values of series) expect(new Set(values).size).toBe(1);
    }
    record!.displacement.forEach(([displacement], chain) => {
      expect(startsAt(displacement!, 4)).toBe(true);
      const square = displacement! ** 2;
      expect(record!.x[chain]![0]! / ((T * square) / 2)).toBeCloseTo(1, 5);
      expect(record!.virial[chain]![0]! / (P * square)).toBeCloseTo(1, 5);
    });
  });

  test("because its surface is not a number says that", async () => {
    const surface = analyticSurface(engine, BOWL, [Number.NaN]);
    const [record] = await sampled(surface, [posterior(surface, 0)], { plan: { fixedStep: false } });
    const draws = record!.x[0]!.length;
    expect(record).toMatchObject({ acceptance: 0, energyError: null, rejected: PLAN.chains * draws });
    expect(record!.nonFinite).toBe(PLAN.chains * draws);
    for (const series of [record!.x, record!.mean])
      expect(series.every((values) => values.every(Number.isNaN))).toBe(true);
    for (const values of record!.displacement) expect(values.every((value) => startsAt(value, 4))).toBe(true);
  });
});

describe("a run that is broken off", () => {
  test.each([1, 4, 30, 150, 250])("at turn %i leaves no tensor behind", async (last) => {
    const surface = analyticSurface(engine, quartic(2));
    let turns = 0;
    const turn = (): Promise<void> => {
      turns += 1;
      return turns < last ? Promise.resolve() : Promise.reject(new OccamError("cancelled", "the shard was cancelled"));
    };
    await expect(sampled(surface, [posterior(surface, 0), posterior(surface, 1)], { turn })).rejects.toThrow(
      "cancelled",
    );
    expect(engine.memory().tensors).toBe(alive);
  });

  test.each([1, 2, 3, 7, 40])("by its surface at evaluation %i leaves no tensor behind", async (last) => {
    const surface = analyticSurface(engine, quartic(2));
    const failing: Surface = {
      ...surface,
      batch: (cells, rows) => {
        const batch = surface.batch(cells, rows);
        const gradients: typeof batch.gradients = (weights) => {
          if (surface.evaluations + 1 >= last) throw new Error("out of memory");
          return batch.gradients(weights);
        };
        return { ...batch, gradients };
      },
    };
    await expect(sampled(failing, [posterior(surface, 0), posterior(surface, 1)])).rejects.toThrow("out of memory");
    expect(engine.memory().tensors).toBe(alive);
  });

  test.each([1, 2])("by its surface at batch %i leaves no tensor behind", async (last) => {
    const surface = analyticSurface(engine, quartic(2));
    let batches = 0;
    const failing: Surface = {
      ...surface,
      batch: (cells, rows) => {
        batches += 1;
        if (batches === last) throw new Error("out of memory");
        return surface.batch(cells, rows);
      },
    };
    const [first, second] = [posterior(surface, 0), posterior(surface, 1)];
    const run = sampled(failing, [first, second], {
      plan: { budget: 800 },
      isDone: ({ epsilon }) => epsilon === first.epsilon,
    });
    await expect(run).rejects.toThrow("out of memory");
    expect(engine.memory().tensors).toBe(alive);
  });
});
