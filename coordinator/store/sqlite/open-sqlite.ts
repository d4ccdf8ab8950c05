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
import type { DialectTypes, Tables } from "../tables.ts";
import { damageOfLog } from "./check-log.ts";
import { checkPages } from "./check-pages.ts";
import { openDatabase, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode, type SqliteDatabase } from "./sqlite-api.ts";
import { NodeSqliteDialect } from "./sqlite-dialect.ts";
import { sqliteRows } from "./sqlite-rows.ts";
import { lockStore, type StoreLock } from "./store-lock.ts";

/** The database of a store's folder. */
export const databaseFile = (folder: string): string => join(folder, "occam.db");

export const SQLITE_TYPES: DialectTypes = { dialect: "sqlite", int8: "integer", bytes: "blob", id: "text" };

/** Pages kept in memory, in KiB: the upper levels of every index of a million cells. */
const CACHE_KIB = 32_768;

/**
 * Pages of the log, 64 MiB, before they are written back into the database. A page that was written many times is written back
 * once, and that is what costs: pages all over a file, and a sync.
 */
const CHECKPOINT_PAGES = 16_384;

/** The database of a folder that is locked for this process. */
export interface SqliteFolder {
  readonly db: Kysely<Tables>;
  /** Settles when its pages have been looked through. */
  readonly sound: Promise<void>;
  /** A closed store is one file: the log is written back into the database. */
  readonly closing: () => void;
  /** After the database is closed. */
  readonly closed: () => void;
}

/** A store in a folder, which is made when it is missing. */
export async function openSqliteStore(folder: string): Promise<Store> {
  const { db, sound, closing, closed } = await openSqliteFolder(folder, (each) => migrate(each, SQLITE_TYPES, folder));
  const description = `sqlite ${folder}`;
  return new SqlStore({ db, description, rows: sqliteRows, leaderEpoch: epochOf, sound, closing, closed });
}

/** A store that lives as long as the process, for tests and simulations. */
export async function openMemoryStore(): Promise<Store> {
  const description = "sqlite in memory";
  const db = kyselyOf(openDatabase(":memory:"));
  await migrate(db, SQLITE_TYPES, description);
  return new SqlStore({ db, description, rows: sqliteRows, leaderEpoch: epochOf });
}

/** @param prepare brings the schema to what the caller needs */
export async function openSqliteFolder(
  folder: string,
  prepare: (db: Kysely<Tables>) => Promise<void>,
): Promise<SqliteFolder> {
  prepareFolder(folder);
  const lock = lockStore(folder);
  try {
    return await openLocked(folder, lock, prepare);
  } catch (error) {
    lock.release();
    throw isCorruption(error) ? corrupt(folder, messageOf(error), error) : error;
  }
}

async function openLocked(
  folder: string,
  lock: StoreLock,
  prepare: (db: Kysely<Tables>) => Promise<void>,
): Promise<SqliteFolder> {
  const damage = damageOfLog(databaseFile(folder));
  if (damage !== undefined) throw corrupt(folder, damage);
  const database = openDatabase(databaseFile(folder));
  try {
    // FULL: the log is synced to the disk before a commit returns. Anything less loses acknowledged work on a power cut.
    database.exec("pragma journal_mode = wal");
    database.exec("pragma synchronous = full");
    database.exec(`pragma cache_size = -${CACHE_KIB}`);
    database.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    const sound = checkIntegrity(database, folder);
    const db = kyselyOf(database);
    await prepare(db);
    return {
      db,
      sound,
      closing: () => writeLogBack(database),
      closed: () => lock.release(),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** On a disk that is full or broken the log stays beside the database, where the next start takes it up: nothing is lost by it. */
function writeLogBack(database: SqliteDatabase): void {
  try {
    database.exec("pragma wal_checkpoint(truncate)");
  } catch {
    // Why the disk cannot be written, the write that failed before has said.
  }
}

const kyselyOf = (database: SqliteDatabase): Kysely<Tables> =>
  new Kysely<Tables>({ dialect: new NodeSqliteDialect(database) });

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

/** @throws of a small file at once, of a large one later */
function checkIntegrity(database: SqliteDatabase, folder: string): Promise<void> {
  const judge = (damage: string | undefined): void => {
    if (damage !== undefined) throw corrupt(folder, damage);
  };
  const damage = checkPages(database, databaseFile(folder));
  if (!(damage instanceof Promise)) {
    judge(damage);
    return Promise.resolve();
  }
  const sound = damage.then(judge);
  // Whoever serves the store waits for it; a tool that does not looks for itself.
  sound.catch(() => undefined);
  return sound;
}

export function isCorruption(error: unknown): boolean {
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(sqliteCode(error));
}

export function corrupt(folder: string, what: string, cause?: unknown): OccamError {
  return new OccamError("store-corrupt", `the store is damaged: ${what}`, {
    where: databaseFile(folder),
    hint: "nothing was changed; `occam store check` says where; put a backup in its place, or start with another folder",
    cause,
  });
}
