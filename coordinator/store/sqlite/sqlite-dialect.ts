/**
 * Kysely over the `node:sqlite` API. Invariants (store.md, rules 2 and 3):
 * 1. A statement that returns rows is run with `.all()`, never `.get()`, so that an error of its commit is raised.
 * 2. After an error, ROLLBACK is sent only while a transaction is open: a full disk has rolled back already, and the
 *    ROLLBACK's own error would hide the real one.
 * 3. Writing transactions begin IMMEDIATE: the lock is taken before anything is decided on what was read.
 */
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type SqliteDatabase as KyselyDatabase,
  type SqliteStatement as KyselyStatement,
} from "kysely";
import type { SqliteDatabase, SqlValue } from "./sqlite-api.ts";

/** Prepared statements that are kept. The store has some dozens of fixed ones. */
const KEPT_STATEMENTS = 256;
/** Longer texts are multi-row inserts whose length varies: they would only push the fixed ones out. */
const KEPT_SQL_CHARS = 2_048;

export class NodeSqliteDialect implements Dialect {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  createDriver(): Driver {
    return new NodeSqliteDriver(this.#database);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new SqliteAdapter();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

class NodeSqliteDriver extends SqliteDriver {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    super({ database: withKeptStatements(database) });
    this.#database = database;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await connection.executeQuery(CompiledQuery.raw("rollback"));
  }
}

/** The shape that Kysely asks for: parameters as one list, and a word on whether rows come back. */
function withKeptStatements(database: SqliteDatabase): KyselyDatabase {
  const kept = new Map<string, KyselyStatement>();
  return {
    close: () => database.close(),
    prepare: (sql) => {
      const known = kept.get(sql);
      if (known !== undefined) return known;
      const statement = statementOf(database, sql);
      if (sql.length <= KEPT_SQL_CHARS) {
        if (kept.size >= KEPT_STATEMENTS) kept.delete(kept.keys().next().value!);
        kept.set(sql, statement);
      }
      return statement;
    },
  };
}

function statementOf(database: SqliteDatabase, sql: string): KyselyStatement {
  const statement = database.prepare(sql);
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as SqlValue[])),
    run: (parameters) => statement.run(...(parameters as SqlValue[])),
    iterate: () => {
      throw new Error("the store reads by pages, never by an open cursor");
    },
  };
}
