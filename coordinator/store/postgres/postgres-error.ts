/** What PostgreSQL's and the network's errors mean for whoever starts a coordinator. */
import { messageOf, OccamError } from "../../../src/core/errors.ts";

/** SQLSTATE codes (PostgreSQL manual, appendix A) by what can be done. */
const REFUSED = new Set(["28000", "28P01", "42501"]);
const NO_DATABASE = "3D000";
/** Shutting down, starting up, crashed; too many connections. */
const NOT_NOW = new Set(["57P01", "57P02", "57P03", "53300"]);

/** The error with its address and a remedy; one that says that already, and one of ours, as it is. */
export function explained(error: unknown, where: string): unknown {
  if (error instanceof OccamError) return error;
  const code = (error as { readonly code?: unknown } | null)?.code;
  const reason = reasonOf(error);
  if (typeof code === "string" && REFUSED.has(code)) {
    return new OccamError("permission-denied", `PostgreSQL refuses this user: ${reason}`, {
      where,
      hint: "check user and password (in the connection string, PGPASSWORD or ~/.pgpass); it must own its database",
      cause: error,
    });
  }
  if (code === NO_DATABASE) {
    const hint = "create it first: createdb NAME";
    return new OccamError("bad-config", `PostgreSQL: ${reason}`, { where, hint, cause: error });
  }
  if (isOutOfReach(error) || (typeof code === "string" && NOT_NOW.has(code))) {
    return new OccamError("unavailable", `PostgreSQL cannot be reached: ${reason}`, {
      where,
      hint: "check the address, and that the server runs and takes connections from here",
      cause: error,
    });
  }
  return error;
}

/** An error of a socket or of the resolver, or one of the pool's own, which have no code. */
function isOutOfReach(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOutOfReach);
  const { code, syscall } = error as { readonly code?: unknown; readonly syscall?: unknown };
  return syscall !== undefined || (code === undefined && /timeout|terminated|closed|ended/i.test(messageOf(error)));
}

/** A host with two addresses fails with two errors and a message that is empty. */
function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? [...new Set(error.errors.map(messageOf))].join("; ") : messageOf(error);
}
