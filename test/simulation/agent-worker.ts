/** A worker process with the real session: the agent and everything under it, on a clock, a network and a trainer of the run. */
import { asSessionId, asWorkerId } from "../../src/core/ids.ts";
import { rootKey } from "../../src/core/random.ts";
import { NO_TRACER } from "../../src/core/trace.ts";
import { Agent } from "../../worker/session/agent.ts";
import { DEFAULT_TIMINGS } from "../../worker/session/timings.ts";
import { messageOf } from "../../src/core/errors.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import type { History } from "./history.ts";
import type { Journal } from "./journal.ts";
import { MadeUpTrainer, type TrainerWorld } from "./made-up-trainer.ts";
import type { Network } from "./network.ts";
import { ProcessClock } from "./process-clock.ts";
import { workerPeer } from "./worker-peer.ts";

/** A worker, whatever it is made of. */
export interface SimWorker {
  readonly id: string;
  readonly clock: ProcessClock;
  readonly alive: boolean;
  readonly draining: boolean;
  /** SIGKILL. */
  kill(): void;
  /** SIGSTOP, and SIGCONT after a while. */
  standStill(forMs: number): void;
  /** SIGTERM. */
  drain(): void;
}

export interface WorkerWorld extends TrainerWorld {
  readonly clock: FakeClock;
  readonly network: Network;
  readonly history: History;
  readonly journal: Journal;
  /** Foul play is about cells below this number. */
  readonly foulCells: number;
  /** It has ended by itself. */
  died(worker: SimWorker, why: string): void;
}

export class AgentWorker implements SimWorker {
  readonly id: string;
  readonly clock: ProcessClock;
  draining = false;
  readonly #world: WorkerWorld;
  readonly #agent: Agent;
  #trainer: { readonly process: MadeUpTrainer; readonly clock: ProcessClock } | undefined;

  constructor(world: WorkerWorld, name: string, session: string, skewMs: number) {
    this.#world = world;
    this.id = name;
    this.clock = new ProcessClock(world.clock, skewMs);
    this.#agent = new Agent({
      workerId: asWorkerId(name),
      sessionId: asSessionId(session),
      peer: workerPeer(world.network, world.history, this),
      coordinatorUp: Promise.resolve(),
      trainer: {
        module: new URL("made-up:trainer"),
        backend: "auto",
        logLevel: "error",
        spawn: () => this.#spawn(skewMs),
      },
      maxFuseWidth: 4,
      memoryLimitBytes: 1e9,
      labels: {},
      // A run never has records for as much as it keeps in memory: nothing goes to the disk.
      spoolFolder: "/nowhere",
      checkpoints: undefined,
      clock: this.clock,
      // Its own log is a stream too.
      logger: world.journal.logger(`${name}/${session}`, "warn"),
      key: rootKey(session),
      timings: DEFAULT_TIMINGS,
      tracer: NO_TRACER,
    });
    this.#agent.done.then(
      (code) => this.#ended(`exit code ${code}`),
      (error: unknown) => this.#ended(messageOf(error)),
    );
    this.#agent.start();
  }

  get alive(): boolean {
    return this.clock.alive;
  }

  kill(): void {
    this.clock.kill();
    // It ends when its channel closes.
    this.#trainer?.clock.kill();
  }

  standStill(forMs: number): void {
    this.clock.standStill(forMs);
    if (this.#world.dice.chance(0.5)) this.#trainer?.clock.standStill(forMs);
  }

  drain(): void {
    this.draining = true;
    this.clock.deliver(() => this.#agent.drain());
  }

  /** The trainer alone. */
  killTrainer(): void {
    this.#trainer?.process.die(null, "SIGKILL");
  }

  #spawn(skewMs: number): MadeUpTrainer {
    const clock = new ProcessClock(this.#world.clock, skewMs);
    const process = new MadeUpTrainer(this.#world, clock, this.clock);
    this.#trainer = { process, clock };
    return process;
  }

  #ended(why: string): void {
    if (!this.alive) return;
    this.kill();
    this.#world.died(this, why);
  }
}
