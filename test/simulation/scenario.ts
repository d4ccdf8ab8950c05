/** Runs of named faults: a plan in which all is well but for what the test does, over a few seeds. */
import { messageOf } from "../../src/core/errors.ts";
import { cellId } from "./cells.ts";
import { GOOD } from "./cell-nature.ts";
import { Dice } from "./dice.ts";
import type { Expected } from "./store-invariants.ts";
import { Violation } from "./violation.ts";
import { CALM, GOOD_DISK } from "./weather.ts";
import { World, type Plan } from "./world.ts";

const CELLS = 12;

/** Two real workers, twelve cells that each take some 15 s, nothing wrong. */
export const WELL: Plan = {
  sweep: { name: "sim", cells: CELLS, fuseKeys: 2, from: 0 },
  natures: Array.from({ length: 2 * CELLS }, () => GOOD),
  workers: ["agent", "agent"],
  weather: CALM,
  diskWeather: GOOD_DISK,
  coordinators: 1,
  inFolder: false,
  stepMs: 2_000,
  skewMaxMs: 0,
};

/** Lives through the same with each seed; its error says which. */
export async function overSeeds(
  seeds: number,
  plan: Plan,
  live: (world: World, seed: number) => Promise<void>,
): Promise<void> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const world = await World.make(plan, new Dice(seed));
    try {
      await live(world, seed);
    } catch (error) {
      throw new Violation(`seed ${seed}: ${messageOf(error)}`, { cause: error });
    } finally {
      await world.close();
    }
  }
}

const COMMITTED: Expected = { outcomes: ["committed"], points: GOOD.points, lines: GOOD.lines };
const LIMIT_MS = 3_600_000;

/** Until the sweep is finished, and every cell of it has its result. How long it took. */
export async function finish(world: World, expected: (index: number) => Expected = () => COMMITTED): Promise<number> {
  const startMs = world.clock.monotonicMs();
  await world.until(() => world.done, LIMIT_MS, "the sweep ends");
  const tookMs = world.clock.monotonicMs() - startMs;
  await world.checkEnd(expected);
  return tookMs;
}

/** Until a worker has begun: the first cells run. */
export async function begin(world: World): Promise<void> {
  world.submit();
  const running = (): number => world.coordinator?.hot.sweeps.all()[0]?.counts.running ?? 0;
  await world.until(() => running() > 0, 120_000, "the first cells run");
  await world.pass(3_000);
}

/** Grants of each cell of the first sweep, by cell number. */
export async function grantsOf({ disk, plan }: World): Promise<readonly number[]> {
  const rows = await disk.db.selectFrom("cell").select(["cell_id", "attempts"]).execute();
  const byId = new Map(rows.map((row) => [row.cell_id, row.attempts]));
  return Array.from({ length: plan.sweep.cells }, (_, number) => byId.get(cellId(number)) ?? 0);
}

/** Leases of each cell that were taken up. */
export async function timesHeld({ disk }: World): Promise<readonly number[]> {
  const rows = await disk.db
    .selectFrom("attempt")
    .innerJoin("lease", "lease.token", "attempt.token")
    .select(["attempt.cell_key", ({ fn }) => fn.countAll<number>().as("times")])
    .where("lease.ended", "<>", "unaccepted")
    .groupBy("attempt.cell_key")
    .execute();
  return rows.map(({ times }) => times);
}

/** How leases ended, by token. */
export async function leaseEnds({ disk }: World): Promise<readonly (string | null)[]> {
  const rows = await disk.db.selectFrom("lease").select("ended").orderBy("token").execute();
  return rows.map((row) => row.ended);
}

export async function findings({ disk }: World): Promise<number> {
  return (await disk.db.selectFrom("finding").selectAll().execute()).length;
}
