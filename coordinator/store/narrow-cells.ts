/**
 * The fourth version of the schema: new cells cost little to write.
 * - A cell is found by its id through `cell_name`, whose rows are written in their order, many at once. A unique index over ids,
 *   which are random, writes a page of the database for nearly every new cell.
 * - A configuration is kept as the parts that it shares with others (see `config-parts.ts`), by the cell's key.
 */
import { sql, type Kysely } from "kysely";
import { sealOf } from "./seal.ts";
import type { DialectTypes, Tables } from "./tables.ts";

/** Hexadecimal digits of an id in `cell_name`: 80 bits, of which two cells of one store never share all. */
export const NAME_CHARS = 20;

const PAGE_ROWS = 500;

export async function narrowCells(db: Kysely<Tables>, types: DialectTypes): Promise<void> {
  await createNames(db, types);
  await createParts(db, types);
  await dropUniqueIds(db, types);
}

async function createNames(db: Kysely<Tables>, { int8, id, dialect }: DialectTypes): Promise<void> {
  const table = db.schema
    .createTable("cell_name")
    .addColumn("name", id, (column) => column.notNull())
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("cell_key", int8, (column) => column.notNull())
    .addPrimaryKeyConstraint("cell_name_pk", ["name", "scope"]);
  await (dialect === "sqlite" ? table.modifyEnd(sql`without rowid`) : table).execute();
  await sql`insert into cell_name (name, scope, cell_key)
    select substr(cell_id, 1, ${sql.lit(NAME_CHARS)}), scope, cell_key from cell order by 1`.execute(db);
}

async function createParts(db: Kysely<Tables>, { int8 }: DialectTypes): Promise<void> {
  await db.schema.alterTable("config").renameTo("config_whole").execute();
  await db.schema
    .createTable("config_part")
    .addColumn("part_id", int8, (column) => column.primaryKey())
    .addColumn("text", "text", (column) => column.notNull())
    .addColumn("crc", int8)
    .execute();
  await db.schema
    .createTable("config")
    .addColumn("cell_key", int8, (column) => column.primaryKey())
    .addColumn("parts", "text", (column) => column.notNull())
    .addColumn("crc", int8)
    .execute();
  for (let after = 0; ;) {
    const { rows } = await sql<{ readonly cell_key: number; readonly json: string }>`
      select cell.cell_key, config_whole.json from cell join config_whole on config_whole.cell_id = cell.cell_id
      where cell.cell_key > ${after} order by cell.cell_key limit ${sql.lit(PAGE_ROWS)}`.execute(db);
    if (rows.length === 0) break;
    const whole = rows.map(({ cell_key, json }) => ({ cell_key, parts: JSON.stringify([json]) }));
    await db
      .insertInto("config")
      .values(whole.map((row) => ({ ...row, crc: sealOf("config", row) })))
      .execute();
    after = rows.at(-1)!.cell_key;
  }
  await db.schema.dropTable("config_whole").execute();
}

/** SQLite cannot drop a constraint: a store that has cells keeps its index, which does no harm but for the time it takes. */
async function dropUniqueIds(db: Kysely<Tables>, { dialect }: DialectTypes): Promise<void> {
  if (dialect === "postgres") {
    await db.schema.alterTable("cell").dropConstraint("cell_once").execute();
    return;
  }
  const [cell] = await db.selectFrom("cell").select("cell_key").limit(1).execute();
  if (cell !== undefined) return;
  const { rows } = await sql<{ readonly sql: string }>`
    select sql from sqlite_master where tbl_name = 'cell' and sql is not null order by type desc`.execute(db);
  await db.schema.dropTable("cell").execute();
  const constraint = /,\s*constraint "cell_once" unique \("cell_id", "scope"\)/u;
  for (const { sql: text } of rows) await sql.raw(text.replace(constraint, "")).execute(db);
}
