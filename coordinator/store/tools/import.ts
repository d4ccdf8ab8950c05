/** Reads an export into an empty store, in one transaction: all of its rows, each as it was written, or none. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sql, type Kysely } from "kysely";
import { z } from "zod";
import { messageOf, OccamError } from "../../../src/core/errors.ts";
import { readVersion, SCHEMA_VERSION } from "../migrate.ts";
import { isSealed, sealOf } from "../seal.ts";
import type { Tables } from "../tables.ts";
import { EXPORT_FORMAT, LIST_NAME, type ExportedTable, type ExportList } from "./export.ts";
import { TABLES, type Row, type Table } from "./read-rows.ts";
import { rowOf } from "./row-text.ts";
import type { Target } from "./target.ts";

/** Rows that are written as one statement. */
const BATCH_ROWS = 1_000;

const versionsSchema = z.object({ format: z.int(), schemaVersion: z.int() });
const listSchema = versionsSchema.extend({
  writtenBy: z.string(),
  tables: z.array(z.object({ table: z.enum(TABLES), rows: z.int(), sha256: z.string() })),
});

export function readList(folder: string): ExportList {
  const path = join(folder, LIST_NAME);
  const raw = parsed(path);
  const versions = versionsSchema.safeParse(raw);
  if (!versions.success) throw damaged(path, z.prettifyError(versions.error));
  const { format, schemaVersion } = versions.data;
  if (format !== EXPORT_FORMAT || schemaVersion > SCHEMA_VERSION) {
    throw new OccamError("store-newer", `the export is of format ${format}, schema ${schemaVersion}`, {
      where: folder,
      hint: `this build reads format ${EXPORT_FORMAT} and schema ${SCHEMA_VERSION} or older: use the build that wrote it`,
    });
  }
  const list = listSchema.safeParse(raw);
  if (!list.success) throw damaged(path, z.prettifyError(list.error));
  const missing = TABLES.filter((table) => list.data.tables.every((exported) => exported.table !== table));
  if (schemaVersion === SCHEMA_VERSION && missing.length > 0) throw damaged(path, `it lacks ${missing.join(", ")}`);
  return list.data;
}

function parsed(path: string): unknown {
  if (!existsSync(path)) {
    throw new OccamError("not-found", "there is no export in this folder", {
      where: path,
      hint: "write one: occam store export DEST --store STORE",
    });
  }
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw damaged(path, messageOf(cause));
  }
}

/** How many rows. */
export async function importRows(target: Target, folder: string, list: ExportList): Promise<number> {
  return target.db.transaction().execute(async (transaction) => {
    await requireEmpty(transaction, target.where, list);
    let rows = 0;
    for (const exported of list.tables) rows += await importTable(transaction, target, folder, exported);
    return rows;
  });
}

async function requireEmpty(db: Kysely<Tables>, where: string, { schemaVersion, tables }: ExportList): Promise<void> {
  const filled: string[] = [];
  for (const { table } of tables.filter((each) => each.table !== "leader")) {
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(db);
    if (rows.length > 0) filled.push(table);
  }
  if (filled.length === 0 && (await readVersion(db)) === schemaVersion) return;
  throw new OccamError("bad-usage", "an export is read into an empty store, and this one is not empty", {
    where,
    hint: "give a folder or a database that is new",
  });
}

async function importTable(
  db: Kysely<Tables>,
  target: Target,
  folder: string,
  exported: ExportedTable,
): Promise<number> {
  const path = join(folder, `${exported.table}.jsonl`);
  if (!existsSync(path)) throw damaged(path, "the file is missing");
  try {
    const read = await insertRows(db, target, exported.table, path);
    requireSame(read, exported, path);
    return read.rows;
  } catch (error) {
    // What the database refuses may be a row that was changed by hand.
    if (!(error instanceof OccamError)) requireSame(await contentOf(path), exported, path);
    throw error;
  }
}

type Content = Pick<ExportedTable, "rows" | "sha256">;

function requireSame(read: Content, { rows, sha256 }: ExportedTable, path: string): void {
  if (read.sha256 === sha256 && read.rows === rows) return;
  throw damaged(path, `it has ${read.rows} of ${rows} rows, or one of them has changed`);
}

async function insertRows(db: Kysely<Tables>, { rows: writer }: Target, table: Table, path: string): Promise<Content> {
  let batch: Row[] = [];
  const flush = async (): Promise<void> => {
    if (table === "leader") await takeLead(db, batch);
    else await writer.insert(db, table, batch, "fail");
    batch = [];
  };
  const content = await contentOf(path, async (line, number) => {
    batch.push(rowIn(table, line, path, number));
    if (batch.length === BATCH_ROWS) await flush();
  });
  await flush();
  return content;
}

/** @param each is given the lines, which are counted from 1 */
async function contentOf(
  path: string,
  each: (line: string, number: number) => Promise<void> = async () => undefined,
): Promise<Content> {
  const hash = createHash("sha256");
  let rows = 0;
  for await (const line of linesOf(path)) {
    hash.update(`${line}\n`);
    await each(line, (rows += 1));
  }
  return { rows, sha256: hash.digest("hex") };
}

/** Ended by a line feed alone: `readline` ends lines at U+2028 too, which JSON texts may hold. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(path, { encoding: "utf8" })) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function rowIn(table: Table, line: string, path: string, number: number): Row {
  let row: Row;
  try {
    row = rowOf(table, line);
  } catch (cause) {
    throw damaged(`${path}:${number}`, messageOf(cause));
  }
  const { crc } = row;
  if (!isSealed(table) || crc === null || crc === undefined || crc === sealOf(table, row)) return row;
  throw damaged(`${path}:${number}`, "the row is not what was written");
}

/** Epochs go on, and a coordinator that began one on the empty store is deposed: it knows nothing of these rows. */
async function takeLead(db: Kysely<Tables>, [exported]: readonly Row[]): Promise<void> {
  const { epoch } = await db.selectFrom("leader").select("epoch").executeTakeFirstOrThrow();
  const next = Math.max(epoch, Number(exported?.["epoch"] ?? 0)) + 1;
  await db.updateTable("leader").set({ epoch: next, address: "", beat: 0 }).execute();
}

function damaged(where: string, what: string): OccamError {
  return new OccamError("store-corrupt", `the export is damaged: ${what}`, {
    where,
    hint: "nothing was written; export the store again",
  });
}
