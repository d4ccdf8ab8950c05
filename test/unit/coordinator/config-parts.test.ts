/** Configurations come back byte for byte from their parts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigParts, NewParts } from "../../../coordinator/store/config-parts.ts";
import { openDatabase } from "../../../coordinator/store/sqlite/sqlite-api.ts";
import { NodeSqliteDialect } from "../../../coordinator/store/sqlite/sqlite-dialect.ts";
import type { Tables } from "../../../coordinator/store/tables.ts";
import { Kysely, sql } from "kysely";

const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(openDatabase(":memory:")) });

/** Its own text is the `at`-th. */
const listOf = (parts: NewParts, texts: readonly string[], at: number): string =>
  parts.listOf({ before: texts.slice(0, at), after: texts.slice(at + 1) }, texts[at] ?? "");

describe("a configuration", () => {
  it("is the text that was given, whatever its parts are, and whoever reads it", async () => {
    await sql`create table config_part (part_id integer primary key, text text not null, crc integer)`.execute(db);
    const texts = fc.array(fc.oneof(fc.json({ maxDepth: 4 }), fc.string()), { size: "max", maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { size: "max", maxLength: 30 }), async (given) => {
        await sql`delete from config_part`.execute(db);
        const writer = new ConfigParts();
        const parts = new NewParts(writer, 1);
        const lists = given.map((fields) => listOf(parts, fields, fields.length >> 1));
        for (const [text, part_id] of parts.added)
          await db.insertInto("config_part").values({ part_id, text }).execute();
        writer.learn(parts.added);
        const whole = given.map((fields) => fields.join(""));
        expect(await writer.textsOf(db, lists)).toEqual(whole);
        expect(await new ConfigParts().textsOf(db, lists)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  it("shares its parts with others, those of one transaction and those of earlier ones", () => {
    const known = new ConfigParts();
    const long = `{"architecture":{"kind":"mlp","depth":1}`;
    const first = new NewParts(known, 7);
    const one = listOf(first, [long, ',"seed":"1"}'], 1);
    const other = listOf(first, [long, ',"seed":"2"}'], 1);
    expect([JSON.parse(one), JSON.parse(other)]).toEqual([
      [7, ',"seed":"1"}'],
      [7, ',"seed":"2"}'],
    ]);
    known.learn(first.added);
    const next = new NewParts(known, first.nextId);
    expect(JSON.parse(listOf(next, [long, ',"seed":"3"}'], 1))).toEqual([7, ',"seed":"3"}']);
    expect(next.added.size).toBe(0);
  });
});
