/** The quick test of a result against its schema: what it lets pass, zod lets pass unchanged. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { cellResultSchema, isCellResult, resultDigest } from "../../../src/result/cell-result.ts";
import { exactly } from "../../../src/result/exact.ts";
import { readResult, resultToJson } from "../../../src/wire/cell-outcome.ts";
import { wholeEstimate, wholeResult } from "../../support/whole-result.ts";

type Tree = { [key: string]: unknown };

const POINT = { nBeta: 1, gamma: null, lambdaHat: 0.5, lambdaSe: 1e-300, verdict: "ok" } as const;
const WHOLE = wholeResult({
  estimate: wholeEstimate({ curve: [POINT, { ...POINT, verdict: "biased" }] }),
  dropped: { points: 3, lines: 0 },
});

/** Every object in a value, itself included. */
function objectsOf(value: unknown): readonly Tree[] {
  if (typeof value !== "object" || value === null) return [];
  return [value as Tree, ...Object.values(value).flatMap(objectsOf)];
}

const strange = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.double(),
  fc.integer(),
  fc.constantFrom<unknown>(undefined, -0, 2 ** 53, "ok", "diverged", null),
);

/** One field of one of its objects changed, added or taken out. */
const edit = fc.record({
  at: fc.nat(),
  field: fc.nat(),
  how: fc.constantFrom("set", "add", "take"),
  name: fc.oneof(fc.string(), fc.constantFrom("__proto__", "dropped", "curve", "lambdaHat")),
  value: strange,
});

function edited(edits: readonly { at: number; field: number; how: string; name: string; value: unknown }[]): unknown {
  const value = structuredClone(WHOLE) as unknown as Tree;
  for (const { at, field, how, name, value: to } of edits) {
    const objects = objectsOf(value);
    const object = objects[at % objects.length]!;
    if (Array.isArray(object)) {
      object.splice(field % (object.length + 1), how === "add" ? 0 : 1, ...(how === "take" ? [] : [to]));
      continue;
    }
    const names = Object.keys(object);
    const known = names[field % Math.max(1, names.length)];
    if (how === "add")
      Object.defineProperty(object, name, { value: to, enumerable: true, configurable: true, writable: true });
    else if (known !== undefined && how === "set") object[known] = to;
    else if (known !== undefined) delete object[known];
  }
  return value;
}

describe("the exact test of a result", () => {
  it("holds for results, with and without what may be left out, in any order of fields", () => {
    expect(isCellResult(WHOLE)).toBe(true);
    expect(isCellResult(wholeResult())).toBe(true);
    expect(isCellResult(JSON.parse(resultToJson(WHOLE)))).toBe(true);
  });

  it("holds for nothing that the schema refuses or changes, whatever is edited in a result", () => {
    let held = 0;
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 4 }), (edits) => {
        const value = edited(edits);
        if (!isCellResult(value)) return;
        held += 1;
        const parsed = cellResultSchema.safeParse(value);
        expect(parsed.success).toBe(true);
        expect(parsed.data).toStrictEqual(value);
      }),
      { numRuns: 3_000 },
    );
    expect(held).toBeGreaterThan(100);
  });

  it("fails for every whole result with a field more, less or of another type", () => {
    for (const [at, object] of objectsOf(WHOLE).entries()) {
      if (Array.isArray(object)) continue;
      for (const name of Object.keys(object)) {
        const changed = structuredClone(WHOLE);
        (objectsOf(changed)[at] as Tree)[name] = { no: "such value" };
        expect(isCellResult(changed), name).toBe(false);
      }
      const more = structuredClone(WHOLE);
      (objectsOf(more)[at] as Tree)["more"] = 1;
      expect(isCellResult(more)).toBe(false);
    }
  });

  it("is refused to schemas that it cannot look into", () => {
    expect(() => exactly(z.object({ at: z.date() }))).toThrow(/exact test/u);
    expect(() => exactly(z.string().min(1))).toThrow(/exact test/u);
    expect(() => exactly(z.number().positive())).toThrow(/exact test/u);
  });
});

describe("a result that is read", () => {
  const digest = resultDigest(WHOLE);

  it("has the digest that its worker has found, whatever the order of its fields", () => {
    expect(readResult(resultToJson(WHOLE))).toEqual({ result: WHOLE, digest });
    expect(readResult(JSON.stringify(WHOLE))).toEqual({ result: WHOLE, digest });
    const reversed = Object.fromEntries(Object.entries(WHOLE).reverse());
    expect(readResult(JSON.stringify(reversed)).digest).toBe(digest);
  });

  it("is hashed without fields that are not known here, deep ones included", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const text = resultToJson(WHOLE).replace("{", `{"later":${deep},`).replace('"timing":{', '"timing":{"later":{},');
    expect(readResult(text)).toEqual({ result: WHOLE, digest });
  });
});
