/** Which databases are refused, what is said of them, and that the password is in none of it. */
import { Writable } from "node:stream";
import { inspect } from "node:util";
import { Kysely, PostgresDialect } from "kysely";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrate } from "../../../coordinator/store/migrate.ts";
import { openPostgres, POSTGRES_TYPES } from "../../../coordinator/store/postgres/open-postgres.ts";
import type { Tables } from "../../../coordinator/store/tables.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { createLogger } from "../../../src/core/log.ts";
import { granted, idOf, sweepWith } from "../../conformance/store-fixture.ts";
import { PASSWORD, postgresMissing, query, startPostgres, type PostgresServer } from "../../support/postgres-server.ts";
import { quietLogger } from "../../support/quiet-logger.ts";

let server: PostgresServer;
const skipped = postgresMissing === undefined ? "" : ` (${postgresMissing})`;

/** A database as the first build made it, with a cell in it. */
async function firstBuild(url: string): Promise<void> {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) });
  await migrate(db, POSTGRES_TYPES, url, async () => undefined, 1);
  await db.destroy();
  await query(url, "insert into meta values ('epoch', '7')");
  await query(url, "insert into sweep values (1, 's', 'n', '', 'running', 't', 'f', 1, null, 0, 0)");
  await query(url, `insert into config values ('${idOf(1)}', '{"cell":1}')`);
  await query(url, `insert into cell values (1, '${idOf(1)}', '', 'k', 'pending', '', 0, 0, 0, 0, 0)`);
  await query(url, "insert into sweep_cell values (1, 0, 1, 0)");
}

/** What a person or a log could see of it, causes included. */
async function refused(url: string): Promise<OccamError> {
  const error = await openPostgres(url, quietLogger).then(
    () => undefined,
    (raised: unknown) => raised,
  );
  expect(error).toBeInstanceOf(OccamError);
  let logged = "";
  const destination = new Writable({ write: (chunk, _encoding, done) => ((logged += String(chunk)), done()) });
  createLogger({ component: "test", level: "error", destination }).error({ err: error });
  for (const text of [inspect(error, { depth: 9 }), (error as OccamError).toUserText(), logged]) {
    expect(text).not.toContain(PASSWORD);
  }
  return error as OccamError;
}

describe.skipIf(postgresMissing !== undefined)(`a store in PostgreSQL${skipped}`, () => {
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.remove());

  it("of a newer build is refused", async () => {
    const url = await server.newDatabase();
    await (await openPostgres(url, quietLogger)).close();
    await query(url, "update meta set value = '99' where name = 'schema_version'");
    expect(await refused(url)).toMatchObject({ code: "store-newer", message: expect.stringContaining("99") });
  });

  it("of an older build is migrated, once when two start at the same moment, and keeps what is in it", async () => {
    const url = await server.newDatabase();
    await firstBuild(url);
    const both = await Promise.all([openPostgres(url, quietLogger), openPostgres(url, quietLogger)]);
    expect(await both[0].store().beginEpoch()).toBe(8n);
    expect(await both[1].store().loadPendingCells(0, 9)).toMatchObject([{ key: 1, id: idOf(1), sweeps: [1] }]);
    expect(await both[1].store().readConfigs([1])).toEqual(new Map([[1, '{"cell":1}']]));
    for (const database of both) await database.close();
  });

  it("is made by several that start on an empty database at once", async () => {
    const url = await server.newDatabase();
    const all = await Promise.all([1, 2, 3].map(() => openPostgres(url, quietLogger)));
    for (const database of all) expect((await database.seat.read()).epoch).toBe(0n);
    for (const database of all) await database.close();
  });

  it("reads pending cells along their index at a start, though its server has not looked at them yet", async () => {
    const url = await server.newDatabase();
    const database = await openPostgres(url, quietLogger);
    await query(url, `insert into cell (cell_key, cell_id, scope, fuse_key, state, reason, attempts, lost, failed, oom, width_limit)
      select n, md5(n::text) || md5(n::text), '', 'k', 'pending', '', 0, 0, 0, 0, 0 from generate_series(1, 50000) n`); // prettier-ignore
    const page = "select * from cell where state = 'pending' and cell_key > 0 order by cell_key limit 4000";
    const sorts = async (): Promise<boolean> => /Sort/.test(JSON.stringify(await query(url, `explain ${page}`)));
    expect(await sorts()).toBe(true);
    await database.store().beginEpoch();
    expect(await sorts()).toBe(false);
    await database.close();
  });

  it("that nothing listens for is out of reach, with its address", async () => {
    expect(await refused(`postgres://occam:${PASSWORD}@127.0.0.1:1/occam`)).toMatchObject({
      code: "unavailable",
      where: "127.0.0.1:1/occam",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    // A name with two addresses fails with two errors.
    expect(await refused(`postgres://occam:${PASSWORD}@localhost:1/occam`)).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("whose user or database is wrong is refused with what to do", async () => {
    const at = `127.0.0.1:${server.port}`;
    expect(await refused(`postgres://occam:x${PASSWORD}@${at}/postgres`)).toMatchObject({
      code: "permission-denied",
      hint: expect.stringContaining("password"),
    });
    expect(await refused(`postgres://occam:${PASSWORD}@${at}/nowhere`)).toMatchObject({
      code: "bad-config",
      hint: expect.stringContaining("createdb"),
    });
    expect(await refused(`postgres://occam:${PASSWORD}@${at}:/x`)).toMatchObject({ code: "bad-config" });
  });

  it("survives its server's restart: idle connections are opened anew", async () => {
    const database = await openPostgres(await server.newDatabase(), quietLogger);
    const store = database.store(0n);
    await store.apply(sweepWith([1]));
    await server.stop();
    await expect(store.loadSweeps()).rejects.toThrow();
    await server.start();
    expect(await store.loadSweeps()).toHaveLength(1);
    await store.apply([granted(1, [1])]);
    await database.close();
  });

  it("tells the real error of a write whose connection was cut, and goes on over another", async () => {
    const url = await server.newDatabase();
    const database = await openPostgres(url, quietLogger);
    const store = database.store(0n);
    await query(
      url,
      `create function cut() returns trigger language plpgsql as $$ begin
         perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
       create trigger cut after insert on sweep execute function cut()`,
    );
    await expect(store.apply(sweepWith([1]))).rejects.toThrow("terminating connection due to administrator command");
    await query(url, "drop trigger cut on sweep");
    await store.apply(sweepWith([1]));
    expect(await store.loadSweeps()).toHaveLength(1);
    await database.close();
  });

  it("gives its seat on only when a write that has read its epoch has ended, which the next leader then sees", async () => {
    const url = await server.newDatabase();
    const database = await openPostgres(url, quietLogger);
    const { seat } = database;
    const epoch = await seat.take(await seat.read(), "a:1");
    const holder = new Client({ connectionString: url });
    await holder.connect();
    // Holds the write between its look at the epoch and its first row.
    await holder.query("begin; lock table sweep in exclusive mode");
    const written = database.store(epoch).apply(sweepWith([1]));
    const waits =
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into \"sweep\"%'";
    while ((await query(url, waits)).length === 0);
    const next: { epoch?: bigint | undefined } = {};
    const taken = seat.take(await seat.read(), "b:1").then((given) => (next.epoch = given));
    const taking = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'update \"leader\"%'";
    while (next.epoch === undefined && (await query(url, taking)).length === 0);
    expect(next.epoch).toBeUndefined();
    await holder.query("rollback");
    await holder.end();
    await written;
    await taken;
    expect(next.epoch).toBe(2n);
    expect(await database.store(2n).loadSweeps()).toHaveLength(1);
    await expect(database.store(epoch).apply([granted(1, [1])])).rejects.toMatchObject({ code: "unavailable" });
    await database.close();
  });

  it("writes durably on a server that by default does not", async () => {
    const url = await server.newDatabase();
    const lax = `${url}${encodeURIComponent(" -c synchronous_commit=off")}`;
    expect(await query(lax, "show synchronous_commit")).toEqual([{ synchronous_commit: "off" }]);
    const database = await openPostgres(lax, quietLogger);
    const store = database.store();
    await store.beginEpoch();
    await query(
      url,
      `create function note() returns trigger language plpgsql as $$ begin
         insert into meta values ('seen', current_setting('synchronous_commit')); return null; end $$;
       create trigger note after insert on sweep execute function note()`,
    );
    await store.apply(sweepWith([1]));
    expect(await query(url, "select value from meta where name = 'seen'")).toEqual([{ value: "on" }]);
    await database.close();
  });
});
