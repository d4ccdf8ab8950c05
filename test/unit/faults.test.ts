/** The table of faults in the coordinator's design is what the tests are: every test that it names is there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FAULTS = Array.from({ length: 27 }, (_, index) => `F${index + 1}`);

/** A row: | F1 | what | `test/...`, `test/...` | figures | */
const ROW = /^\| (F\d+) +\|[^|]*\|([^|]*)\|/u;

const rows = new Map(
  readFileSync(join(ROOT, "coordinator/DESIGN.md"), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, id, files] = ROW.exec(line) ?? [];
      return id === undefined ? [] : [[id, [...files!.matchAll(/`([^`]+)`/gu)].map(([, path]) => path!)] as const];
    }),
);

/** Of a test's title, which begins with the faults that it is about: "F1 F3 survives ...". */
function faultsOf(path: string): ReadonlySet<string> {
  const titles = readFileSync(join(ROOT, path), "utf8").matchAll(/["`]((?:F\d+ )+)/gu);
  return new Set([...titles].flatMap(([, ids]) => ids!.trim().split(" ")));
}

describe("the table of faults", () => {
  it("has a row for every fault", () => {
    expect([...rows.keys()]).toEqual(FAULTS);
  });

  it.each(FAULTS)("names for %s files that have a test of it", (id) => {
    expect(rows.get(id)).not.toHaveLength(0);
    for (const path of rows.get(id) ?? []) {
      expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
      expect([path, [...faultsOf(path)]]).toEqual([path, expect.arrayContaining([id])]);
    }
  });
});
