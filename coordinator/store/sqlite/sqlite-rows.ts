/**
 * Many rows as lists of parameters: a statement costs SQLite little, and a parameter less than JSON does. The lists have a few
 * fixed lengths, so that the statements are prepared once and kept: to build and parse a text costs more than to run it.
 */
import { CompiledQuery, type Kysely } from "kysely";
import type { RowChange, RowWriter } from "../row-writer.ts";
import type { Tables } from "../tables.ts";

/** Rows of one statement: the longest text is short enough to be kept (see KEPT_SQL_CHARS). */
const SIZES = [48, 8, 1] as const;

type Row = Readonly<Record<string, unknown>>;

export const sqliteRows: RowWriter = {
  insert: async (db, table, rows, known) => {
    const [first] = rows;
    if (first === undefined) return;
    const columns = Object.keys(first);
    const conflict = known === "keep" ? " on conflict do nothing" : "";
    for (const part of fixedParts(rows as readonly Row[])) {
      const same = columns.map((column) => isSame(part, column));
      const text = insertText(table, columns, same, part.length, conflict);
      await db.executeQuery(CompiledQuery.raw(text, valuesOf(part, columns, same)));
    }
  },
  update: async (db, table, changes) => {
    let updated = 0;
    for (const part of fixedParts(changes)) updated += await updatePart(db, table, part);
    return updated;
  },
};

/** New cells have most of their columns alike, and to bind a value takes about as long as to write it. */
function isSame(rows: readonly Row[], column: string): boolean {
  const value = rows[0]![column];
  return rows.length > 1 && rows.every((row) => row[column] === value);
}

/** What is the same in all of its rows is a parameter once. */
function insertText(
  table: string,
  columns: readonly string[],
  same: readonly boolean[],
  rows: number,
  conflict: string,
): string {
  const shared = same.filter(Boolean).length;
  // Rows that are all alike are still so many rows.
  const listed = Math.max(1, columns.length - shared);
  let [once, each] = [0, 0];
  const values = same.map((isShared) => (isShared ? `?${(once += 1)}` : `column${(each += 1)}`));
  const into = `insert into "${table}" (${quoted(columns)})`;
  if (shared === 0) return `${into} values ${listsOf(listed, rows)}${conflict}`;
  // "where true" tells a conflict clause from a join's condition.
  return `${into} select ${values.join(",")} from (values ${listsOf(listed, rows)}) where true${conflict}`;
}

function valuesOf(rows: readonly Row[], columns: readonly string[], same: readonly boolean[]): unknown[] {
  const values: unknown[] = [];
  for (const [index, column] of columns.entries()) if (same[index]) values.push(rows[0]![column]);
  const each = columns.filter((_, index) => !same[index]);
  for (const row of rows) {
    if (each.length === 0) values.push(null);
    for (const column of each) values.push(row[column]);
  }
  return values;
}

/** The columns of a list of values are called column1, column2, ... */
async function updatePart<T extends keyof Tables>(
  db: Kysely<Tables>,
  table: T,
  part: readonly RowChange<T>[],
): Promise<number> {
  const keys = Object.keys(part[0]!.where);
  const names = Object.keys(part[0]!.set);
  const set = names.map((name, index) => `"${name}" = v.column${keys.length + index + 1}`).join(", ");
  const same = keys.map((key, index) => `"${table}"."${key}" = v.column${index + 1}`).join(" and ");
  const lists = listsOf(keys.length + names.length, part.length);
  const text = `update "${table}" set ${set} from (values ${lists}) as v where ${same}`;
  const values = part.flatMap(({ where, set: to }) => [
    ...keys.map((key) => (where as Row)[key]),
    ...names.map((name) => (to as Row)[name]),
  ]);
  const { numAffectedRows } = await db.executeQuery(CompiledQuery.raw(text, values));
  return Number(numAffectedRows ?? 0n);
}

/** Parts of the fixed lengths, in order. */
function* fixedParts<R>(rows: readonly R[]): Generator<readonly R[]> {
  let from = 0;
  for (const size of SIZES) {
    for (; rows.length - from >= size; from += size) yield rows.slice(from, from + size);
  }
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

function listsOf(columns: number, rows: number): string {
  const list = `(${Array<string>(columns).fill("?").join(",")})`;
  return Array<string>(rows).fill(list).join(",");
}
