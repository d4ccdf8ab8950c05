import { describe, expect, test } from "vitest";
import { sweepSchema, sweepSchemaText } from "../../../src/spec/json-schema.ts";
import { SECTION_NAMES, sections } from "../../../src/spec/sections.ts";

interface Variant {
  readonly const?: string;
  readonly description?: string;
  readonly properties?: Readonly<
    Record<string, { readonly anyOf?: readonly Variant[]; readonly description?: string }>
  >;
}
const definitions = sweepSchema()["definitions"] as unknown as Record<string, { readonly anyOf: readonly Variant[] }>;

describe("the JSON Schema for editors", () => {
  // Stale? `npx vitest run --config test/vitest.config.ts --project unit test/unit/spec/json-schema.test.ts -u` writes it anew.
  test("is committed as the catalogue makes it", async () => {
    await expect(sweepSchemaText()).toMatchFileSnapshot("../../../src/spec/sweep.schema.json");
  });

  test.each(SECTION_NAMES)("knows every kind of %s and every field, with its description", (section) => {
    const variants = definitions[`${section}Variant`]!.anyOf;
    const { kinds, tag } = sections().byName[section];
    for (const { kind, summary, fields } of kinds.values()) {
      if (tag !== undefined) expect(variants.find((variant) => variant.const === kind)?.description).toBe(summary);
      const variant = variants.find(({ properties }) => {
        return properties !== undefined && (tag === undefined || properties[tag]!.anyOf![0]!.const === kind);
      });
      for (const field of fields.values()) {
        const [head, ...rest] = field.name.split(".");
        const outer = variant!.properties![head!]!;
        const schema = rest.length === 0 ? outer : outer.anyOf![0]!.properties![rest[0]!];
        expect(schema, `${section} ${kind} ${field.name}`).toBeDefined();
        expect(schema!.description ?? "").toBe(field.description);
      }
    }
  });

  test("refers to no definition that it does not have", () => {
    const names = [...sweepSchemaText().matchAll(/"#\/definitions\/([^"]+)"/gu)].map((match) => match[1]!);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(Object.keys(definitions)).toContain(name);
  });

  test("says what each field is for", () => {
    for (const name of SECTION_NAMES) {
      for (const kind of sections().byName[name].kinds.values()) {
        for (const field of kind.fields.values())
          expect(field.description, `${name} ${kind.kind} ${field.name}`).not.toBe("");
      }
    }
  });
});
