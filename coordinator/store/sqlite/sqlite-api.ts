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
  readonly DatabaseSync: new (location: string, options?: { readonly readOnly: boolean }) => SqliteDatabase;
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

/** Opens a file that must be there, without changing it; another process may write to it meanwhile. */
export function openToRead(location: string): SqliteDatabase {
  return new DatabaseSync(location, { readOnly: true });
}

export const SQLITE_BUSY = 5;
export const SQLITE_CORRUPT = 11;
export const SQLITE_NOTADB = 26;

/** SQLite's own words for them (sqlite3_errstr): `@photostructure/sqlite` gives no code with an error of `all()`. */
const CODE_OF_TEXT: ReadonlyMap<string, number> = new Map([
  ["database is locked", SQLITE_BUSY],
  ["database disk image is malformed", SQLITE_CORRUPT],
  ["file is not a database", SQLITE_NOTADB],
]);

/** SQLite's primary result code of an error, 0 when it is none of SQLite's. */
export function sqliteCode(error: unknown): number {
  const { errcode, message } = (error ?? {}) as { readonly errcode?: unknown; readonly message?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  return typeof message === "string" ? (CODE_OF_TEXT.get(message) ?? 0) : 0;
}
