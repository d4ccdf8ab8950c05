/**
 * The rows of attempts. A shard is mostly cells whose keys follow one another, and they mostly end alike: a range of them is one
 * statement, and nothing of a cell is bound.
 */
import { sql, type Kysely } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import type { AttemptEnd } from "./change.ts";
import { int8 } from "./int8.ts";
import { runsOf } from "./key-runs.ts";
import type { RowChange, RowWriter } from "./row-writer.ts";
import type { Tables } from "./tables.ts";

/** A statement for each run of each shard: shorter ones are cheaper all in one, where a statement is a round trip. */
const RUN_MIN = 32;

/** Of one grant. */
export interface NewAttempts {
  readonly token: number;
  readonly cellKeys: readonly number[];
}

/** From the rows of the cells: there are as many as it says, or their keys would not follow one another. */
export async function addAttempts(db: Kysely<Tables>, rows: RowWriter, grants: readonly NewAttempts[]): Promise<void> {
  const others: { readonly token: number; readonly cell_key: number; readonly ended: null }[] = [];
  for (const { token, cellKeys } of grants) {
    const { runs, singles } = runsOf(cellKeys, RUN_MIN);
    for (const [first, last] of runs) {
      const { numAffectedRows } = await sql`insert into attempt (token, cell_key, ended)
        select ${int8(token)}, cell_key, null from cell where cell_key >= ${first} and cell_key <= ${last}`.execute(db);
      invariant(Number(numAffectedRows) === last - first + 1, `cells ${first} to ${last} are all there`);
    }
    for (const cell_key of singles) others.push({ token, cell_key, ended: null });
  }
  await rows.insert(db, "attempt", others, "fail");
}

/** @param ends by token and the key of the cell */
export async function endAttempts(
  db: Kysely<Tables>,
  rows: RowWriter,
  ends: ReadonlyMap<number, ReadonlyMap<number, AttemptEnd>>,
): Promise<void> {
  const others: RowChange<"attempt">[] = [];
  for (const [token, ofToken] of ends) {
    for (const ended of new Set(ofToken.values())) {
      const keys = [...ofToken.keys()].filter((cellKey) => ofToken.get(cellKey) === ended);
      const { runs, singles } = runsOf(keys, RUN_MIN);
      for (const [first, last] of runs) {
        const attempts = db.updateTable("attempt").set({ ended }).where("token", "=", token);
        await attempts.where("cell_key", ">=", first).where("cell_key", "<=", last).execute();
      }
      for (const cell_key of singles) others.push({ where: { token, cell_key }, set: { ended } });
    }
  }
  await rows.update(db, "attempt", others);
}
