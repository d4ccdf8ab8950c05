/** Whether a child process that ended is started again, and when: pure. */
import { EXIT, type ErrorCode } from "../../core/errors.ts";

/** Restarts of one child within the window; more often it would fail for the same reason again. */
export const MAX_RESTARTS = 5;
export const RESTART_WINDOW_MS = 10 * 60_000;

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;

/** A store stays locked for a moment after its last owner was killed. Together some 4 s: a person still waits. */
const LOCK_TRIES = 6;
const LOCK_DELAY_MS = 500;

export interface ChildEnd {
  /** Null: ended by a signal. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What it said about itself, if it could. */
  readonly code: ErrorCode | undefined;
  readonly text: string | undefined;
  /** Has this child, in this life or an earlier one, started successfully? */
  readonly wasReady: boolean;
}

export type RestartDecision = { readonly kind: "restart"; readonly delayMs: number } | { readonly kind: "give-up" };

/** Ends that the same command would meet again. */
const HOPELESS: ReadonlySet<number | null> = new Set<number | null>([EXIT.usage, EXIT.config, EXIT.permission]);

/** @param earlierMs monotonic times of this child's restarts so far */
export function decideRestart(end: ChildEnd, earlierMs: readonly number[], nowMs: number): RestartDecision {
  const recent = earlierMs.filter((timeMs) => nowMs - timeMs < RESTART_WINDOW_MS).length;
  if (end.code === "store-locked") {
    return recent < LOCK_TRIES ? { kind: "restart", delayMs: LOCK_DELAY_MS } : { kind: "give-up" };
  }
  // A start that fails in order fails the same way again; one that is killed does not.
  if (HOPELESS.has(end.exitCode) || (!end.wasReady && end.exitCode !== null)) return { kind: "give-up" };
  if (recent >= MAX_RESTARTS) return { kind: "give-up" };
  return { kind: "restart", delayMs: Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 4 ** recent) };
}

/** "was killed by SIGKILL", "ended with exit code 78: the store is locked" */
export function describeEnd({ exitCode, signal, text }: ChildEnd): string {
  const how = exitCode === null ? `was killed by ${signal ?? "a signal"}` : `ended with exit code ${exitCode}`;
  return text === undefined ? how : `${how}: ${text}`;
}

/** The same in one line. */
export function describeEndShort(end: ChildEnd): string {
  return describeEnd(end).split("\n")[0]!;
}
