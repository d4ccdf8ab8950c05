/**
 * One run: the real coordinator on a real SQLite store, scripted workers, a bad network and a fake clock, all from one seed.
 * Faults come for a while; then the weather clears and the sweep has to end well.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Coordinator } from "../../coordinator/coordinator.ts";
import { openMemoryStore, openSqliteStore } from "../../coordinator/store/sqlite/open-sqlite.ts";
import type { Store } from "../../coordinator/store/store.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { quietLogger } from "../support/quiet-logger.ts";
import { madeUpSpecs, specText } from "../unit/coordinator/coordinator-fixture.ts";
import { Dice } from "./dice.ts";
import { History } from "./history.ts";
import { checkExpiry, checkHistory, checkMemory, checkOutcome, checkPromises, Violation } from "./invariants.ts";
import { CALM, Network, ROUGH, STORM } from "./network.ts";
import { naturalResult, ScriptedWorker, type CellNature } from "./scripted-worker.ts";

/** Faults happen for this long. */
const FAULTS_MS = 150_000;
/** By then the sweep has ended, whatever happened: a few dozen times as long as without faults. */
const LIMIT_MS = 3_600_000;

export interface RunReport {
  readonly steps: number;
  readonly restarts: number;
  readonly tookMs: number;
}

/** @throws Violation, with the seed in its message, when an invariant is broken */
export async function runSeed(seed: number): Promise<RunReport> {
  const run = new Run(seed);
  try {
    return await run.play();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Violation(`seed ${seed}: ${what}`, { cause: error });
  } finally {
    await run.close();
  }
}

class Run {
  readonly #dice: Dice;
  readonly #clock = new FakeClock();
  readonly #history = new History();
  readonly #network: Network;
  readonly #cells: number;
  readonly #natures: readonly CellNature[];
  readonly #ended = new Set<bigint>();
  #workers: ScriptedWorker[] = [];
  #sessions = 0;
  #restarts = 0;
  #folder: string | undefined;
  #store: Store | undefined;
  #coordinator: Coordinator | undefined;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.#network = new Network(this.#clock, this.#dice, { current: () => this.#coordinator }, CALM);
    this.#cells = this.#dice.integer(1, 14);
    this.#natures = Array.from({ length: this.#cells }, (_, cell) => this.#makeNature(cell));
  }

  async play(): Promise<RunReport> {
    const dice = this.#dice;
    this.#network.weather = dice.pick([CALM, ROUGH, ROUGH, STORM]);
    // One run in eight is on a real folder, which is closed and opened again at every restart.
    if (dice.chance(1 / 8)) this.#folder = await mkdtemp(join(tmpdir(), "occam-sim-"));
    this.#store = await this.#openStore();
    await this.#startCoordinator();
    for (let worker = 1; worker <= dice.integer(1, 4); worker += 1) this.#startWorker(`w${worker}`);
    await this.#submit();
    const steps = await this.#live();
    await this.#checkEnd();
    return { steps, restarts: this.#restarts, tookMs: this.#clock.nowMs() };
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.kill();
    this.#coordinator?.abandon();
    this.#coordinator = undefined;
    await this.#store?.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true });
  }

  /** Steps from timer to timer, and looks after each. */
  async #live(): Promise<number> {
    const startMs = this.#clock.nowMs();
    let nextFaultMs = startMs + this.#dice.integer(0, 10_000);
    for (let steps = 0; ; steps += 1) {
      const nowMs = this.#clock.nowMs();
      const faulty = nowMs < startMs + FAULTS_MS;
      if (!faulty && this.#isDone()) return steps;
      if (nowMs > startMs + LIMIT_MS) throw new Violation(`the sweep did not end: ${this.#where()}`);
      if (faulty && nowMs >= nextFaultMs) {
        await this.#fault();
        nextFaultMs = nowMs + this.#dice.integer(500, 25_000);
      }
      if (!faulty) await this.#clearUp();
      const dueMs = this.#clock.nextMs() ?? nowMs + 100;
      await this.#clock.advance(Math.max(0, dueMs - nowMs));
      if (this.#coordinator !== undefined) this.#check(this.#coordinator);
    }
  }

  #check(coordinator: Coordinator): void {
    checkMemory(coordinator);
    checkHistory(this.#history);
    checkExpiry(coordinator, this.#history, this.#ended);
  }

  #isDone(): boolean {
    const sweeps = this.#coordinator?.hot.sweeps.all() ?? [];
    return sweeps.length > 0 && sweeps.every((sweep) => sweep.state === "finished");
  }

  #where(): string {
    const sweeps = this.#coordinator?.hot.sweeps.all() ?? [];
    return sweeps.map((sweep) => `${sweep.state} ${JSON.stringify(sweep.counts)}`).join(", ");
  }

  async #fault(): Promise<void> {
    const dice = this.#dice;
    const worker = dice.pick(this.#workers);
    switch (dice.pick(["kill", "kill", "still", "cut", "clone", "drain", "restart", "restart", "cancel"] as const)) {
      case "kill":
        worker.kill();
        return this.#startLater(worker.id);
      case "still":
        return worker.standStill(dice.integer(1_000, 90_000));
      case "cut":
        return this.#network.cutOff(worker.id, dice.pick([5_000, 60_000]));
      case "clone":
        return this.#startWorker(worker.id);
      case "drain":
        worker.drain();
        this.#clock.after(10_000, () => worker.kill());
        return this.#startLater(worker.id);
      case "restart":
        return this.#restartCoordinator(dice.pick([0, 0, 2_000, 40_000]));
      case "cancel":
        return this.#cancelAndResume();
    }
  }

  /** No more faults: every worker id has a live process, and the sweep runs. */
  async #clearUp(): Promise<void> {
    this.#network.weather = CALM;
    const sweep = this.#coordinator?.hot.sweeps.all()[0];
    if (sweep?.state === "cancelled") await this.#submit();
    // Its first cells may have failed alike.
    if (sweep !== undefined && sweep.paused !== "") void this.#coordinator!.sweeps.resume(sweep).catch(() => undefined);
    const names = new Set(this.#workers.map((worker) => worker.id as string));
    for (const name of names) {
      if (!this.#workers.some((worker) => worker.id === name && worker.alive && !worker.draining))
        this.#startWorker(name);
    }
  }

  async #cancelAndResume(): Promise<void> {
    const coordinator = this.#coordinator;
    const sweep = coordinator?.hot.sweeps.all()[0];
    if (coordinator === undefined || sweep === undefined) return;
    // Not waited for: the answer depends on the clock.
    void coordinator.sweeps.cancel(sweep).catch(() => undefined);
    this.#clock.after(this.#dice.integer(0, 20_000), () => void this.#submit());
  }

  async #submit(): Promise<void> {
    const submission = {
      specText: specText({ name: "sim", cells: this.#cells, fuseKeys: 2 }),
      fileName: "sim.json",
      noCache: false,
      requestId: "",
    };
    void this.#coordinator?.sweeps.submit(submission).catch(() => undefined);
  }

  #startWorker(name: string): void {
    this.#sessions += 1;
    const world = {
      clock: this.#clock,
      dice: this.#dice,
      network: this.#network,
      history: this.#history,
      natureOf: (configJson: string) => this.#natures[(JSON.parse(configJson) as { cell: number }).cell]!,
      died: (worker: ScriptedWorker) => this.#startLater(worker.id),
    };
    this.#workers = this.#workers.filter((worker) => worker.alive || worker.id !== name);
    this.#workers.push(new ScriptedWorker(world, name, `session-${this.#sessions}`));
  }

  #startLater(name: string): void {
    this.#clock.after(this.#dice.integer(100, 45_000), () => this.#startWorker(name));
  }

  async #openStore(): Promise<Store> {
    return this.#folder === undefined ? openMemoryStore() : openSqliteStore(this.#folder);
  }

  async #startCoordinator(): Promise<void> {
    const store = this.#store!;
    this.#coordinator = await Coordinator.open({ store, clock: this.#clock, logger: quietLogger, specs: madeUpSpecs });
    const { hot } = this.#coordinator;
    // Without a sweep yet, a submission was lost with the process before.
    if (this.#restarts > 0 && hot.sweeps.all().length === 0) await this.#submit();
    checkMemory(this.#coordinator);
  }

  /** kill -9, and a new process after a while. */
  async #restartCoordinator(downMs: number): Promise<void> {
    if (this.#coordinator === undefined) return;
    this.#restarts += 1;
    this.#coordinator.abandon();
    this.#coordinator = undefined;
    if (this.#folder !== undefined) {
      await this.#store!.close();
      this.#store = await this.#openStore();
    }
    await checkPromises(this.#store!, this.#history);
    if (downMs > 0) await this.#clock.advance(downMs);
    await this.#startCoordinator();
  }

  async #checkEnd(): Promise<void> {
    const coordinator = this.#coordinator!;
    // What is still on its way arrives.
    await this.#clock.advance(200_000);
    this.#check(coordinator);
    await checkPromises(this.#store!, this.#history);
    await checkOutcome(coordinator, 1, this.#cells, (index) => this.#expected(index));
    const { counts, total } = coordinator.hot.sweeps.all()[0]!;
    if (total !== this.#cells) throw new Violation(`the counts make ${total} cells of ${this.#cells}`);
    if (counts.committed + counts.quarantined !== this.#cells) throw new Violation(`it ended as ${this.#where()}`);
  }

  #expected(index: number): { outcome: "committed" | "quarantined" | "either"; points: number } {
    const { kind, points } = this.#natures[index]!;
    if (kind === "kills" || kind === "fails") return { outcome: "quarantined", points };
    // A cell that was running on three workers when each was killed is quarantined, rightly for all that can be known.
    return { outcome: "either", points };
  }

  #makeNature(cell: number): CellNature {
    const dice = this.#dice;
    const kind = dice.chance(0.85) ? "good" : dice.pick(["kills", "fails", "greedy"] as const);
    const resultOf = naturalResult(cell, dice.chance(0.9));
    return { kind, resultOf, points: dice.integer(0, 9), lines: dice.integer(0, 4) };
  }
}
