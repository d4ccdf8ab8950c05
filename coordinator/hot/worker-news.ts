/**
 * Syncs that wait for news of their worker: work, a revocation, a newer session.
 *
 * Invariants:
 * 1. No wake-up is lost: one that comes while the sync does not wait is found when it waits next.
 * 2. New work wakes one sync, that which has waited longest; it passes the word on when it has looked, as long as there is work
 *    left. So as many are woken as there is work for, and of those who cannot take it each looks once.
 */

/** A sync's place among those that wait. */
export interface Waiting {
  /** Resolves when there may be news, or when `signal` aborts. */
  woken(signal: AbortSignal): Promise<void>;
  leave(): void;
}

class Place implements Waiting {
  readonly workerId: string;
  /** The last news of work that it was told of. */
  toldOf: number;
  readonly #leave: (place: Place) => void;
  #isWoken = false;
  #resolve: () => void = () => undefined;

  constructor(workerId: string, toldOf: number, leave: (place: Place) => void) {
    this.workerId = workerId;
    this.toldOf = toldOf;
    this.#leave = leave;
  }

  wake(): void {
    this.#isWoken = true;
    this.#resolve();
  }

  async woken(signal: AbortSignal): Promise<void> {
    if (!this.#isWoken && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#resolve = done;
        signal.addEventListener("abort", done, { once: true });
      });
    }
    this.#isWoken = false;
  }

  leave(): void {
    this.#leave(this);
  }
}

export class WorkerNews {
  /** Longest wait first. */
  readonly #waiting = new Set<Place>();
  /** Grows with all news of work. */
  #work = 0;

  wait(workerId: string): Waiting {
    const place = new Place(workerId, this.#work, (left) => this.#waiting.delete(left));
    this.#waiting.add(place);
    return place;
  }

  /** There is more work than before, or other work. */
  work(): void {
    this.#work += 1;
    this.passOn();
  }

  /** To be called by a sync that was woken and has looked, while there is work left: the next one looks. */
  passOn(): void {
    for (const place of this.#waiting) {
      if (place.toldOf === this.#work) continue;
      place.toldOf = this.#work;
      return place.wake();
    }
  }

  /** Something concerns this worker. */
  ofWorker(workerId: string): void {
    for (const place of this.#waiting) if (place.workerId === workerId) place.wake();
  }

  /** Everybody is to look. */
  changed(): void {
    for (const place of this.#waiting) place.wake();
  }
}
