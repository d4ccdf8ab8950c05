/**
 * The workers of one `occam run`. They start beside the coordinator, because loading takes as long: all of them where their
 * number is known, else a first one, and the others when it has told what it opened.
 *
 * Invariants:
 * 1. No worker is started after `drain` or `kill`.
 * 2. `onFailure` is called when the last worker is gone for good, and nobody asked it to go.
 */
import { OccamError } from "../../core/errors.ts";
import { defaultWorkers, gpuEnv, visibleGpus } from "./default-workers.ts";
import type { FinalEnd, SupervisedChild } from "./supervised-child.ts";
import { withResolvers } from "./stop-request.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface LocalWorkersOptions {
  /** Undefined: what is good for the backend. */
  readonly count: number | undefined;
  /** As the user said: a backend, or "auto". */
  readonly backend: string;
  /** Is it sure that `auto` comes to wasm? */
  readonly onlyWasm: boolean;
  /** The most cells that there can be: more workers would have nothing to do. */
  readonly mostCells: number;
  /** Where CUDA_VISIBLE_DEVICES may say which GPUs there are. */
  readonly env: Env;
  /** A worker's process, not started yet. `onReady` hears what it computes on. */
  readonly child: (id: string, backend: string, env: Env, onReady: (backend: string) => void) => SupervisedChild;
  readonly note: (text: string) => void;
  readonly onFailure: (worker: string, end: FinalEnd) => void;
}

export class LocalWorkers {
  readonly #options: LocalWorkersOptions;
  readonly #workers: SupervisedChild[] = [];
  /** What the first worker computes on, once it is open. */
  readonly #opened = withResolvers<string>();
  /** The backend, where it is sure before anything is opened. */
  readonly #surely: string | undefined;
  #started = 0;
  #ending = false;

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
    const { backend, onlyWasm } = options;
    if (backend !== "auto") this.#surely = backend;
    else this.#surely = onlyWasm ? "wasm" : undefined;
  }

  /** How many there will be, as far as is known before the first has opened its backend. */
  get expected(): number {
    const { count, backend, mostCells } = this.#options;
    return Math.min(mostCells, count ?? defaultWorkers(this.#surely ?? backend, this.#gpus(backend)));
  }

  /** As many as there will be, where that is known; else a first one, to find out. */
  start(): void {
    const { backend } = this.#options;
    this.#start(1, backend);
    if (this.#surely !== undefined) this.#startUpTo(this.expected, this.#surely);
  }

  /** The rest of them, up to the number that there should be, and no more than there are cells. */
  async startOthers(cells: number): Promise<void> {
    const { count } = this.#options;
    if (count === 1) return;
    const backend = this.#surely ?? (await this.#opened.promise);
    this.#startUpTo(Math.min(cells, count ?? defaultWorkers(backend, this.#gpus(backend))), backend);
  }

  /** Lets them hand back and end; resolves when they are gone. */
  async drain(): Promise<void> {
    this.#ending = true;
    for (const worker of this.#workers) worker.stop();
    await Promise.all(this.#workers.map(({ ended }) => ended));
  }

  kill(): void {
    this.#ending = true;
    for (const worker of this.#workers) worker.kill();
  }

  /** On a backend that is known: none of them need find out by itself what `auto` comes to. */
  #startUpTo(most: number, backend: string): void {
    while (this.#started < most && !this.#ending) this.#start(this.#started + 1, backend);
  }

  #gpus(backend: string): readonly string[] {
    return backend === "tensorflow-gpu" ? visibleGpus(this.#options.env) : [];
  }

  #start(number: number, backend: string): void {
    this.#started = number;
    const env = gpuEnv(backend, number, this.#gpus(backend));
    const worker = this.#options.child(`local-${number}`, backend, env, (opened) => this.#opened.resolve(opened));
    this.#workers.push(worker);
    void this.#watch(worker);
    worker.start();
  }

  async #watch(worker: SupervisedChild): Promise<void> {
    const end = await worker.ended;
    if (end.failure === undefined) return;
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    if (this.#workers.length > 0) this.#options.note(`${worker.name} ${end.failure}; going on without it`);
    else this.#options.onFailure(worker.name, end);
  }
}

export function workerError(name: string, { end, failure }: FinalEnd, logPath: string): OccamError {
  return new OccamError(end.code ?? "unavailable", `the last worker, ${name}, ${failure}`, {
    hint: `Its log is ${logPath}.`,
  });
}
