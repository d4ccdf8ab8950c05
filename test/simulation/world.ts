/**
 * All that a run consists of: a disk, coordinators, a network, workers; and the steps in which time goes on, each followed by a
 * look at everything that must hold. `run-seed.ts` lets it live by chance, the tests of named faults by their own plans.
 */
import { messageOf } from "../../src/core/errors.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Coordinator } from "../../coordinator/coordinator.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { AgentWorker, type SimWorker, type WorkerWorld } from "./agent-worker.ts";
import type { SimSweep } from "./cells.ts";
import type { CellNature } from "./cell-nature.ts";
import { CoordinatorProcess, type CoordinatorWorld } from "./coordinator-process.ts";
import type { Dice } from "./dice.ts";
import { Disk } from "./disk.ts";
import { History } from "./history.ts";
import { checkExpiry, checkHistory, checkMemory, checkWidths } from "./invariants.ts";
import { Journal } from "./journal.ts";
import { Network } from "./network.ts";
import { ProcessClock } from "./process-clock.ts";
import { ScriptedWorker } from "./scripted-worker.ts";
import { checkOutcome, checkPromises, checkRows, type Expected } from "./store-invariants.ts";
import { Violation } from "./violation.ts";
import { CALM, GOOD_DISK, type DiskWeather, type Weather } from "./weather.ts";

export type WorkerKind = "agent" | "scripted";

export interface Plan {
  readonly sweep: SimSweep;
  /** By cell number. */
  readonly natures: readonly CellNature[];
  readonly workers: readonly WorkerKind[];
  readonly weather: Weather;
  readonly diskWeather: DiskWeather;
  /** Coordinators that stand ready. */
  readonly coordinators: number;
  /** On a real folder, which is closed and opened again at every start. */
  readonly inFolder: boolean;
  readonly stepMs: number;
  /** The workers' dates are off by so much, at the most. */
  readonly skewMaxMs: number;
}

export class World implements CoordinatorWorld, WorkerWorld {
  readonly clock = new FakeClock();
  readonly dice: Dice;
  readonly history = new History();
  readonly network: Network;
  readonly journal: Journal;
  readonly plan: Plan;
  diskWeather: DiskWeather = GOOD_DISK;
  workers: SimWorker[] = [];
  /** Those that run, whether they serve or not. */
  processes: CoordinatorProcess[] = [];
  restarts = 0;
  steps = 0;
  #disk: Disk | undefined;
  #folder: string | undefined;
  #started = 0;
  /** Processes whose folder is being opened. */
  #opening = 0;
  #sessions = 0;
  #served = false;
  /** The dates of processes that start now are off by so much. */
  #dateOffMs = 0;

  static async make(plan: Plan, dice: Dice, print?: (line: string) => void): Promise<World> {
    const world = new World(plan, dice, print);
    if (plan.inFolder) world.#folder = await mkdtemp(join(tmpdir(), "occam-sim-"));
    world.#disk = await Disk.make(world.#folder);
    for (let each = 0; each < plan.coordinators; each += 1) world.startCoordinator();
    await world.until(() => world.coordinator !== undefined, 60_000, "a coordinator serves");
    world.network.weather = plan.weather;
    world.diskWeather = plan.diskWeather;
    plan.workers.forEach((_kind, index) => world.startWorker(`w${index + 1}`));
    return world;
  }

  private constructor(plan: Plan, dice: Dice, print: ((line: string) => void) | undefined) {
    this.plan = plan;
    this.dice = dice;
    this.journal = new Journal(this.clock, print);
    const reach = (): CoordinatorProcess | undefined => {
      const serving = this.processes.filter((process) => process.coordinator !== undefined);
      return serving.length > 1 ? dice.pick(serving) : serving[0];
    };
    this.network = new Network({ clock: this.clock, dice, weather: CALM, reach });
  }

  async close(): Promise<void> {
    for (const worker of this.workers) worker.kill();
    for (const process of this.processes) process.clock.kill();
    await this.#disk?.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true });
  }

  // What the parts ask of it.

  get disk(): Disk {
    return this.#disk!;
  }

  get elects(): boolean {
    return this.plan.coordinators > 1;
  }

  get stepMs(): number {
    return this.plan.stepMs;
  }

  get foulCells(): number {
    return this.plan.natures.length;
  }

  natureOf(number: number): CellNature {
    return this.plan.natures[number]!;
  }

  serving(process: CoordinatorProcess): void {
    this.journal.note(() => `${process.name} serves, epoch ${process.coordinator!.hot.epoch}`);
    if (this.#served) this.restarts += 1;
    this.#served = true;
    // Without a sweep yet, a submission was lost with the process before.
    if (this.submitted > 0 && process.coordinator!.hot.sweeps.all().length === 0) this.submit();
  }

  ended(process: CoordinatorProcess, why: string): void {
    this.journal.note(() => `${process.name} ends: ${why}`);
    this.processes = this.processes.filter((other) => other !== process);
    this.clock.after(this.dice.pick([0, 0, 2_000, 40_000]), () => this.startCoordinator());
  }

  died(worker: SimWorker, why: string): void {
    this.journal.note(() => `${worker.id} ends: ${why}`);
    this.#startLater(worker.id);
  }

  // What a run does.

  /** The one that serves, the newest when there are several. */
  get coordinator(): Coordinator | undefined {
    return this.processes.findLast((process) => process.coordinator !== undefined)?.coordinator;
  }

  submitted = 0;
  /** The last submission that was answered was answered by an error: it is to be repeated. */
  wasRefused = false;

  submit(sweep: SimSweep = this.plan.sweep, coordinator = this.coordinator): void {
    this.submitted += 1;
    const submission = { specText: JSON.stringify(sweep), fileName: "sim.json", noCache: false, requestId: "" };
    // Not waited for: the answer depends on the clock.
    void coordinator?.sweeps.submit(submission).then(
      () => (this.wasRefused = false),
      (error: unknown) => {
        this.wasRefused = true;
        this.journal.note(() => `a submission failed: ${messageOf(error)}`);
      },
    );
  }

  startCoordinator(): void {
    if (this.processes.length + this.#opening >= this.plan.coordinators) return;
    this.#started += 1;
    this.#opening += 1;
    const start = (): void => {
      this.#opening -= 1;
      const clock = new ProcessClock(this.clock, this.#dateOffMs);
      this.processes.push(new CoordinatorProcess(this, `coordinator-${this.#started}`, clock));
    };
    if (this.#folder === undefined) return start();
    void this.disk.reopen().then(start);
  }

  /** kill -9. */
  crash(process = this.processes.at(-1)): void {
    process?.end("killed", this.dice.chance(0.5));
  }

  startWorker(name: string): void {
    this.#sessions += 1;
    const session = `session-${this.#sessions}`;
    const kind = this.plan.workers[Number(name.slice(1)) - 1]!;
    const { skewMaxMs } = this.plan;
    const skewMs = this.dice.integer(-skewMaxMs, skewMaxMs) + this.#dateOffMs;
    this.workers = this.workers.filter((worker) => worker.alive || worker.id !== name);
    const Worker = kind === "agent" ? AgentWorker : ScriptedWorker;
    this.workers.push(new Worker(this, name, session, skewMs));
    this.journal.note(() => `${name} starts as ${session}, ${kind}`);
  }

  kill(worker: SimWorker): void {
    worker.kill();
    this.#startLater(worker.id);
  }

  /** Every clock of every machine jumps ahead: they slept. */
  sleepAll(ms: number): void {
    this.#dateOffMs += ms;
    for (const { clock } of [...this.processes, ...this.workers]) clock.jumpAhead(ms);
  }

  #startLater(name: string): void {
    this.clock.after(this.dice.integer(100, 45_000), () => {
      // Whoever watches over it sees that another one runs.
      if (!this.workers.some((worker) => worker.id === name && worker.alive)) this.startWorker(name);
    });
  }

  /** From timer to timer, with a look after each. */
  async step(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const dueMs = this.clock.nextMs() ?? nowMs + 100;
    await this.clock.advance(Math.max(0, dueMs - nowMs));
    this.steps += 1;
    this.check();
  }

  async pass(ms: number): Promise<void> {
    // What was just asked for begins first.
    await this.clock.advance(0);
    const endMs = this.clock.monotonicMs() + ms;
    // So that time comes to it.
    this.clock.after(ms, () => undefined);
    while (this.clock.monotonicMs() < endMs) await this.step();
  }

  /** @throws Violation when it does not come true in time */
  async until(isTrue: () => boolean, limitMs: number, what: string): Promise<void> {
    const endMs = this.clock.monotonicMs() + limitMs;
    while (!isTrue()) {
      if (this.clock.monotonicMs() > endMs)
        throw new Violation(`not within ${limitMs / 1000} s: ${what}; ${this.where()}`);
      await this.step();
    }
  }

  get done(): boolean {
    const sweeps = this.coordinator?.hot.sweeps.all() ?? [];
    return sweeps.length > 0 && sweeps.every((sweep) => sweep.state === "finished");
  }

  where(): string {
    const sweeps = this.coordinator?.hot.sweeps.all() ?? [];
    return sweeps.map((sweep) => `${sweep.state} ${JSON.stringify(sweep.counts)}`).join(", ");
  }

  check(): void {
    for (const process of this.processes) {
      if (process.coordinator === undefined) continue;
      checkMemory(process.coordinator, process.newest);
      checkExpiry(process);
      checkWidths(process.coordinator, process.fits);
    }
    checkHistory(this.history);
  }

  /** Of the store. To be called between steps. */
  async checkStore(): Promise<void> {
    await checkPromises(this.disk.store(), this.history);
  }

  /** What is still on its way arrives; then all must have come out well. */
  async checkEnd(expected: (index: number) => Expected = (index) => this.expected(index)): Promise<void> {
    await this.pass(this.plan.weather.lateMaxMs + 5_000);
    await this.checkStore();
    await checkRows(this.disk);
    await checkOutcome(this.disk, 1, this.plan.sweep.cells, expected);
  }

  /** A cell that was running on three workers when each was killed is quarantined, rightly for all that can be known. */
  expected(index: number): Expected {
    const { kind, points, lines } = this.natureOf(index);
    const outcomes = kind === "kills" || kind === "fails" ? ["quarantined"] : ["committed", "quarantined"];
    return { outcomes, points, lines };
  }
}
