/** Why a process should stop: a signal, or the end of the `occam run` that supervises it. */
import { isSupervised } from "./child-messages.ts";

export type StopReason = "signal" | "supervisor-gone";

export interface StopRequest {
  /** Resolves at the first request. */
  readonly requested: Promise<StopReason>;
}

/** Listens from now on. A second signal ends the process at once. */
export function stopRequest(): StopRequest {
  const { promise, resolve } = withResolvers<StopReason>();
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals > 1) process.exit(130);
    resolve("signal");
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  if (isSupervised()) {
    // It may have gone while this process was loading, and nobody heard it.
    if (process.connected) process.once("disconnect", () => resolve("supervisor-gone"));
    else resolve("supervisor-gone");
  }
  return { requested: promise };
}

/** Promise.withResolvers, which Node 20 lacks. */
export function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
