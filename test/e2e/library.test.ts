/** The package as its users see it: by its name, from a process of its own, with its types. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/occam.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const run = promisify(execFile);

/** A project that has linked the package, as `npm install <folder>` does. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules", "occam"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", type: "module" }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const EXAMPLE = readFileSync(join(ROOT, "examples/library.mjs"), "utf8");

/** Of one line of the example. */
const figuresOf = (line: string): readonly number[] =>
  /lambda-hat (\S+) \+- (\S+) of (\d+) parameters/u.exec(line)!.slice(1).map(Number);

const TYPED = `
import { estimateLearningCoefficient, openEngine, type LearningCoefficient, type Losses } from "occam";
const engine = await openEngine("wasm");
const { tf } = engine;
const losses: Losses = ([w], rows) => tf.mul(tf.ones(rows.shape), tf.sum(tf.square(w!)));
const request = { engine, losses, weights: [tf.zeros([3])], samples: 100 } as const;
const result: LearningCoefficient = await estimateLearningCoefficient({ ...request, curve: { nBeta: [0.5, 2] } });
export const lambda: number | null = result.lambdaHat;
export const draws: readonly Float64Array[] = result.x;
// @ts-expect-error there is no such option
await estimateLearningCoefficient({ ...request, chain: 2 });
`;

describe("the package", () => {
  test("runs its example from the checkout, and the same from another project", async () => {
    const here = await run(process.execPath, ["examples/library.mjs"], { cwd: ROOT });
    const [network, control] = here.stdout.trim().split("\n");
    const [lambdaHat, lambdaSe, parameters] = figuresOf(network!);
    expect(network).toMatch(/^network: .* ok: R-hat/u);
    expect(parameters).toBe(10);
    expect(lambdaHat).toBeGreaterThan(1);
    expect(lambdaHat).toBeLessThan(5 + 3 * lambdaSe!);
    const [known, knownSe] = figuresOf(control!);
    expect(control).toMatch(/^w1\^2 w2\^2: .* ok: R-hat/u);
    expect(Math.abs(known! - 0.3813)).toBeLessThan(3 * knownSe!);
    const folder = project({ "library.mjs": EXAMPLE });
    const there = await run(process.execPath, ["library.mjs"], { cwd: folder });
    expect(there.stdout).toBe(here.stdout);
  });

  test("has types that a strict project compiles with", async () => {
    const folder = project({ "typed.ts": TYPED });
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
    await run(process.execPath, [join(ROOT, "node_modules/typescript/lib/tsc.js"), ...options, "typed.ts"], {
      cwd: folder,
    });
  });

  test("packs what a user needs", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT });
    const [{ files }] = JSON.parse(stdout) as [{ files: readonly { path: string }[] }];
    const paths = files.map(({ path }) => path);
    const wanted = ["library.js", "library.d.ts", "engine/wasm/kernels.wasm", "engine/wasm/kernels-relaxed.wasm"];
    for (const path of wanted) expect(paths).toContain(`dist/worker/${path}`);
    for (const path of ["package.json", "README.md", "LICENSE", "examples/library.mjs"]) expect(paths).toContain(path);
  });
});
