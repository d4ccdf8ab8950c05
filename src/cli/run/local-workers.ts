/**
 * The workers of one `occam run`. The first starts beside the coordinator, because loading takes it as long; the others when
 * it is known how many there should be: as many as asked for, else as are good for the backend that the first one opened.
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
  #ending = false;

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
  }

  startFirst(): void {
    this.#start(1, this.#options.backend);
  }

  /** Up to the number that there should be, and no more than there are cells. */
  async startOthers(cells: number): Promise<void> {
    const { count } = this.#options;
    const backend = count === undefined || count > 1 ? await this.#backend() : this.#options.backend;
    const most = Math.min(cells, count ?? defaultWorkers(backend, this.#gpus(backend)));
    for (let number = 2; number <= most && !this.#ending; number += 1) this.#start(number, backend);
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

  /** The others need not find out by themselves what `auto` comes to. */
  async #backend(): Promise<string> {
    return this.#options.backend === "auto" ? this.#opened.promise : this.#options.backend;
  }

  #gpus(backend: string): readonly string[] {
    return backend === "tensorflow-gpu" ? visibleGpus(this.#options.env) : [];
  }

  #start(number: number, backend: string): void {
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
