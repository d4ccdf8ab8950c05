/** What a start loads: packages that a module reaches by imports that are not dynamic. One more is a slower start of all of them. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

const IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^;"]*?from\s+)?"([^"]+)"/gmu;

/** By package: a module of ours that imports it. */
function packagesOf(...entries: readonly string[]): Readonly<Record<string, string>> {
  const packages: Record<string, string> = {};
  const seen = new Set<string>();
  const waiting = entries.map((entry) => join(root, entry));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(IMPORT)) {
      if (name.startsWith(".")) waiting.push(join(dirname(file), name));
      else if (!name.startsWith("node:")) packages[name] ??= relative(root, file);
    }
  }
  return packages;
}

const namesOf = (packages: Readonly<Record<string, string>>): readonly string[] => Object.keys(packages).sort();

describe("a start loads", () => {
  it("of packages, the command line alone for any command", () => {
    expect(namesOf(packagesOf("src/cli/main.ts", "src/cli/cli.ts"))).toEqual(["yargs"]);
  });

  it("for a coordinator on a folder nothing of sweep files, reflection, PostgreSQL, metrics or traces", () => {
    const packages = packagesOf("src/cli/run/serve-coordinator.ts", "coordinator/main.ts", "src/rpc/tokens.ts");
    expect(namesOf(packages), JSON.stringify(packages)).toEqual([
      "@bufbuild/protobuf/wire",
      "@grpc/grpc-js",
      "kysely",
      "pino",
    ]);
  });
});
