/** Time, injected. The only file that reads the machine's clocks and timers. */

export interface Clock {
  /** Epoch milliseconds. May jump; for records and people, never for timeouts. */
  nowMs(): number;
  /** Milliseconds since some fixed moment. Never goes back; for timeouts and durations. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects; look at the signal). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `ms`; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleepBy(systemClock, ms, signal),
  after: (ms, callback) => {
    if (ms <= 0) {
      // A timer is a millisecond at the least.
      const turn = setImmediate(callback);
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** The sleep of a clock that has timers. */
export function sleepBy(clock: Pick<Clock, "after">, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
    function done(): void {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
