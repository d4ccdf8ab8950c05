/** Coordinator processes of the build, one after another on one store and one port: the next is loaded while one serves. */
import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Timings } from "../../../coordinator/timings.ts";
import type { ProtocolRange } from "../../../src/core/protocol.ts";

const SCRIPT = "test/e2e/support/coordinator-process.mjs";

export interface ProcessOptions {
  /** Of the repository, with its build. */
  readonly root: string;
  readonly store: string;
  readonly port: number;
  readonly token: string;
  /** Those that are not given are the defaults. */
  readonly timings: Partial<Timings>;
  /** What it speaks with workers; what this build speaks when left out. */
  readonly protocol?: ProtocolRange;
  /** Beside PATH: for LD_PRELOAD. */
  readonly env?: Readonly<Record<string, string>>;
}

export class CoordinatorProcess {
  readonly #child: ChildProcess;
  readonly #options: ProcessOptions;
  readonly #loaded: Promise<void>;
  /** Resolves with the exit code, or null after a signal. */
  readonly ended: Promise<number | null>;
  stderr = "";

  /** Loads the program; nothing of the store is touched before `open`. */
  constructor(options: ProcessOptions) {
    const main = join(options.root, "dist/coordinator/main.js");
    if (!existsSync(main)) throw new Error(`${main} is not there: run "npm run build" first`);
    this.#options = options;
    this.#child = fork(join(options.root, SCRIPT), {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
      env: { PATH: process.env["PATH"], ...options.env },
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve) => this.#child.once("close", (code) => resolve(code)));
    this.#loaded = new Promise((resolve) => this.#child.once("message", () => resolve()));
  }

  /** Tells it to open the store, once it has loaded. `serving` resolves when it leads; never, when it is killed before. */
  async open(): Promise<{ readonly serving: Promise<void> }> {
    await Promise.race([this.#loaded, this.#endedEarly()]);
    const serving = new Promise<void>((resolve) => this.#child.once("message", () => resolve()));
    const { store, port, token, timings, protocol } = this.#options;
    this.#child.send({ store, port, token, timings, protocol });
    return { serving };
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /** An orderly stop. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.ended;
  }

  async #endedEarly(): Promise<never> {
    const code = await this.ended;
    throw new Error(`the coordinator's process ended with ${code}: ${this.stderr}`);
  }
}
