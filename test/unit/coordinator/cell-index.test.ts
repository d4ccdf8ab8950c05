/** The table of cells does what a map by scope and id would. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { CellIndex } from "../../../coordinator/hot/cell-index.ts";
import { asCellId } from "../../../src/core/ids.ts";
import { sha256Hex } from "../../../src/core/canonical-json.ts";

// Few scopes and ids, of which some end alike: they meet in the table.
const names = fc.record({
  scope: fc.constantFrom("", "a", "b"),
  number: fc.nat({ max: 300 }),
  hashed: fc.boolean(),
});

it("finds what was added and not taken out, in the order in which it came", () => {
  fc.assert(
    fc.property(fc.array(names, { size: "max", maxLength: 2_000 }), (steps) => {
      const index = new CellIndex();
      const model = new Map<string, { readonly scope: string; readonly id: ReturnType<typeof asCellId> }>();
      for (const { scope, number, hashed } of steps) {
        const id = asCellId(hashed ? sha256Hex(String(number)) : `${String(number)}-000000000000`);
        const name = `${scope}/${id}`;
        const known = model.get(name);
        expect(index.get(scope, id)).toBe(known);
        if (known === undefined) {
          const cell = { scope, id };
          model.set(name, cell);
          index.add(cell);
          expect(index.get(scope, id)).toBe(cell);
        } else {
          model.delete(name);
          index.delete(known);
          expect(index.get(scope, id)).toBeUndefined();
          index.delete(known);
        }
        expect(index.size).toBe(model.size);
      }
      expect([...index.values()]).toEqual([...model.values()]);
    }),
    { numRuns: 50 },
  );
});

it("forgets what left: thousands come and go beside a few that stay", () => {
  const index = new CellIndex();
  const stays = { scope: "", id: asCellId("stays") };
  index.add(stays);
  for (let number = 0; number < 20_000; number += 1) {
    const cell = { scope: "", id: asCellId(`${number}`) };
    index.add(cell);
    index.delete(cell);
  }
  expect(index.size).toBe(1);
  expect([...index.values()]).toEqual([stays]);
  expect(index.get("", stays.id)).toBe(stays);
});
