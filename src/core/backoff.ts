/** Waiting times between tries: full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). */
import { fillUniform, type RandomKey } from "./random.ts";

export interface BackoffLimits {
  /** Upper bound of the first wait. */
  readonly baseMs: number;
  /** Upper bound of every wait. */
  readonly capMs: number;
}

/** How a lost connection is tried again. */
export const RECONNECT: BackoffLimits = { baseMs: 500, capMs: 15_000 };

/** The wait before try `attempt` (0, 1, ...): uniform in [base/2, min(cap, base 2^attempt)], keyed, so that tests repeat. */
export function backoffMs(key: RandomKey, attempt: number, limits: BackoffLimits): number {
  const bound = Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(attempt, 30));
  const draw = new Float32Array(1);
  fillUniform(key, { a: attempt, b: 0 }, draw);
  return limits.baseMs / 2 + draw[0]! * Math.max(0, bound - limits.baseMs / 2);
}
