/** Every row of a table, in the order of its key, in pages. */
import { sql, type Kysely } from "kysely";
import type { Tables } from "../tables.ts";

/** The tables with their keys, each table before those that refer to it. */
export const KEY_OF = {
  sweep: ["seq"],
  fuse_group: ["fuse_key"],
  config_part: ["part_id"],
  config: ["cell_key"],
  cell: ["cell_key"],
  cell_name: ["name", "scope"],
  sweep_cell: ["sweep_seq", "grid_index"],
  session: ["seq"],
  lease: ["token"],
  attempt: ["token", "cell_key"],
  result: ["cell_key"],
  finding: ["cell_key", "token", "digest"],
  stream: ["stream_id"],
  metric_chunk: ["stream_id", "first_offset"],
  log_line: ["seq"],
  broken_worker: ["worker_id"],
  leader: ["one"],
} as const satisfies { readonly [T in keyof Tables]?: readonly (keyof Tables[T])[] };

export type Table = keyof typeof KEY_OF;
export const TABLES = Object.keys(KEY_OF) as readonly Table[];

export type Row = Readonly<Record<string, string | number | null | Uint8Array>>;

/** Rows of one page; a metric chunk is 256 KiB at the most. */
const PAGE_ROWS = 500;

export async function* readRows(db: Kysely<Tables>, table: Table): AsyncGenerator<readonly Row[]> {
  const keys = KEY_OF[table] as readonly string[];
  const names = sql.join(keys.map((key) => sql.ref(key)));
  for (let last: Row | undefined; ;) {
    const after = last;
    const place = after === undefined ? sql`` : sql`where (${names}) > (${sql.join(keys.map((key) => after[key]))})`;
    const { rows } = await sql<Row>`select * from ${sql.table(table)} ${place}
      order by ${names} limit ${sql.lit(PAGE_ROWS)}`.execute(db);
    if (rows.length === 0) return;
    yield rows;
    last = rows.at(-1);
  }
}
