/** Many rows as lists of parameters: a statement costs SQLite little, and a parameter less than JSON does. */
import { sql, type Kysely } from "kysely";
import { partsOf, type RowChange, type RowWriter } from "../row-writer.ts";
import type { Tables } from "../tables.ts";

/** SQLite binds 32,766 to a statement. */
const PARAMETERS_MAX = 30_000;

export const sqliteRows: RowWriter = {
  insert: async (db, table, rows, known) => {
    if (rows.length === 0) return;
    for (const part of partsOf(rows, partSize(Object.keys(rows[0]!).length))) {
      const insert = db.insertInto(table).values(part);
      await (known === "keep" ? insert.onConflict((conflict) => conflict.doNothing()) : insert).execute();
    }
  },
  update: async (db, table, changes) => {
    const [first] = changes;
    if (first === undefined) return 0;
    const columns = Object.keys(first.where).length + Object.keys(first.set).length;
    let updated = 0;
    for (const part of partsOf(changes, partSize(columns))) updated += await updatePart(db, table, part);
    return updated;
  },
};

const partSize = (columns: number): number => Math.floor(PARAMETERS_MAX / columns);

/** The columns of a list of values are called column1, column2, ... */
async function updatePart<T extends keyof Tables>(
  db: Kysely<Tables>,
  table: T,
  changes: readonly RowChange<T>[],
): Promise<number> {
  const keys = Object.keys(changes[0]!.where);
  const names = Object.keys(changes[0]!.set);
  const value = (index: number) => sql.ref(`v.column${index + 1}`);
  const set = names.map((name, index) => sql`${sql.ref(name)} = ${value(keys.length + index)}`);
  const where = keys.map((key, index) => sql`${sql.ref(`${table}.${key}`)} = ${value(index)}`);
  const rows = changes.map(
    (change) => sql`(${sql.join([...Object.values(change.where), ...Object.values(change.set)])})`,
  );
  const { numAffectedRows } = await sql`update ${sql.table(table)} set ${sql.join(set)}
    from (values ${sql.join(rows)}) as v where ${sql.join(where, sql` and `)}`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
