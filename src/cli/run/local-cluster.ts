/**
 * The processes of one `occam run`: a coordinator on a store, and workers of it, all on the loopback network with a token
 * that only they know. The coordinator keeps its port over restarts, so that workers find it again.
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
import { SupervisedChild, type ChildOptions } from "./supervised-child.ts";

export interface ClusterOptions {
  readonly storeDir: string;
  readonly token: string;
  readonly backend: string;
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
  readonly #workers: SupervisedChild[] = [];
  readonly #fail: (error: OccamError) => void;
  #address: string | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const ready = withResolvers<string>();
    const failed = withResolvers<OccamError>();
    this.#fail = failed.resolve;
    this.failed = failed.promise;
    const failure = failed.promise.then((error) => Promise.reject(error));
    this.ready = Promise.race([ready.promise, failure]);
    this.ready.catch(() => undefined);
    this.#coordinator = this.#child(
      "coordinator",
      () => this.#coordinatorArgs(),
      (address) => {
        this.#address = address;
        ready.resolve(address);
      },
    );
  }

  start(): void {
    mkdirSync(join(this.#options.storeDir, "log"), { recursive: true });
    void this.#watchCoordinator();
    this.#coordinator.start();
  }

  startWorkers(count: number): void {
    for (let number = 1; number <= count; number += 1) {
      const id = `local-${number}`;
      const worker = this.#child(id, () => this.#workerArgs(id));
      this.#workers.push(worker);
      void this.#watchWorker(worker);
      worker.start();
    }
  }

  /** Lets the workers hand back and end. */
  async drainWorkers(): Promise<void> {
    for (const worker of this.#workers) worker.stop();
    await this.#ended(this.#workers, DRAIN_LIMIT_MS);
  }

  /** Ends the coordinator in order; workers should be gone. */
  async stop(): Promise<void> {
    this.#coordinator.stop();
    await this.#ended([this.#coordinator], STOP_LIMIT_MS);
  }

  /** Ends everything at once. What was acked is in the store. */
  kill(): void {
    for (const child of [...this.#workers, this.#coordinator]) child.kill();
  }

  async #watchCoordinator(): Promise<void> {
    const { end, failure } = await this.#coordinator.ended;
    if (failure !== undefined) this.#fail(coordinatorError(end, this.#options.storeDir));
  }

  #child(name: string, args: () => readonly string[], onReady?: (address: string) => void): SupervisedChild {
    const { clock, cwd, note, storeDir } = this.#options;
    const options: ChildOptions = {
      name,
      mainPath: MAIN,
      args,
      env: this.#childEnv(),
      cwd,
      clock,
      logPath: join(storeDir, "log", `${name}.log`),
      onRestart: (end, delayMs) => note(restartText(name, end, delayMs)),
      ...(onReady === undefined ? {} : { onReady }),
    };
    return new SupervisedChild(options);
  }

  /** The children take every setting from their flags, and the token from the environment, which `ps` does not show to others. */
  #childEnv(): Readonly<Record<string, string | undefined>> {
    const env: Record<string, string | undefined> = { ...this.#options.env, OCCAM_TOKEN: this.#options.token };
    for (const name of ["config", ...SETTINGS]) delete env[variableOf(name)];
    return env;
  }

  #coordinatorArgs(): readonly string[] {
    const { storeDir, logLevel } = this.#options;
    const port = this.#address === undefined ? "0" : this.#address.slice(this.#address.lastIndexOf(":") + 1);
    const flags = ["--store", storeDir, "--host", HOST, "--port", port, "--log-level", logLevel];
    return ["coordinator", "--config", devNull, ...flags];
  }

  #workerArgs(id: string): readonly string[] {
    const { backend, fuseWidth, logLevel } = this.#options;
    const width = fuseWidth === undefined ? [] : ["--fuse-width", String(fuseWidth)];
    const flags = [
      "--coordinator",
      this.#address!,
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

  async #watchWorker(worker: SupervisedChild): Promise<void> {
    const { end, failure } = await worker.ended;
    if (failure === undefined) return;
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    if (this.#workers.length > 0) return this.#options.note(`${worker.name} ${failure}; going on without it`);
    const hint = `Its log is ${join(this.#options.storeDir, "log", `${worker.name}.log`)}.`;
    this.#fail(new OccamError(end.code ?? "unavailable", `the last worker, ${worker.name}, ${failure}`, { hint }));
  }

  async #ended(children: readonly SupervisedChild[], limitMs: number): Promise<void> {
    const { clock } = this.#options;
    const cancel = clock.after(limitMs, () => children.forEach((child) => child.kill()));
    await Promise.all(children.map(({ ended }) => ended));
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
