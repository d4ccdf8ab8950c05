/** Check, backup, export and migrate, on both kinds of store. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../../coordinator/store/change.ts";
import { openPostgres } from "../../../coordinator/store/postgres/open-postgres.ts";
import { openSqliteStore } from "../../../coordinator/store/sqlite/open-sqlite.ts";
import type { Store } from "../../../coordinator/store/store.ts";
import { isSealed } from "../../../coordinator/store/seal.ts";
import { readRows, TABLES } from "../../../coordinator/store/tools/read-rows.ts";
import { lineOf } from "../../../coordinator/store/tools/row-text.ts";
import { withSnapshot } from "../../../coordinator/store/tools/snapshot.ts";
import { storeTools } from "../../../coordinator/store/tools/main.ts";
import { asSessionId } from "../../../src/core/ids.ts";
import {
  committed,
  FUSE_KEY,
  granted,
  logLine,
  logs,
  metrics,
  sweepRecord,
  sweepWith,
  token,
  W1,
} from "../../conformance/store-fixture.ts";
import { postgresMissing, query, startPostgres, type PostgresServer } from "../../support/postgres-server.ts";
import { quietLogger } from "../../support/quiet-logger.ts";

const skipped = postgresMissing === undefined ? "" : ` (${postgresMissing})`;
const CELLS = 300;

let folder: string;
const at = (name: string): string => join(folder, name);
const tools = (store: string) => storeTools(store, quietLogger);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "occam-tools-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Something in every table, and every kind of value. */
async function fill(store: Store, cells = CELLS): Promise<void> {
  const keys = Array.from({ length: cells }, (_, index) => index + 1);
  const half = keys.slice(0, cells / 2);
  await store.beginEpoch();
  await store.apply([
    ...sweepWith(keys),
    { kind: "sweep-added", sweep: sweepRecord(2, { state: "finished", finishedMs: 5, scope: "of its own" }) },
    { kind: "fuse-group-set", fuseKey: FUSE_KEY, bytesPerMember: 2 ** 40, flopsPerCell: 1.5e18 },
    { kind: "session-added", seq: 1, sessionId: asSessionId("s1"), workerId: W1, seenMs: 3 },
    granted(1, half),
    granted(2, keys.slice(cells / 2)),
    ...half.flatMap((key) => metrics(key, 0, 40, key)),
    ...half.flatMap((key) => committed(key, 1, { lambdaHat: key === 1 ? 1e-10 : key / 3, testLoss: null })),
    { kind: "lease-ended", token: token(1), ended: "finished", endedMs: 9 },
    findingOf(1),
    logs(
      9_999,
      0,
      keys.map((key) => logLine(key, { message: `line\u2028${key} λ̂ 学習 "quoted"\n`, fieldsJson: `{"k":${key}}` })),
    ),
  ]);
}

const findingOf = (cellKey: number): Change => ({
  kind: "finding-noted",
  cellKey,
  token: token(1),
  workerId: W1,
  digest: "another",
  json: "{}",
  notedMs: 4,
});

async function filledFolder(name = "store", cells = CELLS): Promise<string> {
  const store = await openSqliteStore(at(name));
  await fill(store, cells);
  await store.close();
  return at(name);
}

/** The tables of an export as texts; the leader's epoch moves with every import. */
function filesOf(exported: string): Readonly<Record<string, string>> {
  const names = readdirSync(exported).filter((name) => name !== "leader.jsonl" && name.endsWith(".jsonl"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(exported, name), "utf8")]));
}

async function contentOf(store: string, name: string): Promise<Readonly<Record<string, string>>> {
  await tools(store).export(at(name));
  return filesOf(at(name));
}

/** The same without files. */
const rowsOf = (store: string): Promise<Readonly<Record<string, string>>> =>
  withSnapshot(store, quietLogger, async ({ db }) => {
    const texts: Record<string, string> = {};
    for (const table of TABLES) {
      texts[table] = "";
      for await (const page of readRows(db, table)) texts[table] += page.map((row) => lineOf(table, row)).join("\n");
    }
    return texts;
  });

describe("occam store check", () => {
  it("finds a store whole, beside the coordinator that writes to it", async () => {
    const store = await openSqliteStore(at("store"));
    await fill(store);
    const report = await tools(at("store")).check();
    expect(report).toMatchObject({ problems: [], cut: false, unsealed: 0 });
    expect(report.rows).toBeGreaterThan(5 * CELLS);
    await store.close();
    expect((await tools(at("store")).check()).problems).toEqual([]);
  });

  it("finds a flipped bit in the middle, and says in which row or page", async () => {
    const store = await filledFolder();
    const file = join(store, "occam.db");
    const bytes = readFileSync(file);
    // The letter of a log line in the middle of the file's log lines: a value, which SQLite itself does not look at.
    const place = bytes.indexOf("line\u2028150 λ̂");
    expect(place).toBeGreaterThan(0);
    bytes[place]! ^= 1;
    writeFileSync(file, bytes);
    expect((await tools(store).check()).problems).toEqual([
      { where: "log_line seq=150", what: expect.stringContaining("it is not what was written") },
    ]);
    bytes[place]! ^= 1;
    const middle = Math.floor(bytes.length / 2);
    bytes[middle]! ^= 1;
    writeFileSync(file, bytes);
    expect((await tools(store).check()).problems.length).toBeGreaterThan(0);
  });

  it("finds a flipped bit in the middle of the log, which SQLite itself would read up to there without a word", async () => {
    const store = await openSqliteStore(at("store"));
    await fill(store);
    for (let seq = 2; seq <= 6; seq += 1) {
      await store.apply([{ kind: "session-added", seq, sessionId: asSessionId(`s${seq}`), workerId: W1, seenMs: 3 }]);
    }
    // As a power cut leaves them.
    mkdirSync(at("cut"));
    const log = readFileSync(join(at("store"), "occam.db-wal"));
    const frames = (log.length - 32) / (4_096 + 24);
    log[32 + Math.floor(frames / 2) * (4_096 + 24) + 1_000]! ^= 1;
    writeFileSync(join(at("cut"), "occam.db"), readFileSync(join(at("store"), "occam.db")));
    writeFileSync(join(at("cut"), "occam.db-wal"), log);
    await store.close();
    const { problems } = await tools(at("cut")).check();
    expect(problems[0]).toMatchObject({
      where: "occam.db-wal",
      what: expect.stringMatching(/^frame \d+ of \d+ of its log is damaged/u),
    });
  });

  it("finds any flipped bit that changes what is stored, but for what has no checksum and no other witness", async () => {
    const store = await filledFolder("store", 600);
    const file = join(store, "occam.db");
    const whole = readFileSync(file);
    const before = await rowsOf(store);
    const sizeBits = statSync(file).size * 8;
    const tally = { found: 0, harmless: 0, unseen: 0 };
    // Every so many bits, by a step that is prime.
    for (let bit = 777; bit < sizeBits; bit += 65_521) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(file, damaged);
      const problems = await tools(store)
        .check()
        .then((report) => report.problems.length)
        .catch((error: unknown) => expect(error).toMatchObject({ code: "store-corrupt" }));
      if (problems !== 0) tally.found += 1;
      else {
        const after = await rowsOf(store);
        const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
        if (changed.length === 0) tally.harmless += 1;
        else {
          tally.unseen += 1;
          const unsealed = changed.filter((name) => !isSealed(name));
          expect([bit, changed]).toEqual([bit, unsealed]);
        }
      }
    }
    expect(tally.found).toBeGreaterThan(tally.harmless);
    expect(tally.unseen).toBeLessThan((tally.found + tally.harmless) / 20);
  }, 120_000);

  it("finds what rows cannot say together", async () => {
    const store = await openSqliteStore(at("store"));
    await fill(store);
    await store.apply([{ kind: "cells-cancelled", cellKeys: [1] }]);
    await store.close();
    expect((await tools(at("store")).check()).problems).toEqual([
      { where: "result cell_key=1", what: "its cell does not count as committed" },
    ]);
  });

  it("refuses a folder without a store, and one that is no database", async () => {
    await expect(tools(at("nothing")).check()).rejects.toMatchObject({ code: "not-found" });
    mkdirSync(at("odd"));
    writeFileSync(join(at("odd"), "occam.db"), "no database, but long enough to look like one".repeat(30));
    await expect(tools(at("odd")).check()).rejects.toMatchObject({ code: "store-corrupt" });
  });
});

describe("occam store backup", () => {
  it("copies what is committed while a coordinator writes, and the copy is a store", async () => {
    const store = await openSqliteStore(at("store"));
    await fill(store);
    const { file, sizeBytes } = tools(at("store")).backup(at("copy"));
    await store.apply([{ kind: "sweep-added", sweep: sweepRecord(3) }]);
    expect([file, sizeBytes]).toEqual([join(at("copy"), "occam.db"), statSync(join(at("copy"), "occam.db")).size]);
    expect(readdirSync(at("copy"))).toEqual(["occam.db"]);
    expect((await tools(at("copy")).check()).problems).toEqual([]);
    const copy = await openSqliteStore(at("copy"));
    expect(await copy.loadSweeps()).toHaveLength(2);
    expect(await store.loadSweeps()).toHaveLength(3);
    await copy.beginEpoch();
    await copy.apply([{ kind: "sweep-added", sweep: sweepRecord(3) }]);
    await copy.close();
    await store.close();
  });

  it("takes no folder that has a store, and leaves nothing of a copy that fails", async () => {
    const store = await filledFolder();
    await filledFolder("other", 10);
    const before = readFileSync(join(at("other"), "occam.db"));
    expect(() => tools(store).backup(at("other"))).toThrow(expect.objectContaining({ code: "bad-usage" }));
    expect(readFileSync(join(at("other"), "occam.db")).equals(before)).toBe(true);
    const bytes = readFileSync(join(store, "occam.db"));
    bytes.fill(0xa5, 8 * 4096, 12 * 4096);
    writeFileSync(join(store, "occam.db"), bytes);
    expect(() => tools(store).backup(at("copy"))).toThrow(expect.objectContaining({ code: "store-corrupt" }));
    expect(readdirSync(at("copy"))).toEqual([]);
  });

  it("leaves PostgreSQL to pg_dump", () => {
    expect(() => tools("postgres://occam:secret@db/runs").backup(at("copy"))).toThrow(
      expect.objectContaining({ code: "unsupported", where: "db:5432/runs", hint: expect.stringContaining("pg_dump") }),
    );
  });
});

describe("occam store migrate --from", () => {
  it("gives another folder the same rows", async () => {
    const store = await filledFolder();
    const before = await contentOf(store, "one");
    const { rows } = await tools(at("new")).migrate(at("one"));
    expect(rows).toBe(
      Object.values({ ...before, leader: "1\n" })
        .join("")
        .split("\n").length - 1,
    );
    expect(await contentOf(at("new"), "two")).toEqual(before);
    expect((await tools(at("new")).check()).problems).toEqual([]);
  });

  it("refuses a store that is not empty, and an export that is half or changed; nothing is written then", async () => {
    const store = await filledFolder();
    await tools(store).export(at("one"));
    await expect(tools(store).migrate(at("one"))).rejects.toMatchObject({ code: "bad-usage" });
    await expect(tools(store).export(at("one"))).rejects.toMatchObject({ code: "bad-usage" });
    await expect(tools(at("new")).migrate(at("nothing"))).rejects.toMatchObject({ code: "not-found" });
    const lines = join(at("one"), "log_line.jsonl");
    const text = readFileSync(lines, "utf8");
    writeFileSync(lines, text.replace("150 λ̂", "151 λ̂"));
    await expect(tools(at("new")).migrate(at("one"))).rejects.toMatchObject({
      code: "store-corrupt",
      where: `${lines}:150`,
    });
    writeFileSync(lines, text.slice(0, text.indexOf("\n") + 1));
    await expect(tools(at("new")).migrate(at("one"))).rejects.toMatchObject({ code: "store-corrupt", where: lines });
    rmSync(lines);
    await expect(tools(at("new")).migrate(at("one"))).rejects.toMatchObject({ code: "store-corrupt", where: lines });
    writeFileSync(lines, text);
    // A row without a seal that the database itself refuses.
    const leases = join(at("one"), "lease.jsonl");
    const rows = readFileSync(leases, "utf8");
    writeFileSync(leases, rows.replace(/"worker_id":"[^"]*"/, '"worker_id":null'));
    await expect(tools(at("new")).migrate(at("one"))).rejects.toMatchObject({ code: "store-corrupt", where: leases });
    writeFileSync(leases, rows);
    await tools(at("new")).migrate(at("one"));
  });

  it("refuses a list that is damaged, of a newer build, or of tables that are none", async () => {
    await tools(await filledFolder("store", 2)).export(at("one"));
    const list = join(at("one"), "export.json");
    const text = readFileSync(list, "utf8");
    const refused = async (from: string | RegExp, to: string) => {
      writeFileSync(list, text.replace(from, to));
      expect(readFileSync(list, "utf8")).not.toBe(text);
      const error = await tools(at("new"))
        .migrate(at("one"))
        .catch((raised: unknown) => raised);
      return (error as { code?: string }).code;
    };
    expect(await refused('"format": 1', '"format": 2')).toBe("store-newer");
    expect(await refused(/"schemaVersion": \d+/, '"schemaVersion": 99')).toBe("store-newer");
    expect(await refused(/"schemaVersion": \d+/, '"schemaVersion": null')).toBe("store-corrupt");
    expect(await refused('"table": "config"', '"table": "../config"')).toBe("store-corrupt");
    expect(await refused(/\{\s*"table": "config"[^}]*\},/, "")).toBe("store-corrupt");
    expect(await refused("{", "")).toBe("store-corrupt");
    writeFileSync(list, text);
    expect(await tools(at("new")).migrate(at("one"))).toMatchObject({ rows: expect.any(Number) });
  });

  it("without --from brings an older store up to date, and makes none by mistake", async () => {
    await expect(tools(at("nothing")).migrate(undefined)).rejects.toMatchObject({ code: "not-found" });
    const store = await filledFolder();
    expect(await tools(store).migrate(undefined)).toMatchObject({ rows: undefined, store });
    const held = await openSqliteStore(store);
    await expect(tools(store).migrate(undefined)).rejects.toMatchObject({ code: "store-locked" });
    await held.close();
  });
});

describe.skipIf(postgresMissing !== undefined)(`a store in PostgreSQL${skipped}`, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.remove());

  it("takes every row of a folder and gives every row back", async () => {
    const store = await filledFolder();
    const before = await contentOf(store, "from-folder");
    const url = await server.newDatabase();
    await tools(url).migrate(at("from-folder"));
    expect((await tools(url).check()).problems).toEqual([]);
    expect(await contentOf(url, "from-postgres")).toEqual(before);
    await tools(at("back")).migrate(at("from-postgres"));
    expect(await contentOf(at("back"), "from-back")).toEqual(before);
    // And a coordinator goes on from them.
    const database = await openPostgres(url, quietLogger);
    const opened = database.store();
    await opened.beginEpoch();
    expect(await opened.loadCounters()).toMatchObject({ nextToken: 3, nextCellKey: CELLS + 1, nextLogSeq: CELLS + 1 });
    await opened.apply([granted(3, [CELLS])]);
    await database.close();
  });

  it("is checked beside its coordinator; a changed value is found", async () => {
    const url = await server.newDatabase();
    const database = await openPostgres(url, quietLogger);
    await fill(database.store());
    expect(await tools(url).check()).toMatchObject({ problems: [], unsealed: 0 });
    await query(url, "update result set json = replace(json, '12', '13') where cell_key = 12");
    await query(url, "update stream set next_offset = next_offset - 1 where stream_id = 3");
    expect((await tools(url).check()).problems).toEqual([
      { where: "result cell_key=12", what: expect.stringContaining("it is not what was written") },
      { where: "stream stream_id=3", what: "its records are not as many as it says" },
    ]);
    await database.close();
  });

  it("that is empty is refused for reading, and deposes a coordinator when it is filled", async () => {
    const url = await server.newDatabase();
    await expect(tools(url).check()).rejects.toMatchObject({ code: "not-found" });
    await tools(await filledFolder()).export(at("one"));
    const database = await openPostgres(url, quietLogger);
    const store = database.store();
    await store.beginEpoch();
    await tools(url).migrate(at("one"));
    await expect(store.apply([{ kind: "sweep-added", sweep: sweepRecord(5) }])).rejects.toMatchObject({
      code: "unavailable",
    });
    await database.close();
  });
});
