/** What every entry of the catalogue must be, of whatever list: named, documented, strict, and complete by default. */
import { z } from "zod";
import { describe, expect, test } from "vitest";
import { ARCHITECTURES, DATASETS, OPTIMIZERS, REGULARISERS } from "../../src/catalogue/registry.ts";

const LISTS = { architecture: ARCHITECTURES, optimizer: OPTIMIZERS, regulariser: REGULARISERS, data: DATASETS };

describe.each(Object.entries(LISTS))("the list of kind %s", (_, entries) => {
  test("names each entry once, in kebab-case, with one line of summary", () => {
    const kinds = entries.map(({ kind }) => kind);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(kinds.length).toBeGreaterThan(0);
    for (const { kind, summary } of entries) {
      expect(kind).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(summary, kind).toMatch(/^[^\n]{10,120}[^.\n]$/);
    }
  });

  test("describes each field of each entry, and refuses others", () => {
    for (const { kind, schema } of entries) {
      // What an editor is told: the description of a field or of the type inside its default.
      const { properties } = z.toJSONSchema(schema, { io: "input" });
      for (const [name, field] of Object.entries(properties ?? {})) {
        expect(field, `${kind}.${name}`).toHaveProperty("description", expect.stringMatching(/.{5,}/));
      }
      expect(schema.safeParse({ noSuchField: 1 }).success, kind).toBe(false);
    }
  });

  test("keeps configurations flat: parsed fields are scalars", () => {
    for (const { kind, schema } of entries) {
      const defaults = schema.safeParse({});
      const parsed = defaults.success ? defaults.data : schema.parse({ strength: 0.1 });
      for (const [name, value] of Object.entries(parsed)) {
        expect(["string", "number", "boolean"], `${kind}.${name}`).toContain(typeof value);
      }
    }
  });
});

test("an architecture and an optimizer need no field, so that their kind alone names a configuration", () => {
  for (const { kind, schema } of [...ARCHITECTURES, ...OPTIMIZERS]) {
    expect(schema.safeParse({}).success, kind).toBe(true);
  }
});
