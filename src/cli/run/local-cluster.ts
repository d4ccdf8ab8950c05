/**
 * The processes of one `occam run`: a coordinator on a store, and workers of it, all on the loopback network with a token
 * that only they know. The coordinator's port is chosen before it starts and kept over restarts, so that workers find it.
 */
import { mkdirSync } from "node:fs";
import { devNull } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../core/clock.ts";
import { OccamError } from "../../core/errors.ts";
import { SETTINGS, variableOf } from "../settings.ts";
import { describeEnd, describeEndShort, type ChildEnd } from "./restart-policy.ts";
import { withResolvers } from "./stop-request.ts";
import { freePort } from "./free-port.ts";
import { LocalWorkers, workerError } from "./local-workers.ts";
import { SupervisedChild, type ChildOptions } from "./supervised-child.ts";

export interface ClusterOptions {
  readonly storeDir: string;
  readonly token: string;
  readonly backend: string;
  /** Undefined: as many as are good for the backend. */
  readonly workers: number | undefined;
  /** Is it sure that `auto` comes to wasm? */
  readonly onlyWasm: boolean;
  /** The most cells that there can be. */
  readonly mostCells: number;
  readonly fuseWidth: number | undefined;
  readonly logLevel: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Something that a person should know. */
  readonly note: (text: string) => void;
}

const HOST = "127.0.0.1";

/** This very command: main.ts in the sources, main.js in a build. */
const MAIN = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));

/** Workers hand back within their own drain budget (25 s); past this they are killed. */
const DRAIN_LIMIT_MS = 30_000;
/** A coordinator's orderly stop: seconds, unless something is wedged. */
const STOP_LIMIT_MS = 10_000;

export class LocalCluster {
  /** Resolves with the coordinator's address at its first start; rejects when it cannot start. */
  readonly ready: Promise<string>;
  /** Resolves with the error when nothing can go on: the coordinator or every worker is gone for good. */
  readonly failed: Promise<OccamError>;
  readonly #options: ClusterOptions;
  readonly #coordinator: SupervisedChild;
  readonly #workers: LocalWorkers;
  readonly #fail: (error: OccamError) => void;
  #port = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const ready = withResolvers<string>();
    const failed = withResolvers<OccamError>();
    this.#fail = failed.resolve;
    this.failed = failed.promise;
    const failure = failed.promise.then((error) => Promise.reject(error));
    this.ready = Promise.race([ready.promise, failure]);
    this.ready.catch(() => undefined);
    this.#coordinator = this.#child("coordinator", () => this.#coordinatorArgs(), {}, ready.resolve);
    this.#workers = this.#newWorkers();
  }

  /** The coordinator and its first workers, which wait for it. */
  async start(): Promise<void> {
    mkdirSync(join(this.#options.storeDir, "log"), { recursive: true });
    this.#port = await freePort(HOST);
    void this.#watchCoordinator();
    this.#coordinator.start();
    this.#workers.start();
  }

  /** The other workers, for so many cells; without a cell the first ones have come in vain. */
  startWorkers(cells: number): void {
    if (cells === 0) this.#workers.kill();
    else void this.#workers.startOthers(cells);
  }

  /** Lets the workers hand back and end. */
  async drainWorkers(): Promise<void> {
    await this.#within(DRAIN_LIMIT_MS, this.#workers, this.#workers.drain());
  }

  /** Ends the coordinator in order; workers should be gone. */
  async stop(): Promise<void> {
    this.#coordinator.stop();
    await this.#within(STOP_LIMIT_MS, this.#coordinator, this.#coordinator.ended);
  }

  /** Ends everything at once. What was acked is in the store. */
  kill(): void {
    this.#workers.kill();
    this.#coordinator.kill();
  }

  async #watchCoordinator(): Promise<void> {
    const { end, failure } = await this.#coordinator.ended;
    if (failure !== undefined) this.#fail(coordinatorError(end, this.#options.storeDir));
  }

  #newWorkers(): LocalWorkers {
    const { workers, backend, onlyWasm, mostCells, env, note } = this.#options;
    return new LocalWorkers({
      count: workers,
      onlyWasm,
      mostCells,
      backend,
      env,
      note,
      child: (id, on, own, onReady) =>
        this.#child(
          id,
          () => this.#workerArgs(id, on),
          own,
          (_address, opened) => onReady(opened ?? on),
        ),
      onFailure: (name, end) => this.#fail(workerError(name, end, this.#logOf(name))),
    });
  }

  #child(
    name: string,
    args: () => readonly string[],
    env: ClusterOptions["env"],
    onReady: (address: string, backend: string | undefined) => void,
  ): SupervisedChild {
    const { clock, cwd, note } = this.#options;
    const options: ChildOptions = {
      name,
      mainPath: MAIN,
      args,
      env: { ...this.#childEnv(), ...env },
      cwd,
      clock,
      logPath: this.#logOf(name),
      onRestart: (end, delayMs) => note(restartText(name, end, delayMs)),
      onReady,
    };
    return new SupervisedChild(options);
  }

  #logOf(name: string): string {
    return join(this.#options.storeDir, "log", `${name}.log`);
  }

  /** The children take every setting from their flags, and the token from the environment, which `ps` does not show to others. */
  #childEnv(): Readonly<Record<string, string | undefined>> {
    const env: Record<string, string | undefined> = { ...this.#options.env, OCCAM_TOKEN: this.#options.token };
    for (const name of ["config", ...SETTINGS]) delete env[variableOf(name)];
    return env;
  }

  #coordinatorArgs(): readonly string[] {
    const { storeDir, logLevel } = this.#options;
    const expected = ["--expect-workers", String(this.#workers.expected)];
    const flags = [
      "--store",
      storeDir,
      "--host",
      HOST,
      "--port",
      String(this.#port),
      "--log-level",
      logLevel,
      ...expected,
    ];
    return ["coordinator", "--config", devNull, ...flags];
  }

  #workerArgs(id: string, backend: string): readonly string[] {
    const { fuseWidth, logLevel } = this.#options;
    const width = fuseWidth === undefined ? [] : ["--fuse-width", String(fuseWidth)];
    const flags = [
      "--checkpoints",
      join(this.#options.storeDir, "checkpoints"),
      "--coordinator",
      `${HOST}:${this.#port}`,
      "--id",
      id,
      "--backend",
      backend,
      "--log-level",
      logLevel,
      ...width,
    ];
    return ["worker", "--config", devNull, ...flags];
  }

  /** Waits for an end, and makes it when it takes too long. */
  async #within(limitMs: number, what: { kill(): void }, end: Promise<unknown>): Promise<void> {
    const cancel = this.#options.clock.after(limitMs, () => what.kill());
    await end;
    cancel();
  }
}

function restartText(name: string, end: ChildEnd, delayMs: number): string {
  if (end.code === "store-locked") return "the store is locked; waiting for its owner to end";
  return `${name} ${describeEndShort(end)}; starting it again in ${delayMs} ms`;
}

/** Two runs on one folder. */
export function storeInUse(outDir: string): OccamError {
  return new OccamError("store-locked", "another `occam run` writes to this folder", {
    where: outDir,
    hint: `Follow it with \`occam watch SWEEP --run ${outDir}\`, or give another --out.`,
  });
}

function coordinatorError(end: ChildEnd, storeDir: string): OccamError {
  if (end.code === "store-locked") return storeInUse(dirname(storeDir));
  const hint = `Its log is ${join(storeDir, "log", "coordinator.log")}.`;
  return new OccamError(end.code ?? "internal", `the coordinator ${describeEnd(end)}`, { hint });
}
