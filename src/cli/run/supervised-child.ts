/**
 * One child process of `occam run`: an `occam coordinator` or `occam worker` that is started again when it dies.
 *
 * Invariants:
 * 1. At most one process of this child exists at a time.
 * 2. After `stop` or `kill` none is started any more.
 * 3. `ended` resolves once: when the process is gone for good.
 * The child sits in a session of its own, so that Ctrl-C reaches the supervisor alone; its IPC channel tells it when the
 * supervisor dies.
 */
import { fork, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Clock } from "../../core/clock.ts";
import { asChildMessage } from "./child-messages.ts";
import { decideRestart, describeEnd, type ChildEnd } from "./restart-policy.ts";
import { withResolvers } from "./stop-request.ts";

export interface ChildOptions {
  /** "coordinator" or the worker's id. */
  readonly name: string;
  /** The module that it runs. */
  readonly mainPath: string;
  /** Asked at every start. */
  readonly args: () => readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Its standard output and standard error are appended here. */
  readonly logPath: string;
  readonly clock: Clock;
  readonly onReady?: (address: string, backend: string | undefined) => void;
  /** It died and will be started again. */
  readonly onRestart: (end: ChildEnd, delayMs: number) => void;
}

/** How a child ended for good. `failure` is set when nobody asked it to. */
export interface FinalEnd {
  readonly end: ChildEnd;
  readonly failure: string | undefined;
}

const SILENT = { code: undefined, text: undefined } as const;

export class SupervisedChild {
  readonly ended: Promise<FinalEnd>;
  readonly name: string;
  readonly #options: ChildOptions;
  readonly #settle: (end: FinalEnd) => void;
  readonly #restartsMs: number[] = [];
  #process: ChildProcess | undefined;
  #cancelRestart: (() => void) | undefined;
  #stopping = false;
  #said: Pick<ChildEnd, "code" | "text"> = SILENT;
  #wasReady = false;

  constructor(options: ChildOptions) {
    const { promise, resolve } = withResolvers<FinalEnd>();
    this.ended = promise;
    this.name = options.name;
    this.#settle = resolve;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): void {
    const { args, cwd, env, logPath, mainPath } = this.#options;
    const log = openSync(logPath, "a");
    const child = fork(mainPath, [...args()], {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    this.#said = SILENT;
    this.#process = child;
    child.on("message", (value) => this.#hear(value));
    child.once("error", (error) => (this.#said = { code: undefined, text: error.message }));
    // "close" comes after the last message; "exit" may come before it.
    child.once("close", (exitCode, signal) =>
      this.#onEnd({ exitCode, signal, ...this.#said, wasReady: this.#wasReady }),
    );
  }

  /** Asks it to end in order: a worker hands back, a coordinator closes its store. */
  stop(): void {
    this.#end("SIGTERM");
  }

  kill(): void {
    this.#end("SIGKILL");
  }

  #end(signal: "SIGTERM" | "SIGKILL"): void {
    this.#stopping = true;
    this.#cancelRestart?.();
    if (this.#process === undefined)
      this.#settle({ end: { exitCode: 0, signal: null, ...SILENT, wasReady: this.#wasReady }, failure: undefined });
    else this.#process.kill(signal);
  }

  #hear(value: unknown): void {
    const message = asChildMessage(value);
    if (message?.type === "ready") {
      this.#wasReady = true;
      this.#options.onReady?.(message.address, message.backend);
    }
    if (message?.type === "failed") this.#said = { code: message.code, text: message.text };
  }

  #onEnd(end: ChildEnd): void {
    this.#process = undefined;
    if (this.#stopping) return this.#settle({ end, failure: undefined });
    const { clock, onRestart } = this.#options;
    const nowMs = clock.monotonicMs();
    const decision = decideRestart(end, this.#restartsMs, nowMs);
    if (decision.kind === "give-up") return this.#settle({ end, failure: describeEnd(end) });
    this.#restartsMs.push(nowMs);
    onRestart(end, decision.delayMs);
    this.#cancelRestart = clock.after(decision.delayMs, () => this.start());
  }
}
