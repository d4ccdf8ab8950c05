/** Configurations come back byte for byte from their parts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigParts, NewParts } from "../../../coordinator/store/config-parts.ts";
import { openDatabase } from "../../../coordinator/store/sqlite/sqlite-api.ts";
import { NodeSqliteDialect } from "../../../coordinator/store/sqlite/sqlite-dialect.ts";
import type { Tables } from "../../../coordinator/store/tables.ts";
import { Kysely, sql } from "kysely";

const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(openDatabase(":memory:")) });

describe("a configuration", () => {
  it("is the text that was given, whatever its parts are, and whoever reads it", async () => {
    await sql`create table config_part (part_id integer primary key, text text not null, crc integer)`.execute(db);
    const texts = fc.array(fc.oneof(fc.json({ maxDepth: 4 }), fc.string()), { size: "max", maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { size: "max", maxLength: 30 }), async (given) => {
        await sql`delete from config_part`.execute(db);
        const writer = new ConfigParts();
        const parts = new NewParts(writer, 1);
        const lists = given.map((fields) => parts.listOf(fields));
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
    const one = first.listOf([long, ',"seed":"1"}']);
    const other = first.listOf([long, ',"seed":"2"}']);
    expect([JSON.parse(one), JSON.parse(other)]).toEqual([
      [7, ',"seed":"1"}'],
      [7, ',"seed":"2"}'],
    ]);
    known.learn(first.added);
    const next = new NewParts(known, first.nextId);
    expect(JSON.parse(next.listOf([long, ',"seed":"3"}']))).toEqual([7, ',"seed":"3"}']);
    expect(next.added.size).toBe(0);
  });
});
