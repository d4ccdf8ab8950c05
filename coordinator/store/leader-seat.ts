/**
 * The leader row: one row that says which coordinator may write, under which epoch.
 *
 * Invariants:
 * 1. The epoch grows with every new leader and never else.
 * 2. Every write's transaction reads the row under a lock and is refused unless the epoch is its own (`SqlStore`): either it
 *    ends before a new leader has taken the seat, which then sees it, or it is not there at all.
 * 3. No clock is compared between machines: a leader shows that it lives by a growing `beat`, and whoever wants the seat has
 *    watched the row stand still for a whole lease, on its own clock.
 */
import type { Kysely } from "kysely";
import { OccamError } from "../../src/core/errors.ts";
import type { Tables } from "./tables.ts";

export interface SeatState {
  readonly epoch: bigint;
  /** Where the leader serves; "": the seat is free. */
  readonly address: string;
  readonly beat: number;
}

/** What an election does with the row. */
export interface Seat {
  read(): Promise<SeatState>;
  /** Takes the seat if it stands as it was seen. The new epoch; undefined: somebody moved first. */
  take(seen: SeatState, address: string): Promise<bigint | undefined>;
  /** A sign of life. False: the seat is another's. */
  renew(epoch: bigint): Promise<boolean>;
  /** Frees the seat, so that the next need not wait out the lease. */
  free(epoch: bigint): Promise<void>;
}

export function seatOf(db: Kysely<Tables>): Seat {
  const ofEpoch = (epoch: bigint) => db.updateTable("leader").where("epoch", "=", Number(epoch));
  return {
    read: async () => {
      const { epoch, address, beat } = await db.selectFrom("leader").selectAll().executeTakeFirstOrThrow();
      return { epoch: BigInt(epoch), address, beat };
    },
    take: async (seen, address) => {
      const row = await ofEpoch(seen.epoch)
        .set({ epoch: Number(seen.epoch) + 1, address, beat: 0 })
        .where("beat", "=", seen.beat)
        .where("address", "=", seen.address)
        .returning("epoch")
        .executeTakeFirst();
      return row === undefined ? undefined : BigInt(row.epoch);
    },
    renew: async (epoch) => {
      const { numUpdatedRows } = await ofEpoch(epoch)
        .set((eb) => ({ beat: eb("beat", "+", 1) }))
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    free: async (epoch) => {
      await ofEpoch(epoch).set({ address: "" }).execute();
    },
  };
}

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
