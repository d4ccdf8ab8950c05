/**
 * The `node:sqlite` API, wherever it comes from: built into Node 24 and later, else `@photostructure/sqlite` (the same API,
 * prebuilt). Only what the store uses is declared; both packages' types fit.
 */
import { createRequire } from "node:module";

export type SqlValue = null | number | bigint | string | Uint8Array;

export interface SqliteStatement {
  all(...parameters: SqlValue[]): unknown[];
  run(...parameters: SqlValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  /** The columns of the result; none for a statement that gives no rows. */
  columns(): readonly unknown[];
}

export interface SqliteDatabase {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

interface SqliteModule {
  readonly DatabaseSync: new (location: string) => SqliteDatabase;
}

const FIRST_NODE_WITH_SQLITE = 24;

/** Which package gives the API on this Node. */
export const SQLITE_PACKAGE: string =
  Number(process.versions.node.split(".")[0]) >= FIRST_NODE_WITH_SQLITE ? "node:sqlite" : "@photostructure/sqlite";

const { DatabaseSync } = createRequire(import.meta.url)(SQLITE_PACKAGE) as SqliteModule;

/** Opens or creates a database file, or one in memory for ":memory:". Foreign keys are enforced. */
export function openDatabase(location: string): SqliteDatabase {
  return new DatabaseSync(location);
}

/** SQLite's primary result code of an error, 0 when it is none of SQLite's. */
export function sqliteCode(error: unknown): number {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : 0;
}

export const SQLITE_BUSY = 5;
export const SQLITE_CORRUPT = 11;
export const SQLITE_NOTADB = 26;
