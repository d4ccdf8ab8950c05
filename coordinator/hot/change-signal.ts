/** "Something changed": many waiters, no lost wake-ups. A waiter names the version that it has seen. */

export class ChangeSignal {
  #version = 0;
  #waiters = new Set<() => void>();

  get version(): number {
    return this.#version;
  }

  changed(): void {
    this.#version += 1;
    if (this.#waiters.size === 0) return;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  /** Resolves at once when the version is no longer `seen`, else with the next change, or when `signal` aborts. */
  async wait(seen: number, signal: AbortSignal): Promise<void> {
    if (this.#version !== seen || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
