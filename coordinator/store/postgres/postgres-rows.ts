/**
 * Many rows as one parameter, a JSON text that the server takes apart by the table's own column types: the statement is always
 * the same, and 1,000 rows of ten columns cost half of what 10,000 parameters do. Bytes go as parameters, for JSON has none.
 */
import { sql } from "kysely";
import { partsOf, type RowWriter } from "../row-writer.ts";

/** Rows of one statement: a bound on the memory that its text takes on both sides. */
const ROWS_MAX = 10_000;

export const postgresRows: RowWriter = {
  insert: async (db, table, rows, known) => {
    if (rows.length === 0) return;
    for (const part of partsOf(rows, ROWS_MAX)) {
      if (holdsBytes(part[0]!)) {
        await db.insertInto(table).values(part).execute();
        continue;
      }
      const columns = sql.join(Object.keys(part[0]!).map((name) => sql.ref(name)));
      const conflict = known === "keep" ? sql`on conflict do nothing` : sql``;
      await sql`insert into ${sql.table(table)} (${columns}) select ${columns}
        from json_populate_recordset(null::${sql.table(table)}, ${jsonOf(part)}::json) ${conflict}`.execute(db);
    }
  },
  update: async (db, table, changes) => {
    let updated = 0;
    for (const part of partsOf(changes, ROWS_MAX)) {
      const [{ where, set }] = part as [(typeof part)[0]];
      const keys = Object.keys(where);
      // A key may also be set: the two go by different names.
      const columns = [
        ...keys.map((key) => sql`${sql.ref(`old_${key}`)} int8`),
        ...Object.entries(set).map(
          ([name, value]) => sql`${sql.ref(name)} ${typeof value === "number" ? sql`int8` : sql`text`}`,
        ),
      ];
      const rows = part.map((change) => ({
        ...Object.fromEntries(keys.map((key) => [`old_${key}`, (change.where as Record<string, number>)[key]])),
        ...change.set,
      }));
      const assignments = Object.keys(set).map((name) => sql`${sql.ref(name)} = ${sql.ref(`v.${name}`)}`);
      const same = keys.map((key) => sql`${sql.ref(`${table}.${key}`)} = ${sql.ref(`v.old_${key}`)}`);
      const { numAffectedRows } = await sql`update ${sql.table(table)} set ${sql.join(assignments)}
        from json_to_recordset(${jsonOf(rows)}::json) as v(${sql.join(columns)})
        where ${sql.join(same, sql` and `)}`.execute(db);
      updated += Number(numAffectedRows ?? 0n);
    }
    return updated;
  },
};

const holdsBytes = (row: object): boolean => Object.values(row).some((value) => value instanceof Uint8Array);

/** JSON can write half of a surrogate pair, which a cut text may end with; the server refuses to read one. */
function jsonOf(rows: readonly object[]): string {
  const text = JSON.stringify(rows);
  if (!text.includes(String.raw`\ud`)) return text;
  return JSON.stringify(rows, (_key, value: unknown) => (typeof value === "string" ? wellFormed(value) : value));
}

const LONE_SURROGATE = /\p{Surrogate}/gu;
const wellFormed = (text: string): string => text.replaceAll(LONE_SURROGATE, "\ufffd");
