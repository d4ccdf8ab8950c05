/**
 * One run by chance, all of it from one seed: the real coordinator on a real SQLite store, real sessions of workers beside scripted
 * ones that play foul, a bad network, a bad disk. Faults come for a while; then the weather clears and the sweep has to end well.
 */
import { drawNature } from "./cell-nature.ts";
import { Dice } from "./dice.ts";
import { randomFault } from "./random-faults.ts";
import { Violation } from "./violation.ts";
import { CALM, FLAKY_DISK, GOOD_DISK, ROUGH, SLOW_DISK, STORM } from "./weather.ts";
import { World, type Plan, type WorkerKind } from "./world.ts";

/** Faults happen for this long. */
const FAULTS_MS = 60_000;
/** By then the sweep has ended, whatever happened: a few dozen times as long as without faults. */
const LIMIT_MS = 3_600_000;

export interface RunReport {
  readonly steps: number;
  readonly restarts: number;
  readonly tookMs: number;
}

export interface RunOptions {
  /** Is given a line for everything that happens. */
  readonly print?: (line: string) => void;
  /** What is not by chance. */
  readonly plan?: Partial<Plan>;
}

/** @throws Violation, with the seed in its message, when an invariant is broken */
export async function runSeed(seed: number, { print, plan }: RunOptions = {}): Promise<RunReport> {
  const dice = new Dice(seed);
  let world: World | undefined;
  try {
    world = await World.make({ ...planOf(dice), ...plan }, dice, print);
    return await play(world);
  } catch (error) {
    const what = error instanceof Violation ? error.message : error instanceof Error ? error.stack : String(error);
    throw new Violation(`seed ${seed}: ${what}`, { cause: error });
  } finally {
    await world?.close();
  }
}

function planOf(dice: Dice): Plan {
  const cells = dice.integer(1, 12);
  // A folder is locked for one process.
  const inFolder = dice.chance(1 / 100);
  const workers = Array.from({ length: dice.integer(1, 3) }, () =>
    dice.pick<WorkerKind>(["agent", "agent", "scripted"]),
  );
  return {
    sweep: { name: "sim", cells, fuseKeys: 2, from: 0 },
    natures: Array.from({ length: cells }, () => drawNature(dice)),
    workers,
    weather: dice.pick([CALM, ROUGH, ROUGH, STORM]),
    diskWeather: dice.pick([GOOD_DISK, GOOD_DISK, SLOW_DISK, FLAKY_DISK]),
    coordinators: !inFolder && dice.chance(0.15) ? 2 : 1,
    inFolder,
    stepMs: 1_000,
    skewMaxMs: dice.pick([0, 300_000]),
  };
}

async function play(world: World): Promise<RunReport> {
  const { clock } = world;
  const startMs = clock.monotonicMs();
  world.submit();
  await storm(world);
  world.network.weather = CALM;
  world.diskWeather = GOOD_DISK;
  const endMs = startMs + LIMIT_MS;
  while (!world.done) {
    if (clock.monotonicMs() > endMs) throw new Violation(`the sweep did not end: ${world.where()}`);
    clearUp(world);
    await world.step();
  }
  const tookMs = clock.monotonicMs() - startMs;
  await world.checkEnd();
  return { steps: world.steps, restarts: world.restarts, tookMs };
}

async function storm(world: World): Promise<void> {
  const { dice, clock } = world;
  const endMs = clock.monotonicMs() + FAULTS_MS;
  let nextMs = clock.monotonicMs() + dice.integer(0, 5_000);
  while (clock.monotonicMs() < endMs) {
    if (clock.monotonicMs() >= nextMs) {
      await randomFault(world);
      nextMs = clock.monotonicMs() + dice.integer(200, 9_000);
    }
    await world.step();
  }
}

/** No more faults: every worker id has a live process, and the sweep runs. */
function clearUp(world: World): void {
  const { coordinator } = world;
  const sweep = coordinator?.hot.sweeps.all()[0];
  if (sweep?.state === "cancelled" || world.wasRefused) {
    world.wasRefused = false;
    world.submit();
  }
  // Its first cells may have failed alike.
  if (sweep !== undefined && sweep.paused !== "") void coordinator!.sweeps.resume(sweep).catch(() => undefined);
  for (const name of new Set(world.workers.map((worker) => worker.id))) {
    if (!world.workers.some((worker) => worker.id === name && worker.alive && !worker.draining))
      world.startWorker(name);
  }
}
