/**
 * The leader row: one row that says which coordinator may write, under which epoch.
 *
 * Invariants:
 * 1. The epoch grows with every new leader and never else.
 * 2. Every write's transaction reads the row under a lock and is refused unless the epoch is its own (`SqlStore`): either it
 *    ends before a new leader has taken the seat, which then sees it, or it is not there at all.
 */
import type { Kysely } from "kysely";
import { OccamError } from "../../src/core/errors.ts";
import type { Tables } from "./tables.ts";

/** Takes the seat from whoever has it: for a store that is held by a lock of another kind. */
export async function beginEpoch(db: Kysely<Tables>): Promise<bigint> {
  const row = await db
    .updateTable("leader")
    .set((eb) => ({ epoch: eb("epoch", "+", 1), address: "", beat: 0 }))
    .returning("epoch")
    .executeTakeFirstOrThrow();
  return BigInt(row.epoch);
}

/** The epoch that stands, in a database that one process writes to. */
export async function epochOf(db: Kysely<Tables>): Promise<number> {
  return (await db.selectFrom("leader").select("epoch").executeTakeFirstOrThrow()).epoch;
}

/** Why a write was refused. */
export function deposed(own: bigint, standing: bigint): OccamError {
  return new OccamError(
    "unavailable",
    `another coordinator leads: epoch ${standing} has begun, this one is of ${own}`,
    {
      hint: "nothing was written; start this coordinator again to stand by",
    },
  );
}
