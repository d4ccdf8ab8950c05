/** A store that a tool writes to, held so that no coordinator works on it meanwhile. */
import type { Kysely } from "kysely";
import type { Logger } from "../../../src/core/log.ts";
import { isPostgresUrl } from "../../../src/core/postgres-url.ts";
import { connectPostgres, lockMigrations, POSTGRES_TYPES } from "../postgres/open-postgres.ts";
import { explained } from "../postgres/postgres-error.ts";
import { postgresRows } from "../postgres/postgres-rows.ts";
import type { RowWriter } from "../row-writer.ts";
import { openSqliteFolder, SQLITE_TYPES } from "../sqlite/open-sqlite.ts";
import { sqliteRows } from "../sqlite/sqlite-rows.ts";
import type { DialectTypes, Tables } from "../tables.ts";

export interface Target {
  readonly db: Kysely<Tables>;
  readonly types: DialectTypes;
  readonly rows: RowWriter;
  /** For people. */
  readonly where: string;
  /** Keeps others from migrating until the transaction ends. */
  readonly lock: (transaction: Kysely<Tables>) => Promise<void>;
}

/** @param store a folder, which is made when it is missing, or a connection string */
export function withTarget<T>(
  store: string,
  logger: Pick<Logger, "warn">,
  use: (target: Target) => Promise<T>,
): Promise<T> {
  return isPostgresUrl(store) ? ofDatabase(store, logger, use) : ofFolder(store, use);
}

async function ofFolder<T>(folder: string, use: (target: Target) => Promise<T>): Promise<T> {
  const { db, closing, closed } = await openSqliteFolder(folder, async () => undefined);
  try {
    return await use({ db, types: SQLITE_TYPES, rows: sqliteRows, where: folder, lock: async () => undefined });
  } finally {
    closing();
    await db.destroy();
    closed();
  }
}

async function ofDatabase<T>(
  url: string,
  logger: Pick<Logger, "warn">,
  use: (target: Target) => Promise<T>,
): Promise<T> {
  const { db, where } = connectPostgres(url, logger);
  try {
    return await use({ db, types: POSTGRES_TYPES, rows: postgresRows, where, lock: lockMigrations });
  } catch (error) {
    throw explained(error, where);
  } finally {
    await db.destroy();
  }
}
