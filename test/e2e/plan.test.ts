/** `occam plan`, and what every command does with a sweep file that cannot be used. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { occam, temporaryFolder } from "./support/occam.ts";
import { TINY } from "./support/tiny.ts";

const BILLION = `
version: 1
name: billion
data: { kind: teacher-student }
grid:
  architecture: { kind: mlp, activation: [tanh, relu], depth: [1, 2, 3, 4, 5] }
  optimizer:
    - { kind: sgd, learningRate: { log: [0.001, 1, 100] } }
  regulariser: { kind: l2, strength: { log: [1e-6, 1e-1, 100] } }
  scale: { width: { values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] } }
  seed: { replicates: 1000 }
`;

/** Ten mistakes; the comments are the lines that they stand on. */
const MISTAKES = `version: 2
name: Not A Name
data: { kind: digts }
grid:
  architecture: { kind: mlp, activation: tahn, depth: -1 }
  optimizer: { kind: adam, learningrate: 0.1 }
  regulariser: { kind: l1 }
  scale: { widht: [8, 16] }
train: { steps: many }
wher: "true"
`;

describe("occam plan", () => {
  it("shows cells, fuse groups and times of a small sweep, for people and for scripts", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "tiny.yaml"), TINY);
    const people = await occam(["plan", "tiny.yaml"], { cwd });
    expect([people.code, people.stderr]).toEqual([0, ""]);
    expect(people.stdout).toMatch(/cells +8\b/);
    expect(people.stdout).toContain("wasm");
    const script = await occam(["plan", "tiny.yaml", "--json"], { cwd });
    expect(JSON.parse(script.stdout)).toMatchObject({ name: "tiny", cells: 8, exact: true });
    const cells = await occam(["plan", "tiny.yaml", "--cells", "--json"], { cwd });
    const lines = cells.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { cellId: string });
    expect(new Set(lines.map(({ cellId }) => cellId)).size).toBe(8);
  });

  it("plans 10^9 points below 2 s (5 s on a busy machine) and 200 MB", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "billion.yaml"), BILLION);
    const rssFile = join(cwd, "rss");
    const hook = new URL("support/report-rss.mjs", import.meta.url).href;
    const env = { NODE_OPTIONS: `--import=${hook}`, OCCAM_TEST_RSS_FILE: rssFile };
    const startMs = performance.now();
    const { code, stdout } = await occam(["plan", "billion.yaml", "--json"], { cwd, env });
    const tookMs = performance.now() - startMs;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ gridSize: 1e9 });
    expect(tookMs).toBeLessThan(5_000);
    expect(Number(readFileSync(rssFile, "utf8")) / 1024).toBeLessThan(200);
  });

  it("reports ten mistakes of a file at once, each with line and column, and ends with 64", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "bad.yaml"), MISTAKES);
    for (const command of ["plan", "run", "submit"]) {
      const { code, stdout, stderr } = await occam([command, "bad.yaml"], { cwd, env: { OCCAM_TOKEN: "t" } });
      expect([code, stdout], command).toEqual([64, ""]);
      const places = [...stderr.matchAll(/^bad\.yaml:(\d+):(\d+): /gm)].map((match) => Number(match[1]));
      expect(places, stderr).toEqual([1, 2, 3, 5, 5, 6, 7, 8, 9, 10]);
      for (const word of ["digits", "tanh", "learningRate", "width", "where"]) {
        expect(stderr, command).toContain(`did you mean "${word}"?`);
      }
    }
  });

  it("says which file is missing", async () => {
    const { code, stderr } = await occam(["plan", "absent.yaml"]);
    expect(code).toBe(64);
    expect(stderr).toContain("absent.yaml: the sweep file cannot be read");
  });
});
