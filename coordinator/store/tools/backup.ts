/**
 * Copies a store in a folder, beside a coordinator that may be writing to it: the copy is the store as it was at one moment, and
 * is a folder that a coordinator can be started on.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { messageOf, OccamError } from "../../../src/core/errors.ts";
import { isPostgresUrl, describeUrl } from "../../../src/core/postgres-url.ts";
import { corrupt, databaseFile, isCorruption } from "../sqlite/open-sqlite.ts";
import { openToRead } from "../sqlite/sqlite-api.ts";
import { requireFolder } from "./snapshot.ts";

export interface BackupReport {
  readonly file: string;
  readonly sizeBytes: number;
}

/** @throws OccamError "unsupported" for a store in PostgreSQL, which has better tools for it */
export function backupStore(store: string, dest: string): BackupReport {
  if (isPostgresUrl(store)) throw useDump(store);
  const from = requireFolder(store);
  const file = databaseFile(dest);
  if (existsSync(file)) {
    throw new OccamError("bad-usage", "there is a store already", { where: dest, hint: "give a folder that is new" });
  }
  const partial = `${file}.partial`;
  try {
    mkdirSync(dest, { recursive: true });
    rmSync(partial, { force: true });
    copy(from, partial);
    // The name is given to a whole copy that is on the disk, or to none.
    sync(partial);
    renameSync(partial, file);
    sync(dest);
  } catch (error) {
    rmSync(partial, { force: true });
    if (isCorruption(error)) throw corrupt(store, messageOf(error), error);
    throw error instanceof OccamError ? error : unusable(dest, error);
  }
  return { file, sizeBytes: statSync(file).size };
}

/** One read transaction, which hinders no writer; the copy has no free pages. */
function copy(from: string, to: string): void {
  const database = openToRead(from);
  try {
    database.exec("pragma busy_timeout = 5000");
    database.prepare("vacuum into ?").run(to);
  } finally {
    database.close();
  }
}

function sync(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function useDump(store: string): OccamError {
  return new OccamError("unsupported", "a store in PostgreSQL is backed up by PostgreSQL", {
    where: describeUrl(store),
    hint:
      "pg_dump --format=custom --file=FILE DATABASE (and pg_restore) while coordinators run; for one that is lost to the last " +
      "commit, continuous archiving. `occam store export` writes the rows in a form that either kind of store reads",
  });
}

function unusable(dest: string, cause: unknown): OccamError {
  return new OccamError("bad-config", `the backup cannot be written: ${messageOf(cause)}`, {
    where: dest,
    hint: "give a folder that this user may write to, with as much room as the store takes",
    cause,
  });
}
