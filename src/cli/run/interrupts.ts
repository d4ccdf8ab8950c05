/** Ctrl-C of `occam run`: the first asks to stop in order, the second to stop at once. */

export interface Interrupts {
  /** Aborted by the first signal. */
  readonly stop: AbortSignal;
  /** Aborted by the second. */
  readonly kill: AbortSignal;
  /** Back to what signals do by default. */
  dispose(): void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let listening: Interrupts | undefined;

/** Listens from the first call on, which is main.ts's: what a command loads before it runs takes long enough for a Ctrl-C. */
export function listenForInterrupts(): Interrupts {
  listening ??= listen();
  return listening;
}

function listen(): Interrupts {
  const stop = new AbortController();
  const kill = new AbortController();
  const onSignal = (): void => (stop.signal.aborted ? kill : stop).abort();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    stop: stop.signal,
    kill: kill.signal,
    dispose: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
      listening = undefined;
    },
  };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What the promise gives; undefined when the signal aborts before. */
export async function firstOf<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return Promise.race([promise, aborted(signal).then(() => undefined)]);
}
