/** Looks for damage: in the pages of the database, in what its rows were sealed with, and in what they say together. */
import { sql } from "kysely";
import { messageOf } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/log.ts";
import { isSealed, SEALED, sealOf, type SealedTable } from "../seal.ts";
import { damageOfLog } from "../sqlite/check-log.ts";
import type { SqliteDatabase } from "../sqlite/sqlite-api.ts";
import { INCONSISTENCIES } from "./inconsistencies.ts";
import { KEY_OF, readRows, TABLES, type Table } from "./read-rows.ts";
import { withSnapshot, type Snapshot } from "./snapshot.ts";

export interface Problem {
  /** "page 17", "result cell_key=12". */
  readonly where: string;
  readonly what: string;
}

export interface CheckReport {
  /** For people. */
  readonly store: string;
  readonly problems: readonly Problem[];
  /** There were more; these are the first. */
  readonly cut: boolean;
  readonly rows: number;
  /** Rows of an older build, which are checked for their structure alone. */
  readonly unsealed: number;
}

/** Problems that are told: a damaged page has hundreds. */
const PROBLEMS_MAX = 100;

/** @param store a folder or a connection string; a coordinator may be using it */
export function checkStore(store: string, logger: Pick<Logger, "warn">): Promise<CheckReport> {
  return withSnapshot(store, logger, async (snapshot) => {
    const check = new Check(snapshot);
    check.pages();
    for (const table of TABLES) await check.table(table);
    await check.inconsistencies();
    return check.report();
  });
}

class Check {
  readonly #snapshot: Snapshot;
  readonly #problems: Problem[] = [];
  #rows = 0;
  #unsealed = 0;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  /** SQLite's own: trees, free pages, indexes against their tables, constraints. PostgreSQL has pg_amcheck for that. */
  pages(): void {
    const { sqlite } = this.#snapshot;
    if (sqlite === undefined) return;
    this.#checkLog();
    // Some damage ends the check of everything; one of each table then says where it is.
    if (this.#checkPages(sqlite, "", "occam.db")) return;
    for (const table of TABLES) this.#checkPages(sqlite, `'${table}'`, `occam.db, table ${table}`);
  }

  /**
   * SQLite reads a log up to its first damaged frame and says nothing. A coordinator may be writing to it, or beginning it anew:
   * damage is what is there at a second look too.
   */
  #checkLog(): void {
    const { where } = this.#snapshot;
    const damage = damageOfLog(where);
    if (damage === undefined || damageOfLog(where) !== damage) return;
    this.#found("occam.db-wal", `${damage}; all that follows it is as good as lost, and was left out of this check`);
  }

  /** @returns false when SQLite gave up */
  #checkPages(sqlite: SqliteDatabase, of: string, where: string): boolean {
    try {
      const said = sqlite.prepare(`pragma integrity_check(${of === "" ? PROBLEMS_MAX : of})`).all();
      const lines = (said as { integrity_check: string }[]).flatMap((row) => row.integrity_check.split("\n"));
      for (const line of lines) if (line !== "ok") this.#found(where, line);
      const broken = sqlite.prepare(`pragma foreign_key_check${of === "" ? "" : `(${of})`}`).all();
      for (const { table, rowid, parent } of broken as { table: string; rowid: number; parent: string }[]) {
        this.#found(`${table} row ${rowid}`, `it refers to no ${parent}`);
      }
      return true;
    } catch (error) {
      this.#found(where, `SQLite cannot check it: ${messageOf(error)}`);
      return false;
    }
  }

  async table(table: Table): Promise<void> {
    try {
      for await (const page of readRows(this.#snapshot.db, table)) {
        this.#rows += page.length;
        if (isSealed(table)) this.#checkSeals(table, page);
      }
    } catch (error) {
      if (this.#snapshot.sqlite === undefined) throw error;
      this.#found(table, `it cannot be read to its end: ${messageOf(error)}`);
    }
  }

  async inconsistencies(): Promise<void> {
    for (const { what, where, rows } of INCONSISTENCIES) {
      try {
        const found = await sql<Record<string, unknown>>`${rows} limit ${sql.lit(PROBLEMS_MAX)}`.execute(
          this.#snapshot.db,
        );
        for (const row of found.rows) this.#found(placeOf(where, row), what);
      } catch (error) {
        if (this.#snapshot.sqlite === undefined) throw error;
        this.#found(where, `it cannot be compared with the rest: ${messageOf(error)}`);
      }
    }
  }

  report(): CheckReport {
    return {
      store: this.#snapshot.where,
      problems: this.#problems.slice(0, PROBLEMS_MAX),
      cut: this.#problems.length > PROBLEMS_MAX,
      rows: this.#rows,
      unsealed: this.#unsealed,
    };
  }

  #checkSeals(table: SealedTable, page: readonly Readonly<Record<string, unknown>>[]): void {
    for (const row of page) {
      if (row["crc"] === null) this.#unsealed += 1;
      else if (row["crc"] !== sealOf(table, row)) {
        const key = Object.fromEntries(KEY_OF[table].map((name) => [name, row[name]]));
        this.#found(placeOf(table, key), `it is not what was written: one of ${SEALED[table].join(", ")} has changed`);
      }
    }
  }

  #found(where: string, what: string): void {
    if (this.#problems.length <= PROBLEMS_MAX) this.#problems.push({ where, what });
  }
}

const placeOf = (table: string, key: Readonly<Record<string, unknown>>): string =>
  `${table} ${Object.entries(key)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ")}`;
