/**
 * The one error class. A code says what kind of trouble it is; two tables, and never a message, say whether to retry and
 * which exit code a command ends with.
 */

/** Every kind of error that Occam raises. */
export type ErrorCode =
  | "bad-spec" // a sweep file that cannot be used
  | "bad-usage" // flags or arguments of a command
  | "bad-config" // environment, config file, an unusable folder
  | "not-found"
  | "unauthenticated"
  | "permission-denied"
  | "unavailable" // the other side cannot be reached, now
  | "resource-exhausted" // a named limit was reached
  | "out-of-memory"
  | "unsupported" // not on this machine or with this backend
  | "store-locked"
  | "store-corrupt"
  | "store-newer"
  | "protocol" // the other side broke the contract
  | "cancelled"
  | "internal"; // a broken invariant

/** May the same call succeed when it is repeated unchanged? */
export const RETRYABLE: Readonly<Record<ErrorCode, boolean>> = {
  "bad-spec": false,
  "bad-usage": false,
  "bad-config": false,
  "not-found": false,
  unauthenticated: false,
  "permission-denied": false,
  unavailable: true,
  "resource-exhausted": true,
  "out-of-memory": false,
  unsupported: false,
  "store-locked": false,
  "store-corrupt": false,
  "store-newer": false,
  protocol: false,
  cancelled: false,
  internal: false,
};

/** Exit codes of every command (after sysexits.h). */
export const EXIT = {
  ok: 0,
  /** Also where the selftest finds that numbers are not what they are said to be. */
  internal: 1,
  /** The sweep ended, and some of its cells did not get a result. */
  incomplete: 3,
  usage: 64,
  unavailable: 69,
  /** Stopped on request before the end; the same command goes on. */
  drained: 75,
  permission: 77,
  config: 78,
} as const;

/** The exit code of a command that ends with an error of this code. */
export const EXIT_OF: Readonly<Record<ErrorCode, number>> = {
  "bad-spec": EXIT.usage,
  "bad-usage": EXIT.usage,
  "bad-config": EXIT.config,
  "not-found": EXIT.usage,
  unauthenticated: EXIT.permission,
  "permission-denied": EXIT.permission,
  unavailable: EXIT.unavailable,
  "resource-exhausted": EXIT.unavailable,
  "out-of-memory": EXIT.unavailable,
  unsupported: EXIT.config,
  "store-locked": EXIT.config,
  "store-corrupt": EXIT.config,
  "store-newer": EXIT.config,
  protocol: EXIT.internal,
  cancelled: EXIT.drained,
  internal: EXIT.internal,
};

export interface ErrorDetails {
  /** Where: "sweep.yaml:12:7", a field, a folder. */
  readonly where?: string;
  /** What the user can do. */
  readonly hint?: string;
  /** "host:port": where the same call would succeed. */
  readonly elsewhere?: string;
  readonly cause?: unknown;
}

/** An error with a closed code. `message` says what is wrong; `where` and `hint` say where and how to mend it. */
export class OccamError extends Error {
  override readonly name = "OccamError";
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly elsewhere: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.where = details.where;
    this.hint = details.hint;
    this.elsewhere = details.elsewhere;
  }

  /** The whole message for a person: where, what, how to mend. */
  toUserText(): string {
    const place = this.where === undefined ? "" : `${this.where}: `;
    const hint = this.hint === undefined ? "" : `\n  ${this.hint}`;
    return `${place}${this.message}${hint}`;
  }
}

/** A short text for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Stops on a broken invariant; never for bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (condition === false || condition === undefined || condition === null) {
    throw new OccamError("internal", `broken invariant: ${message}`);
  }
}
