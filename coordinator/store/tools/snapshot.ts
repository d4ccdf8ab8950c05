/** Reads a store as it was at one moment, beside a coordinator that may be writing to it. */
import { existsSync } from "node:fs";
import { Kysely } from "kysely";
import { messageOf, OccamError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/log.ts";
import { isPostgresUrl } from "../../../src/core/postgres-url.ts";
import { requireSchema } from "../migrate.ts";
import { connectPostgres } from "../postgres/open-postgres.ts";
import { explained } from "../postgres/postgres-error.ts";
import { corrupt, databaseFile, isCorruption } from "../sqlite/open-sqlite.ts";
import { openToRead, type SqliteDatabase } from "../sqlite/sqlite-api.ts";
import { NodeSqliteDialect } from "../sqlite/sqlite-dialect.ts";
import type { Tables } from "../tables.ts";

export interface Snapshot {
  readonly db: Kysely<Tables>;
  /** Of a folder; undefined: the store is in PostgreSQL. */
  readonly sqlite: SqliteDatabase | undefined;
  /** For people. */
  readonly where: string;
}

/** @param store a folder or a connection string */
export async function withSnapshot<T>(
  store: string,
  logger: Pick<Logger, "warn">,
  use: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  return isPostgresUrl(store) ? ofDatabase(store, logger, use) : ofFolder(store, use);
}

async function ofFolder<T>(folder: string, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const where = requireFolder(folder);
  let sqlite: SqliteDatabase | undefined;
  try {
    sqlite = openToRead(where);
    // A coordinator that starts or ends holds the database for a moment.
    sqlite.exec("pragma busy_timeout = 5000; begin");
    const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(sqlite) });
    await requireSchema(db, where);
    return await use({ db, sqlite, where });
  } catch (error) {
    throw isCorruption(error) ? corrupt(folder, messageOf(error), error) : error;
  } finally {
    // Statements that are kept would keep the transaction open, and its lock, past the closing.
    if (sqlite?.isTransaction === true) sqlite.exec("rollback");
    sqlite?.close();
  }
}

async function ofDatabase<T>(
  url: string,
  logger: Pick<Logger, "warn">,
  use: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  const { db, where } = connectPostgres(url, logger);
  try {
    return await db
      .transaction()
      .setIsolationLevel("repeatable read")
      .setAccessMode("read only")
      .execute(async (transaction) => {
        await requireSchema(transaction, where);
        return use({ db: transaction, sqlite: undefined, where });
      });
  } catch (error) {
    throw missingTables(error, where) ?? explained(error, where);
  } finally {
    await db.destroy();
  }
}

/** The database file of a folder that has one. */
export function requireFolder(folder: string): string {
  const file = databaseFile(folder);
  if (existsSync(file)) return file;
  throw new OccamError("not-found", "there is no store in this folder", {
    where: folder,
    hint: "give --store: the folder of a coordinator, OUT/store of an `occam run`, or postgres://USER@HOST/DATABASE",
  });
}

const UNDEFINED_TABLE = "42P01";

function missingTables(error: unknown, where: string): OccamError | undefined {
  if ((error as { readonly code?: unknown } | null)?.code !== UNDEFINED_TABLE) return undefined;
  return new OccamError("not-found", "there is no store in this database", { where, cause: error });
}
