/** A loop's alarm: it sleeps until its time has come or somebody has something for it. For one waiter. */
import type { Clock } from "../../src/core/clock.ts";

export class Wakeup {
  #pending = false;
  #waiter: (() => void) | undefined;

  /** Ends the present wait, or the next one when nobody waits now. */
  wake(): void {
    if (this.#waiter === undefined) this.#pending = true;
    else this.#waiter();
  }

  /** Resolves after `ms` (Infinity: never by itself), at a `wake`, or when `signal` aborts. */
  wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#pending || signal.aborted) {
      this.#pending = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        signal.removeEventListener("abort", done);
        this.#waiter = undefined;
        resolve();
      };
      const cancel = ms === Number.POSITIVE_INFINITY ? (): void => undefined : clock.after(ms, done);
      signal.addEventListener("abort", done, { once: true });
      this.#waiter = done;
    });
  }
}
