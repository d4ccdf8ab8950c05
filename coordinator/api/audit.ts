/**
 * The audit log: who did what, when, and how it ended, for everything that needs the role operator. Each action is a structured
 * line of the coordinator's own log (field `audit`) and a line in the store under the worker id "audit", so that
 * `occam logs --worker audit` shows it and it outlives the process. The store's log is enough for that: it is durable, in order,
 * filtered by time and text, and a table of its own would be written by nothing else.
 */
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { CallContext } from "../../src/rpc/adapters.ts";
import type { Hot } from "../hot/hot.ts";
import { noteLine } from "../ingest/note-line.ts";
import { AUDIT_ID } from "./audit-id.ts";

export interface Action {
  /** The method: "SubmitSweep". */
  readonly action: string;
  /** What it was asked of, as it was asked. */
  readonly target: string;
}

/** Of a target, which is the caller's text. */
const TARGET_CHARS = 200;

/** Runs the action and writes down its end. `described`: what the line says of a success. */
export async function audited<T>(
  hot: Hot,
  context: CallContext,
  { action, target }: Action,
  run: () => Promise<T>,
  described: (value: T) => string,
): Promise<T> {
  const write = (outcome: string): void => {
    const entry = {
      by: context.principal.name,
      roles: [...context.principal.roles].join(","),
      peer: context.peer,
      action,
      target: target.slice(0, TARGET_CHARS),
      outcome,
    };
    hot.logger.info({ audit: entry }, "audit");
    const message = `${entry.by} ${action} ${entry.target}: ${outcome}`;
    noteLine(hot, { owner: AUDIT_ID, level: 2, message, fields: entry });
  };
  try {
    const value = await run();
    write(described(value));
    return value;
  } catch (error) {
    write(error instanceof OccamError ? error.code : `internal: ${messageOf(error)}`);
    throw error;
  }
}
