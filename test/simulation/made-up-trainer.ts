/**
 * A trainer process that speaks the real protocol over the fake clock, and whose training is made up: a shard takes its steps,
 * gives its records on the way, and comes to what the natures of its cells say.
 */
import { EventEmitter } from "node:events";
import { asLeaseToken } from "../../src/core/ids.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { FromTrainer, ToTrainer, TrainerEvent } from "../../worker/trainer/protocol.ts";
import type { TrainerOutput, TrainerProcess } from "../../worker/session/trainer-host.ts";
import { numberOf } from "./cells.ts";
import { resultOf, type CellNature } from "./cell-nature.ts";
import type { Dice } from "./dice.ts";
import type { ProcessClock } from "./process-clock.ts";

export interface TrainerWorld {
  readonly dice: Dice;
  /** A step takes this long, more or less. */
  readonly stepMs: number;
  natureOf(cellNumber: number): CellNature;
}

const STEPS = 4;

class Output extends EventEmitter implements TrainerOutput {
  setEncoding(): void {
    // Text as it comes.
  }
}

export class MadeUpTrainer extends EventEmitter implements TrainerProcess {
  readonly stdout = null;
  readonly stderr = new Output();
  readonly #world: TrainerWorld;
  readonly #own: ProcessClock;
  readonly #agent: ProcessClock;
  #shard: { readonly id: string; readonly cells: readonly Cell[] } | undefined;
  #aborted = false;

  /** @param own its clock; @param agent that of the process that listens to it */
  constructor(world: TrainerWorld, own: ProcessClock, agent: ProcessClock) {
    super();
    this.#world = world;
    this.#own = own;
    this.#agent = agent;
  }

  send(message: ToTrainer): void {
    this.#own.after(1, () => {
      if (message.type === "open") void this.#open();
      if (message.type === "run") void this.#run(message.shardId, message.cells);
      if (message.type === "abort" && message.shardId === this.#shard?.id) this.#abort();
    });
  }

  /** Its own clock has no SIGCONT: pauses end by themselves. */
  kill(signal: NodeJS.Signals): void {
    if (signal === "SIGKILL") this.die(null, "SIGKILL");
  }

  die(exitCode: number | null, signal: string | null, lastWords = ""): void {
    if (!this.#own.alive) return;
    this.#own.kill();
    this.#agent.after(1, () => {
      if (lastWords !== "") this.stderr.emit("data", `${lastWords}\n`);
      this.stderr.emit("end");
      this.emit("close", exitCode, signal);
    });
  }

  async #open(): Promise<void> {
    const { dice } = this.#world;
    await this.#own.sleep(dice.integer(50, 2_000));
    if (dice.chance(0.03)) return this.die(1, null, "Error: the engine did not open");
    this.#say({ type: "ready", backend: "wasm", device: "made up", memoryBytes: 1e9 });
  }

  async #run(id: string, cells: readonly Cell[]): Promise<void> {
    this.#shard = { id, cells };
    this.#aborted = false;
    for (const phase of ["train", "estimate"] as const) {
      for (let step = 0; step < STEPS; step += 1) {
        this.#tell({ type: "progress", progress: { phase, step, steps: STEPS, live: cells.length } });
        await this.#own.sleep(this.#stepMs());
        if (this.#aborted && !this.#isDeaf()) return this.#end({ type: "ended", shardId: id });
        if (phase === "train" && step === 1 && (this.#breaks(cells) || this.#wedges(cells))) return;
        this.#records(cells, (phase === "train" ? 0 : STEPS) + step);
      }
    }
    for (const cell of cells) if (!this.#fails(cell)) this.#tell(this.#result(cell, id));
    this.#end({ type: "ended", shardId: id });
  }

  #stepMs(): number {
    const { dice, stepMs } = this.#world;
    return dice.integer(Math.ceil(stepMs / 5), 2 * stepMs);
  }

  #abort(): void {
    this.#aborted = true;
  }

  #isDeaf(): boolean {
    return this.#shard!.cells.some((cell) => this.#nature(cell).kind === "deaf");
  }

  /** True when the shard, or the process, is over. */
  #breaks(cells: readonly Cell[]): boolean {
    const { dice } = this.#world;
    const shardId = this.#shard!.id;
    const natures = cells.map((cell) => this.#nature(cell));
    if (natures.some(({ kind }) => kind === "kills")) {
      this.die(null, "SIGSEGV");
      return true;
    }
    if (natures.some(({ kind, fits }) => kind === "greedy" && cells.length > fits)) {
      if (dice.chance(0.5)) this.#end({ type: "ended", shardId, error: { kind: "out-of-memory", reason: "no space" } });
      else this.die(null, "SIGABRT", "FATAL ERROR: JavaScript heap out of memory");
      return true;
    }
    for (const cell of cells) {
      if (this.#fails(cell)) this.#tell({ type: "failed", cellId: cell.id, kind: "error", reason: "always" });
    }
    return false;
  }

  /** Its process is there, and says nothing more until it is killed. */
  #wedges(cells: readonly Cell[]): boolean {
    return cells.some((cell) => this.#nature(cell).kind === "wedges");
  }

  /** Of this part of the run. */
  #records(cells: readonly Cell[], part: number): void {
    const parts = 2 * STEPS;
    for (const cell of cells) {
      if (this.#fails(cell)) continue;
      const { points, lines } = this.#nature(cell);
      const numbers = (count: number): number[] => {
        const from = Math.floor((count * part) / parts);
        return Array.from({ length: Math.floor((count * (part + 1)) / parts) - from }, (_, index) => from + index);
      };
      const metrics = numbers(points).map((step) => ({ series: "s", step, value: step / 2 }));
      if (metrics.length > 0) this.#tell({ type: "metrics", cellId: cell.id, points: metrics });
      for (const line of numbers(lines)) {
        this.#tell({ type: "log", cellId: cell.id, timeMs: this.#own.nowMs(), level: "info", message: `line ${line}` });
      }
    }
  }

  #result(cell: Cell, shardId: string): TrainerEvent {
    const { result } = resultOf(numberOf(cell.id), this.#nature(cell), asLeaseToken(BigInt(shardId)));
    return { type: "result", cellId: cell.id, result };
  }

  #nature(cell: Cell): CellNature {
    return this.#world.natureOf(numberOf(cell.id));
  }

  #fails(cell: Cell): boolean {
    return this.#nature(cell).kind === "fails";
  }

  #tell(...events: readonly TrainerEvent[]): void {
    this.#say({ type: "events", shardId: this.#shard!.id, events });
  }

  #end(message: FromTrainer): void {
    this.#shard = undefined;
    this.#say(message);
  }

  #say(message: FromTrainer): void {
    this.#agent.deliver(() => this.emit("message", message));
  }
}
