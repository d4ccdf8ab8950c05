/**
 * Files whose contents may be replaced while the process runs: certificates, tokens. They are read again at an interval and not
 * watched by the system: a mounted Kubernetes secret is replaced by moving a link, which watchers of a file do not see.
 *
 * Invariants:
 * 1. The first reading is at once, and what is wrong with it is thrown.
 * 2. Later, what cannot be read or used leaves the last good value in place and is told once for each new content.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Clock } from "./clock.ts";
import { messageOf, OccamError } from "./errors.ts";

/** Certificates are renewed hours before they end, and a token that is taken back should be refused within seconds. */
export const FILE_REFRESH_MS = 10_000;

export interface FileWatchOptions<T> {
  readonly paths: readonly string[];
  /** Makes the value of the contents, in the order of the paths. Throws when they are no good. */
  readonly parse: (contents: readonly Buffer[]) => T;
  /** What the files are, for messages: "the certificate files". */
  readonly noun: string;
  readonly clock: Clock;
  readonly refreshMs?: number;
  readonly onChange?: (value: T) => void;
  /** New contents that cannot be used. */
  readonly onTrouble?: (error: unknown) => void;
}

export class FileWatch<T> {
  readonly #options: FileWatchOptions<T>;
  #value: T;
  #contents: readonly Buffer[];
  #trouble = "";
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(options: FileWatchOptions<T>) {
    this.#options = options;
    this.#contents = options.paths.map((path) => readNow(path, options.noun));
    this.#value = options.parse(this.#contents);
    this.#schedule();
  }

  get value(): T {
    return this.#value;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { clock, refreshMs = FILE_REFRESH_MS } = this.#options;
    this.#cancel = clock.after(refreshMs, () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    const { paths, parse, onChange } = this.#options;
    try {
      const contents = await Promise.all(paths.map((path) => readFile(path)));
      if (!this.#stopped && contents.some((content, index) => !content.equals(this.#contents[index]!))) {
        this.#value = parse(contents);
        this.#contents = contents;
        onChange?.(this.#value);
      }
      this.#trouble = "";
    } catch (error) {
      this.#tell(error);
    }
    this.#schedule();
  }

  #tell(error: unknown): void {
    const trouble = messageOf(error);
    if (trouble !== this.#trouble) this.#options.onTrouble?.(error);
    this.#trouble = trouble;
  }
}

function readNow(path: string, noun: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new OccamError("bad-config", `${noun} cannot be read: ${messageOf(cause)}`, { where: path, cause });
  }
}
