/**
 * The checkpoints of a session's cells on their way to the store, and back: in the background, one file a cell, the newest.
 *
 * Invariants:
 * 1. Nothing here ever rejects or makes a cell wait longer than a named limit: a store that is down is told of once, and tried again
 *    until it is there or the session ends.
 * 2. Of one cell, what was asked for last is what the store ends with: one call a cell at a time, newer work replaces older.
 * 3. The store is not asked about a cell that never had a checkpoint.
 * 4. Whoever waits for the store does not wait for the next try of a store that was down for long: it is tried at once, and often.
 */
import { backoffMs, type BackoffLimits } from "../../src/core/backoff.ts";
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import type { RandomKey } from "../../src/core/random.ts";
import type { CheckpointStore } from "../checkpoint/checkpoint-store.ts";

export interface CheckpointKeeperOptions {
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly key: RandomKey;
  readonly say: (level: "info" | "warn", message: string) => void;
}

/** Calls under way together: enough to hide the way to a remote store, few enough for its limits. */
const CALLS = 4;
/** For a call, beside what its bytes need at a slow 1 MB/s. */
const CALL_TIMEOUT_MS = 10_000;
const LEAST_BYTES_PER_MS = 1_000;
/** What a shard's cells wait for their checkpoints at the most; then they begin at the beginning. */
const LOAD_LIMIT_MS = 30_000;
/** Files that wait for the store: above it the oldest are given up. */
const MOST_WAITING_BYTES = 1024 * 1024 * 1024;
const RETRY: BackoffLimits = { baseMs: 500, capMs: 30_000 };

/** "remove", or the file to write. */
type Work = Uint8Array | "remove";

export class CheckpointKeeper {
  readonly #options: CheckpointKeeperOptions;
  readonly #life = new AbortController();
  /** In the order in which they will be tried. */
  readonly #waiting = new Map<CellId, Work>();
  readonly #underWay = new Set<CellId>();
  /** Cells that the store may have a checkpoint of. */
  readonly #known = new Set<CellId>();
  #failures = 0;
  #cancelRetry: (() => void) | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(options: CheckpointKeeperOptions) {
    this.#options = options;
  }

  /** Will be written. */
  keep(cellId: CellId, file: Uint8Array): void {
    this.#known.add(cellId);
    this.#ask(cellId, file);
    this.#limit();
  }

  /** Will be removed, if there is any: the cell has its result, or should not go on from there. */
  forget(cellId: CellId): void {
    if (this.#known.delete(cellId)) this.#ask(cellId, "remove");
  }

  /** What earlier attempts at these cells have left. */
  async load(cellIds: readonly CellId[]): Promise<ReadonlyMap<CellId, Uint8Array>> {
    const { clock, store, say } = this.#options;
    const found = new Map<CellId, Uint8Array>();
    const endMs = clock.monotonicMs() + LOAD_LIMIT_MS;
    const open = [...cellIds];
    const failed: string[] = [];
    const lane = async (): Promise<void> => {
      for (let cellId = open.shift(); cellId !== undefined; cellId = open.shift()) {
        this.#known.add(cellId);
        try {
          const file = await this.#read(cellId, endMs);
          if (file !== undefined) found.set(cellId, file);
        } catch (error) {
          failed.push(messageOf(error));
        }
      }
    };
    await Promise.all(Array.from({ length: CALLS }, lane));
    if (failed.length > 0) {
      say("warn", `checkpoints of ${failed.length} cells could not be read from ${store.place}, they begin at the beginning: ${failed[0]}`); // prettier-ignore
    }
    return found;
  }

  /** Resolves when the store has all that it was given, or after `limitMs`. */
  async settled(limitMs: number): Promise<boolean> {
    if (this.#isIdle) return true;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        this.#waiters.delete(end);
        resolve();
      };
      const cancel = this.#options.clock.after(limitMs, end);
      this.#waiters.add(end);
      this.#cancelRetry?.();
      this.#cancelRetry = undefined;
      this.#advance();
    });
    return this.#isIdle;
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#life.abort();
    this.#cancelRetry?.();
    this.#waiting.clear();
  }

  get #isIdle(): boolean {
    return this.#waiting.size === 0 && this.#underWay.size === 0;
  }

  async #read(cellId: CellId, endMs: number): Promise<Uint8Array | undefined> {
    const { clock, key, store } = this.#options;
    for (let tries = 0; ; tries += 1) {
      try {
        const leftMs = endMs - clock.monotonicMs();
        return await this.#within(Math.min(CALL_TIMEOUT_MS, leftMs), (signal) => store.read(cellId, signal));
      } catch (error) {
        const waitMs = backoffMs(key, tries, RETRY);
        if (this.#life.signal.aborted || clock.monotonicMs() + waitMs > endMs) throw error;
        await clock.sleep(waitMs, this.#life.signal);
      }
    }
  }

  #ask(cellId: CellId, work: Work): void {
    // At the end of the line, whatever waited before.
    this.#waiting.delete(cellId);
    this.#waiting.set(cellId, work);
    this.#advance();
  }

  #limit(): void {
    let bytes = 0;
    for (const work of this.#waiting.values()) if (work !== "remove") bytes += work.length;
    for (const [cellId, work] of this.#waiting) {
      if (bytes <= MOST_WAITING_BYTES) return;
      if (work === "remove") continue;
      bytes -= work.length;
      this.#waiting.delete(cellId);
      this.#options.say("warn", `a checkpoint of ${work.length} bytes was given up: too many wait for the store`);
    }
  }

  #advance(): void {
    if (this.#cancelRetry !== undefined || this.#life.signal.aborted) return;
    for (const [cellId, work] of this.#waiting) {
      if (this.#underWay.size >= CALLS) return;
      if (this.#underWay.has(cellId)) continue;
      this.#waiting.delete(cellId);
      this.#underWay.add(cellId);
      void this.#call(cellId, work);
    }
  }

  async #call(cellId: CellId, work: Work): Promise<void> {
    const { store } = this.#options;
    const limitMs = CALL_TIMEOUT_MS + (work === "remove" ? 0 : work.length / LEAST_BYTES_PER_MS);
    try {
      await this.#within(limitMs, (signal) =>
        work === "remove" ? store.remove(cellId, signal) : store.write(cellId, work, signal),
      );
      this.#succeeded();
    } catch (error) {
      this.#failed(cellId, work, error);
    }
    this.#underWay.delete(cellId);
    this.#advance();
    if (this.#isIdle) for (const end of this.#waiters) end();
  }

  #succeeded(): void {
    if (this.#failures > 0)
      this.#options.say("info", `the checkpoint store is there again: ${this.#options.store.place}`);
    this.#failures = 0;
  }

  #failed(cellId: CellId, work: Work, error: unknown): void {
    if (this.#life.signal.aborted) return;
    const { clock, key, say, store } = this.#options;
    if (!this.#waiting.has(cellId)) this.#waiting.set(cellId, work);
    if (this.#failures === 0) say("warn", `checkpoints wait, the cells go on: ${store.place}: ${messageOf(error)}`);
    const tries = this.#waiters.size > 0 ? 0 : this.#failures;
    this.#cancelRetry ??= clock.after(backoffMs(key, tries, RETRY), () => {
      this.#cancelRetry = undefined;
      this.#advance();
    });
    this.#failures += 1;
  }

  /** Rejects after `limitMs`, whether or not the call heeds its signal. */
  async #within<T>(limitMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const end = (): void => over.abort(new OccamError("unavailable", `no answer within ${Math.round(limitMs)} ms`));
    const cancel = this.#options.clock.after(Math.max(0, limitMs), end);
    this.#life.signal.addEventListener("abort", end, { once: true });
    const late = new Promise<never>((_, reject) => {
      over.signal.addEventListener("abort", () => reject(over.signal.reason as Error), { once: true });
    });
    try {
      return await Promise.race([call(over.signal), late]);
    } finally {
      cancel();
      this.#life.signal.removeEventListener("abort", end);
    }
  }
}
