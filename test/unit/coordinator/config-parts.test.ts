/** Configurations come back byte for byte from their parts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigParts, NewParts, splitFields } from "../../../coordinator/store/config-parts.ts";
import { openDatabase } from "../../../coordinator/store/sqlite/sqlite-api.ts";
import { NodeSqliteDialect } from "../../../coordinator/store/sqlite/sqlite-dialect.ts";
import type { Tables } from "../../../coordinator/store/tables.ts";
import { Kysely, sql } from "kysely";

const db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(openDatabase(":memory:")) });

describe("a configuration", () => {
  it("is cut before each field of its own, and not inside of texts and values", () => {
    const json = String.raw`{"a":{"x":[1,2],"y":"}"},"b":"q\",\\","c":3}`;
    expect(splitFields(json)).toEqual(['{"a":{"x":[1,2],"y":"}"}', String.raw`,"b":"q\",\\"`, ',"c":3}']);
  });

  it("is cut like any other, whatever stood before it", () => {
    const section = fc.constantFrom("{}", '{"k":1}', '{"k":[1,{"a":","}],"n":"}"}', "12", '"a,b"', `"${"x".repeat(40)}"`);
    const config = fc.record({ a: section, b: section, c: section }).map(({ a, b, c }) => `{"a":${a},"b":${b},"c":${c}}`);
    fc.assert(
      fc.property(fc.array(config, { size: "max", maxLength: 20 }), (given) => {
        const gathering = new NewParts(new ConfigParts(), 1);
        const alone = new NewParts(new ConfigParts(), 1);
        const together = given.map((text) => gathering.listOf(text));
        const apart = given.map((text) => (alone.listOf('"none"'), alone.listOf(text)));
        expect(together).toEqual(apart);
      }),
    );
  });

  it("is the text that was given, whatever JSON it is, and whoever reads it", async () => {
    await sql`create table config_part (part_id integer primary key, text text not null, crc integer)`.execute(db);
    const texts = fc.json({ maxDepth: 4 }).map((text) => text);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(texts, fc.string()), { size: "max", maxLength: 30 }), async (given) => {
        await sql`delete from config_part`.execute(db);
        const writer = new ConfigParts();
        const parts = new NewParts(writer, 1);
        const lists = given.map((text) => parts.listOf(text));
        for (const [text, part_id] of parts.added)
          await db.insertInto("config_part").values({ part_id, text }).execute();
        writer.learn(parts.added);
        expect(await writer.textsOf(db, lists)).toEqual(given);
        expect(await new ConfigParts().textsOf(db, lists)).toEqual(given);
      }),
      { numRuns: 50 },
    );
  });

  it("shares its parts with others, those of one transaction and those of earlier ones", () => {
    const known = new ConfigParts();
    const long = `{"architecture":{"kind":"mlp","depth":1}`;
    const first = new NewParts(known, 7);
    const one = first.listOf(`${long},"seed":"1"}`);
    const other = first.listOf(`${long},"seed":"2"}`);
    expect([JSON.parse(one), JSON.parse(other)]).toEqual([
      [7, ',"seed":"1"}'],
      [7, ',"seed":"2"}'],
    ]);
    known.learn(first.added);
    const next = new NewParts(known, first.nextId);
    expect(JSON.parse(next.listOf(`${long},"seed":"3"}`))).toEqual([7, ',"seed":"3"}']);
    expect(next.added.size).toBe(0);
  });
});
