/**
 * The trainer process as the agent sees it: forked, given one shard at a time, started again when it dies.
 *
 * Invariants:
 * 1. Every shard that `run` was given ends by exactly one `ended`, whatever happens to the process.
 * 2. After `stop` nothing is started and no listener is called.
 * 3. The process gets no secret of the session: its environment lacks the token.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { backoffMs } from "../../src/core/backoff.ts";
import type { Clock } from "../../src/core/clock.ts";
import { invariant, OccamError } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import type { LogLevel } from "../../src/core/log.ts";
import type { RandomKey } from "../../src/core/random.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { CheckpointPlan } from "../trainer/shard-checkpoints.ts";
import type { BackendChoice, FromTrainer, ToTrainer, TrainerEvent, TrainerReady } from "../trainer/protocol.ts";
import { LineSplitter } from "./line-splitter.ts";
import { TRAINER_DEATHS, type SessionTimings } from "./timings.ts";
import { failureOf, type DeathFailure } from "./trainer-death.ts";
import { parsePino } from "./worker-log.ts";

export type ShardEnd =
  | { readonly kind: "done" }
  /** The whole shard failed; the process is well. */
  | ({ readonly kind: "threw" } & DeathFailure)
  | ({ readonly kind: "died" } & DeathFailure);

export interface TrainerListener {
  /** The engine is open; after each start. */
  ready(trainer: TrainerReady): void;
  events(shardId: string, events: readonly TrainerEvent[]): void;
  ended(shardId: string, end: ShardEnd): void;
  /** A checkpoint of a cell of the shard: it comes before the shard's end. */
  checkpoint(shardId: string, cellId: CellId, file: Uint8Array): void;
  /** It cannot be used, and is not started again. */
  gaveUp(error: OccamError): void;
  /** A line of its standard error. */
  line(text: string): void;
  /** It died and will be started again. */
  died(reason: string, restartMs: number): void;
}

/** What the host uses of a child process. */
export interface TrainerProcess {
  readonly stdout: TrainerOutput | null;
  readonly stderr: TrainerOutput | null;
  send(message: ToTrainer, sent: () => void): unknown;
  kill(signal: NodeJS.Signals): unknown;
  on(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "error", listener: (error: Error) => void): unknown;
  once(event: "close", listener: (exitCode: number | null, signal: string | null) => void): unknown;
}

export interface TrainerOutput {
  setEncoding(encoding: "utf8"): unknown;
  on(event: "data", listener: (text: string) => void): unknown;
  once(event: "end", listener: () => void): unknown;
}

export interface TrainerHostOptions {
  /** The program of the process. */
  readonly module: URL;
  /** Starts it; by default as a child process. For simulations, which have processes of their own. */
  readonly spawn?: ((module: URL) => TrainerProcess) | undefined;
  readonly backend: BackendChoice;
  readonly logLevel: LogLevel;
  readonly clock: Clock;
  readonly key: RandomKey;
  readonly timings: Pick<SessionTimings, "abortGraceMs" | "cutGraceMs" | "openTimeoutMs" | "trainerRestartMs">;
}

const RESTART_CAP_MS = 15_000;
const TAIL_CHARS = 8_192;

type State =
  | { readonly phase: "absent" }
  | { readonly phase: "opening" }
  | { readonly phase: "idle" }
  | { readonly phase: "running"; readonly shardId: string; readonly asked: "nothing" | "cut" | "abort" }
  | { readonly phase: "stopped" };

export class TrainerHost {
  readonly #options: TrainerHostOptions;
  readonly #listener: TrainerListener;
  #state: State = { phase: "absent" };
  #child: TrainerProcess | undefined;
  #closed: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #tail = "";
  #deaths = 0;
  #everReady = false;

  constructor(options: TrainerHostOptions, listener: TrainerListener) {
    this.#options = options;
    this.#listener = listener;
  }

  get idle(): boolean {
    return this.#state.phase === "idle";
  }

  start(): void {
    invariant(this.#state.phase === "absent", `a trainer is started while it is ${this.#state.phase}`);
    const { module, spawn = forkTrainer } = this.#options;
    const child = spawn(module);
    this.#child = child;
    this.#state = { phase: "opening" };
    this.#tail = "";
    this.#readOutput(child);
    child.on("message", (message) => this.#hear(message as FromTrainer));
    child.once("error", (error) => (this.#tail += `${error.message}\n`));
    this.#closed = new Promise((resolve) => {
      // "close" comes after the last message and the last line; "exit" may come before them.
      child.once("close", (exitCode, signal) => {
        resolve();
        this.#onClose(exitCode, signal);
      });
    });
    this.#say({ type: "open", backend: this.#options.backend, logLevel: this.#options.logLevel });
    this.#killAfter(this.#options.timings.openTimeoutMs, "it did not open its engine in time");
  }

  run(shardId: string, cells: readonly Cell[], checkpoints?: CheckpointPlan): void {
    invariant(this.#state.phase === "idle", `shard ${shardId} for a trainer that is ${this.#state.phase}`);
    this.#state = { phase: "running", shardId, asked: "nothing" };
    this.#say({ type: "run", shardId, cells, checkpoints });
  }

  /** The shard ends as by `abort`, after checkpoints of its open cells. */
  cut(shardId: string): void {
    if (this.#state.phase !== "running" || this.#state.shardId !== shardId || this.#state.asked !== "nothing") return;
    this.#state = { ...this.#state, asked: "cut" };
    this.pause(false);
    this.#say({ type: "cut", shardId });
    this.#killAfter(this.#options.timings.cutGraceMs, "it did not write its checkpoints in time");
  }

  /** The shard ends soon: by itself, or because the process is killed when it does not listen. */
  abort(shardId: string): void {
    if (this.#state.phase !== "running" || this.#state.shardId !== shardId || this.#state.asked === "abort") return;
    this.#state = { ...this.#state, asked: "abort" };
    this.pause(false);
    this.#say({ type: "abort", shardId });
    this.#killAfter(this.#options.timings.abortGraceMs, "it did not stop a shard in time");
  }

  /**
   * Stops the process where it is, and lets it go on: it computes in long synchronous stretches, so it could not heed a
   * message. Without effect on Windows, which has no such signal.
   */
  pause(paused: boolean): void {
    if (process.platform !== "win32") this.#child?.kill(paused ? "SIGSTOP" : "SIGCONT");
  }

  /** Ends the process now; it has nothing to save. */
  async stop(): Promise<void> {
    this.#state = { phase: "stopped" };
    this.#cancelTimer?.();
    this.#child?.kill("SIGKILL");
    await this.#closed;
  }

  #hear(message: FromTrainer): void {
    if (this.#state.phase === "stopped") return;
    switch (message.type) {
      case "ready":
        this.#cancelTimer?.();
        this.#everReady = true;
        this.#state = { phase: "idle" };
        return this.#listener.ready(message);
      case "unusable":
        return this.#giveUp(
          new OccamError(message.code, message.message, message.hint === undefined ? {} : { hint: message.hint }),
        );
      case "events":
        if (message.events.some(({ type }) => type === "result")) this.#deaths = 0;
        return this.#listener.events(message.shardId, message.events);
      case "checkpoint":
        return this.#listener.checkpoint(message.shardId, message.cellId, message.file);
      case "ended": {
        const { shardId, error } = message;
        this.#cancelTimer?.();
        this.#state = { phase: "idle" };
        const end: ShardEnd =
          error === undefined ? { kind: "done" } : { kind: "threw", failure: error.kind, reason: error.reason };
        return this.#listener.ended(shardId, end);
      }
    }
  }

  #onClose(exitCode: number | null, signal: string | null): void {
    this.#child = undefined;
    this.#cancelTimer?.();
    const before = this.#state;
    if (before.phase === "stopped") return;
    this.#state = { phase: "absent" };
    const death = failureOf({ exitCode, signal, stderrTail: this.#tail });
    const asked = before.phase === "running" && before.asked !== "nothing";
    if (!asked) this.#deaths += 1;
    if (this.#deaths < TRAINER_DEATHS) this.#restart(death.reason);
    if (before.phase === "running") {
      this.#listener.ended(before.shardId, asked ? { kind: "done" } : { kind: "died", ...death });
    }
    if (this.#deaths >= TRAINER_DEATHS) {
      // A process that never came up is this machine's matter; one that dies at work is ours.
      const code = this.#everReady ? "internal" : "unsupported";
      this.#giveUp(
        new OccamError(code, `the trainer died ${this.#deaths} times in a row; the last time: ${death.reason}`),
      );
    }
  }

  #restart(reason: string): void {
    const { clock, key, timings } = this.#options;
    const limits = { baseMs: timings.trainerRestartMs, capMs: RESTART_CAP_MS };
    const delayMs = backoffMs(key, this.#deaths, limits);
    this.#cancelTimer = clock.after(delayMs, () => this.start());
    this.#listener.died(reason, delayMs);
  }

  #giveUp(error: OccamError): void {
    this.#state = { phase: "stopped" };
    this.#cancelTimer?.();
    this.#child?.kill("SIGKILL");
    this.#listener.gaveUp(error);
  }

  #killAfter(ms: number, why: string): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.after(ms, () => {
      this.#tail += `killed by its agent: ${why}\n`;
      this.#child?.kill("SIGKILL");
    });
  }

  #say(message: ToTrainer): void {
    // A failed send means that the process is gone, which "close" tells.
    this.#child?.send(message, () => undefined);
  }

  #readOutput(child: TrainerProcess): void {
    for (const stream of [child.stdout, child.stderr]) {
      const lines = new LineSplitter((line) => {
        // Its own log is told as such; what is left is what it died of.
        if (parsePino(line) === undefined) this.#tail = `${this.#tail}${line}\n`.slice(-TAIL_CHARS);
        if (this.#state.phase !== "stopped") this.#listener.line(line);
      });
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => lines.push(text));
      stream?.once("end", () => lines.end());
    }
  }
}

function forkTrainer(module: URL): TrainerProcess {
  return fork(fileURLToPath(module), [], {
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
    env: withoutToken(process.env),
  });
}

function withoutToken(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { OCCAM_TOKEN: _token, ...rest } = env;
  return rest;
}
