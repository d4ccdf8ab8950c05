/** `occam calibrate` on a real cell: training, some twenty estimates, the page and a block that can be pasted. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { occam, pause, start, temporaryFolder } from "./support/occam.ts";
import { plannedIds } from "./support/results.ts";

/** Linear regression, a regular model: lambda is d/2 with d = inputs + 1. */
const REGULAR = `version: 1
name: regular
data: { kind: teacher-student, teacher: linear, noise: 1, train: 200, test: 50 }
grid:
  architecture: { kind: polynomial, basis: monomial, degree: 1, normalise: false }
  optimizer: { kind: sgd, learningRate: 0.1 }
  scale: { inputs: [3, 5] }
train: { steps: 300, batch: 100, schedule: cosine }
estimate: { budget: 400 }
`;

interface Printed {
  readonly cellId: string;
  readonly point: Readonly<Record<string, unknown>>;
  readonly parameters: number;
  readonly measurements: readonly {
    readonly stage: string;
    readonly label: string;
    readonly seconds: number;
    readonly estimate: { readonly lambdaHat: number; readonly lambdaSe: number; readonly verdict: string };
  }[];
  readonly choices: Readonly<Record<string, { readonly isSound: boolean; readonly reason: string }>>;
  readonly recommended: { readonly budget: number };
  readonly block: string;
  readonly files: readonly string[];
}

function folderWithSweep(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "regular.yaml"), REGULAR);
  return cwd;
}

describe("occam calibrate", () => {
  it("recommends settings of the cell that --where means, whose block a sweep file takes", async () => {
    const cwd = folderWithSweep();
    const args = [
      "calibrate",
      "regular.yaml",
      "--where",
      "scale.inputs == 5",
      "--backend",
      "wasm",
      "--json",
      "--out",
      "c",
    ];
    const { code, stdout, stderr } = await occam(args, { cwd });
    expect([code, stderr], stdout).toEqual([0, ""]);
    const printed = JSON.parse(stdout) as Printed;
    expect([printed.parameters, printed.point["scale.inputs"]]).toEqual([6, 5]);
    expect(await plannedIds(join(cwd, "regular.yaml"))).toContain(printed.cellId);
    for (const stage of ["t", "gamma", "budget", "sampler"]) expect(printed.choices[stage]!.reason).not.toBe("");
    const labels = printed.measurements.filter(({ stage }) => stage === "sampler").map(({ label }) => label);
    expect(labels).toEqual(["tier A", "tier B", "sgld", "rmsprop-sgld", "sgnht"]);
    // d/2 = 3 in the limit, a little less under the pull at this t.
    const trusted = printed.measurements.filter(
      ({ stage, estimate }) => stage === "budget" && estimate.verdict === "ok",
    );
    expect(trusted.length).toBeGreaterThan(0);
    for (const { estimate } of trusted) {
      expect(Math.abs(estimate.lambdaHat - 3)).toBeLessThan(4 * estimate.lambdaSe + 0.2);
    }
    for (const file of printed.files) expect(statSync(join(cwd, "c", file)).size, file).toBeGreaterThan(100);
    const block = readFileSync(join(cwd, "c/estimate.yaml"), "utf8");
    expect(block).toBe(printed.block);
    writeFileSync(join(cwd, "pasted.yaml"), REGULAR.replace(/^estimate: .*$/m, block));
    const plan = await occam(["plan", "pasted.yaml", "--cells", "--json"], { cwd });
    expect([plan.code, plan.stderr]).toEqual([0, ""]);
    const [first] = plan.stdout.split("\n");
    const { config } = JSON.parse(first!) as { config: { estimate: { budget: number } } };
    expect(config.estimate.budget).toBe(printed.recommended.budget);
  });

  it("says which cell it cannot find, and what is wrong with a condition", async () => {
    const cwd = folderWithSweep();
    const none = await occam(["calibrate", "regular.yaml", "--cell", "ffff"], { cwd });
    expect([none.code, none.stdout]).toEqual([64, ""]);
    expect(none.stderr).toContain("--cell ffff: no cell of the sweep is meant");
    const wrong = await occam(["calibrate", "regular.yaml", "--where", "scale.width == 5"], { cwd });
    expect([wrong.code, wrong.stdout]).toEqual([64, ""]);
    expect(wrong.stderr).toContain(`--where "scale.width == 5"`);
  });

  it("shows each estimate as it ends, and leaves nothing on Ctrl-C but the word that it stopped", async () => {
    const cwd = folderWithSweep();
    const running = start(["calibrate", "regular.yaml", "--backend", "wasm"], { cwd });
    await running.until((stdout) => /^t x \S+: lambda /m.test(stdout));
    await pause(50);
    running.signal("SIGINT");
    const { code, stdout, stderr } = await running.ended;
    expect([code, stderr], stdout).toEqual([
      75,
      "stopped; a calibration keeps nothing, the same command starts over\n",
    ]);
    expect(() => statSync(join(cwd, "occam-out"))).toThrow("ENOENT");
  });
});
