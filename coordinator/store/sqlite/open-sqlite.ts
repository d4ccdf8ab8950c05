/**
 * Opens a store in a folder: lock, durability settings, integrity, schema. A locked, corrupt or newer store is refused with
 * what to do about it, and is left as it was.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Kysely } from "kysely";
import { messageOf, OccamError } from "../../../src/core/errors.ts";
import { epochOf } from "../leader-seat.ts";
import { migrate } from "../migrate.ts";
import { SqlStore } from "../sql-store.ts";
import type { Store } from "../store.ts";
import type { Tables } from "../tables.ts";
import { openDatabase, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode, type SqliteDatabase } from "./sqlite-api.ts";
import { NodeSqliteDialect } from "./sqlite-dialect.ts";
import { sqliteRows } from "./sqlite-rows.ts";
import { lockStore, type StoreLock } from "./store-lock.ts";

const FILE_NAME = "occam.db";
/** Pages kept in memory, in KiB: the upper levels of every index of a million cells. */
const CACHE_KIB = 65_536;

/** A store in a folder, which is made when it is missing. */
export async function openSqliteStore(folder: string): Promise<Store> {
  prepareFolder(folder);
  const lock = lockStore(folder);
  try {
    return await openLocked(folder, lock);
  } catch (error) {
    lock.release();
    throw isCorruption(error) ? corrupt(folder, messageOf(error), error) : error;
  }
}

/** A store that lives as long as the process, for tests and simulations. */
export async function openMemoryStore(): Promise<Store> {
  return storeOf(openDatabase(":memory:"), "sqlite in memory", () => undefined);
}

async function openLocked(folder: string, lock: StoreLock): Promise<Store> {
  const database = openDatabase(join(folder, FILE_NAME));
  try {
    // FULL: the log is synced to the disk before a commit returns. Anything less loses acknowledged work on a power cut.
    database.exec("pragma journal_mode = wal");
    database.exec("pragma synchronous = full");
    database.exec(`pragma cache_size = -${CACHE_KIB}`);
    checkIntegrity(database, folder);
    return await storeOf(database, `sqlite ${folder}`, () => lock.release(), folder);
  } catch (error) {
    database.close();
    throw error;
  }
}

async function storeOf(
  database: SqliteDatabase,
  description: string,
  closed: () => void,
  where = description,
): Promise<Store> {
  const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(database) });
  await migrate(db, { int8: "integer", bytes: "blob", id: "text" }, where);
  // A closed store is one file: the log is written back into the database.
  const closing = (): void => database.exec("pragma wal_checkpoint(truncate)");
  return new SqlStore({ db, description, rows: sqliteRows, leaderEpoch: epochOf, closing, closed });
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new OccamError("bad-config", `the store's folder cannot be used: ${messageOf(error)}`, {
      where: folder,
      hint: "give a folder that this user may write to",
      cause: error,
    });
  }
}

function checkIntegrity(database: SqliteDatabase, folder: string): void {
  const [row] = database.prepare("pragma quick_check(1)").all() as { readonly quick_check: string }[];
  if (row?.quick_check !== "ok") throw corrupt(folder, row?.quick_check ?? "the check gave no answer");
}

function isCorruption(error: unknown): boolean {
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(sqliteCode(error));
}

function corrupt(folder: string, what: string, cause?: unknown): OccamError {
  return new OccamError("store-corrupt", `the store is damaged: ${what}`, {
    where: join(folder, FILE_NAME),
    hint: "nothing was changed; put a backup in its place, or start with another folder",
    cause,
  });
}
