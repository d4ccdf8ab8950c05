/**
 * The disk under a run: one real SQLite database, which processes come and go on, and what goes wrong between them.
 *
 * What was applied is there for every process after; what a process was doing when it ended never answers.
 */
import { Kysely } from "kysely";
import { OccamError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/clock.ts";
import { epochOf } from "../../coordinator/store/leader-seat.ts";
import { migrate } from "../../coordinator/store/migrate.ts";
import { openSqliteFolder, SQLITE_TYPES, type SqliteFolder } from "../../coordinator/store/sqlite/open-sqlite.ts";
import { openDatabase, type SqliteDatabase } from "../../coordinator/store/sqlite/sqlite-api.ts";
import { NodeSqliteDialect } from "../../coordinator/store/sqlite/sqlite-dialect.ts";
import { sqliteRows } from "../../coordinator/store/sqlite/sqlite-rows.ts";
import { SqlStore } from "../../coordinator/store/sql-store.ts";
import type { Store } from "../../coordinator/store/store.ts";
import type { Tables } from "../../coordinator/store/tables.ts";
import type { Dice } from "./dice.ts";
import type { DiskWeather } from "./weather.ts";

export class Disk {
  readonly #folder: string | undefined;
  #open: SqliteFolder;

  /** @param folder undefined: in memory */
  static async make(folder?: string): Promise<Disk> {
    return new Disk(folder, folder === undefined ? await inMemory() : await inFolder(folder));
  }

  private constructor(folder: string | undefined, open: SqliteFolder) {
    this.#folder = folder;
    this.#open = open;
  }

  get db(): Kysely<Tables> {
    return this.#open.db;
  }

  /** For a new process. */
  store(epoch?: bigint): Store {
    const { db } = this.#open;
    const given = epoch === undefined ? {} : { epoch };
    return new SqlStore({ db, description: "simulated", rows: sqliteRows, leaderEpoch: epochOf, ...given });
  }

  /** Closes and opens a folder, when it is one. To be called while no process uses it. */
  async reopen(): Promise<void> {
    if (this.#folder === undefined) return;
    await this.close();
    this.#open = await inFolder(this.#folder);
  }

  async close(): Promise<void> {
    this.#open.closing();
    if (this.#folder !== undefined) await this.#open.db.destroy();
    this.#open.closed();
  }
}

const inFolder = (folder: string): Promise<SqliteFolder> =>
  openSqliteFolder(folder, (db) => migrate(db, SQLITE_TYPES, folder));

/** A database in memory, and what a new one has in its tables. */
interface Memory {
  readonly database: SqliteDatabase;
  readonly db: Kysely<Tables>;
  /** Empties it, but for the rows of a new one. */
  readonly wipe: string;
}

/** Databases of runs that are over: their statements are prepared. */
const pool: Memory[] = [];

async function inMemory(): Promise<SqliteFolder> {
  const memory = pool.pop() ?? (await newMemory());
  const { db, database, wipe } = memory;
  const closing = (): void => {
    // A run that failed may have left one open, and is not used again.
    if (database.isTransaction) return;
    database.exec(wipe);
    pool.push(memory);
  };
  return { db, sound: Promise.resolve(), closing, closed: () => undefined };
}

async function newMemory(): Promise<Memory> {
  const database = openDatabase(":memory:");
  const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(database) });
  await migrate(db, SQLITE_TYPES, "simulated");
  const all = (sql: string) => database.prepare(sql).all() as Readonly<Record<string, string | number>>[];
  const tables = all("select name from sqlite_master where type = 'table'").map((row) => String(row["name"]));
  const deleted = tables.map((table) => `delete from ${table}`);
  const filled = tables.flatMap((table) =>
    all(`select * from ${table}`).map((row) => {
      const values = Object.values(row).map((value) => (typeof value === "number" ? value : `'${value}'`));
      return `insert into ${table} values (${values.join(", ")})`;
    }),
  );
  const wipe = ["pragma foreign_keys = off", "begin", ...deleted, ...filled, "commit", "pragma foreign_keys = on"];
  return { database, db, wipe: wipe.join("; ") };
}

export interface DiskUser {
  readonly clock: Clock;
  readonly dice: Dice;
  /** Now. */
  weather(): DiskWeather;
  /** The process that uses the disk ends, now. */
  crash(why: string): void;
  /** It has ended: it gets no answer any more. */
  gone(): boolean;
  /** Its epoch begins. */
  began(epoch: bigint): void;
  /** A transaction of it was applied. */
  wrote(): void;
}

const NEVER = new Promise<never>(() => undefined);

/** A store as one process has it. */
export function faultyStore(inner: Store, user: DiskUser): Store {
  return new Proxy(inner, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name === "close") return async () => undefined;
      const call = async (...given: unknown[]): Promise<unknown> =>
        (await Reflect.apply(member, target, given)) as unknown;
      if (name === "apply") return (...given: unknown[]) => write(user, () => call(...given));
      if (name === "beginEpoch") return () => begin(user, target);
      return (...given: unknown[]) => read(user, () => call(...given));
    },
  });
}

async function begin(user: DiskUser, store: Store): Promise<bigint> {
  const epoch = await store.beginEpoch();
  user.began(epoch);
  return epoch;
}

async function write(user: DiskUser, apply: () => Promise<unknown>): Promise<void> {
  const { dice, clock } = user;
  const { writeFails, syncFails, crashBefore, crashAfter, slowMaxMs } = user.weather();
  if (user.gone()) return NEVER;
  if (slowMaxMs > 0 && dice.chance(0.5)) await clock.sleep(dice.integer(0, slowMaxMs));
  if (dice.chance(crashBefore)) {
    user.crash("before a write");
    return NEVER;
  }
  if (user.gone()) return NEVER;
  if (dice.chance(writeFails)) throw new OccamError("internal", "SQLITE_FULL: database or disk is full");
  await apply();
  user.wrote();
  if (dice.chance(crashAfter)) {
    user.crash("between a write and its acknowledgement");
    return NEVER;
  }
  if (slowMaxMs > 0 && dice.chance(0.5)) await clock.sleep(dice.integer(0, slowMaxMs));
  if (dice.chance(syncFails)) throw new OccamError("internal", "SQLITE_IOERR_FSYNC: disk I/O error");
}

async function read<T>(user: DiskUser, run: () => Promise<T>): Promise<T> {
  const { dice } = user;
  const { readFails, slowMaxMs } = user.weather();
  if (user.gone()) return NEVER;
  if (dice.chance(readFails)) throw new OccamError("internal", "SQLITE_IOERR_READ: disk I/O error");
  if (slowMaxMs > 0 && dice.chance(0.2)) await user.clock.sleep(dice.integer(0, slowMaxMs));
  if (user.gone()) return NEVER;
  const value = await run();
  // The answer may come later than what it tells of.
  if (slowMaxMs > 0 && dice.chance(0.2)) await user.clock.sleep(dice.integer(0, slowMaxMs));
  return value;
}
