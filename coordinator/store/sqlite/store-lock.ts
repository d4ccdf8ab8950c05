/**
 * One process to a store: a small database of its own, held with an exclusive lock for as long as the process lives. The
 * operating system frees the lock when the process ends in any way, so no stale lock has to be broken by hand.
 */
import { join } from "node:path";
import { OccamError } from "../../../src/core/errors.ts";
import { openDatabase, SQLITE_BUSY, sqliteCode, type SqliteDatabase } from "./sqlite-api.ts";

export interface StoreLock {
  release(): void;
}

/** Throws "store-locked" when another process, or another part of this one, holds the folder's store. */
export function lockStore(folder: string): StoreLock {
  const database = openDatabase(join(folder, "lock.db"));
  try {
    holdExclusively(database);
  } catch (error) {
    database.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw error;
    throw new OccamError("store-locked", "another coordinator uses this store", {
      where: folder,
      hint: "stop it, or connect to it instead of starting a second one; or give another folder",
      cause: error,
    });
  }
  return { release: () => database.close() };
}

/** In this locking mode the lock that a transaction took stays with the connection after it. */
function holdExclusively(database: SqliteDatabase): void {
  database.exec("pragma locking_mode = exclusive");
  database.exec("begin exclusive");
  database.exec("commit");
}
