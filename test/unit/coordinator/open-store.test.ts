/** Which stores are refused, and what is said of them. */
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kysely, sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../../coordinator/store/migrate.ts";
import { openSqliteFolder, openSqliteStore, SQLITE_TYPES } from "../../../coordinator/store/sqlite/open-sqlite.ts";
import { openDatabase, SQLITE_PACKAGE } from "../../../coordinator/store/sqlite/sqlite-api.ts";
import { NodeSqliteDialect } from "../../../coordinator/store/sqlite/sqlite-dialect.ts";
import { checkStore } from "../../../coordinator/store/tools/check.ts";
import { cellAdded, idOf, newCell, sweepWith } from "../../conformance/store-fixture.ts";
import { quietLogger } from "../../support/quiet-logger.ts";

let folder: string;
const file = () => join(folder, "occam.db");

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "occam-open-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function filled(): Promise<void> {
  const store = await openSqliteStore(folder);
  await store.beginEpoch();
  await store.apply(sweepWith(Array.from({ length: 2_000 }, (_, index) => index + 1)));
  await store.close();
}

describe("a store", () => {
  it("that is open is refused to a second opener, with what to do, and is free once it is closed", async () => {
    const store = await openSqliteStore(folder);
    await expect(openSqliteStore(folder)).rejects.toMatchObject({
      code: "store-locked",
      where: folder,
      hint: expect.stringContaining("stop it"),
    });
    await store.close();
    await (await openSqliteStore(folder)).close();
  });

  it("of another process is refused, and free at once when that process is killed", async () => {
    await (await openSqliteStore(folder)).close();
    const holder = join(folder, "holder.cjs");
    writeFileSync(
      holder,
      `const { DatabaseSync } = require(${JSON.stringify(SQLITE_PACKAGE)});
       const db = new DatabaseSync(${JSON.stringify(join(folder, "lock.db"))});
       db.exec("pragma locking_mode = exclusive; begin exclusive; commit");
       process.send("held"); setInterval(() => db.isOpen, 1000);`,
    );
    // Modules are found from here, not from the temporary folder.
    const child = fork(holder, { env: { ...process.env, NODE_PATH: join(process.cwd(), "node_modules") } });
    await new Promise((resolve) => child.once("message", resolve));
    await expect(openSqliteStore(folder)).rejects.toMatchObject({ code: "store-locked" });
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    await (await openSqliteStore(folder)).close();
  });

  it("of a newer build is refused and left as it is", async () => {
    await filled();
    const database = openDatabase(file());
    database.exec("update meta set value = '99' where name = 'schema_version'");
    database.close();
    const before = readFileSync(file());
    await expect(openSqliteStore(folder)).rejects.toMatchObject({
      code: "store-newer",
      message: expect.stringContaining("99"),
    });
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  it("of the first build is brought to this one's schema: epochs go on, and cells keep their ids and configurations", async () => {
    const { db, closed } = await openSqliteFolder(folder, (each) =>
      migrate(each, SQLITE_TYPES, folder, async () => undefined, 1),
    );
    const json = '{"cell":{"text":"a \\" and , a ]"},"seed":"1"}';
    await sql`insert into meta values ('epoch', '7')`.execute(db);
    await sql`insert into sweep values (1, 's', 'n', '', 'running', 't', 'f', 1, null, 0, 0)`.execute(db);
    await sql`insert into config values (${idOf(1)}, ${json})`.execute(db);
    await sql`insert into cell values (1, ${idOf(1)}, '', 'k', 'pending', '', 0, 0, 0, 0, 0)`.execute(db);
    await sql`insert into sweep_cell values (1, 0, 1, 0)`.execute(db);
    await db.destroy();
    closed();
    const store = await openSqliteStore(folder);
    expect(await store.beginEpoch()).toBe(8n);
    expect(await store.loadPendingCells(0, 9)).toMatchObject([{ key: 1, id: idOf(1), sweeps: [1] }]);
    expect(await store.findCells("", [idOf(1)])).toMatchObject([{ key: 1 }]);
    expect(await store.readConfigs([1])).toEqual(new Map([[1, json]]));
    await expect(store.apply([cellAdded(2, newCell(1))])).rejects.toThrow(/UNIQUE/);
    await store.apply([cellAdded(3)]);
    await store.close();
    expect((await checkStore(folder, quietLogger)).problems).toEqual([]);
  });

  it("that is no database is refused as damaged, and left as it is", async () => {
    writeFileSync(file(), "this is no database, but it is long enough to look like a header of one".repeat(20));
    const before = readFileSync(file());
    await expect(openSqliteStore(folder)).rejects.toMatchObject({ code: "store-corrupt", where: file() });
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  it("with damaged pages in its middle is refused", async () => {
    await filled();
    const handle = openSync(file(), "r+");
    const middle = Math.floor(statSync(file()).size / 2 / 4096) * 4096;
    for (let page = 0; page < 6; page += 1) writeSync(handle, Buffer.alloc(512, 0xa5), 0, 512, middle + page * 4096);
    closeSync(handle);
    await expect(openSqliteStore(folder)).rejects.toMatchObject({
      code: "store-corrupt",
      hint: expect.stringContaining("backup"),
    });
    // The lock is not kept by a failed opening.
    await expect(openSqliteStore(folder)).rejects.toMatchObject({ code: "store-corrupt" });
  });

  it("in a folder that cannot be used is refused as a matter of configuration", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(openSqliteStore(join(folder, "file", "store"))).rejects.toMatchObject({ code: "bad-config" });
  });

  it("writes its log to the disk before it answers: WAL, synchronous FULL", async () => {
    const store = await openSqliteStore(join(folder, "deep", "store"));
    expect(existsSync(join(folder, "deep", "store", "occam.db-wal"))).toBe(true);
    await store.close();
    const database = openDatabase(join(folder, "deep", "store", "occam.db"));
    expect(database.prepare("pragma journal_mode").all()).toMatchObject([{ journal_mode: "wal" }]);
    database.close();
  });
});

describe("the dialect", () => {
  it("raises the real error when SQLite has rolled back by itself", async () => {
    const database = openDatabase(":memory:");
    const db: Kysely<{ t: { a: number } }> = new Kysely({ dialect: new NodeSqliteDialect(database) });
    await sql`create table t (a integer unique on conflict rollback)`.execute(db);
    const twice = db.transaction().execute(async (transaction) => {
      await transaction.insertInto("t").values({ a: 1 }).execute();
      await transaction.insertInto("t").values({ a: 1 }).execute();
    });
    await expect(twice).rejects.toThrow(/UNIQUE constraint failed/u);
    expect(database.isTransaction).toBe(false);
    expect(await db.selectFrom("t").selectAll().execute()).toEqual([]);
    await db.destroy();
  });
});
