/** `occam selftest` as a process: its numbers, its table, its exit code. */
import { describe, expect, test } from "vitest";
import type { TimedRow } from "../../src/selftest/row.ts";
import { occam, pause, start, childrenOf, isAlive } from "./support/occam.ts";

interface Printed {
  readonly passed: boolean;
  readonly rows: readonly TimedRow[];
}

describe("occam selftest", () => {
  test("reads regular models right, whatever number of processes there is", async () => {
    const run = async (workers: string) => {
      const ended = await occam(["selftest", "--only", "regular", "--backend", "wasm", "--workers", workers, "--json"]);
      expect(ended.stderr).toContain("computing on wasm");
      expect(ended.code).toBe(0);
      return JSON.parse(ended.stdout) as Printed;
    };
    const [one, two] = [await run("1"), await run("2")];
    expect(one.passed).toBe(true);
    expect(one.rows.map(({ truth }) => truth)).toEqual([2, 10, 3]);
    for (const { estimate, truth, se, cpuMs } of one.rows) {
      expect(Math.abs(estimate! - truth!)).toBeLessThan(Math.max(3 * se!, 0.01 * truth!));
      expect(cpuMs).toBeGreaterThan(0);
    }
    const numbersOf = ({ rows }: Printed) => rows.map((row) => ({ ...row, cpuMs: 0 }));
    expect(numbersOf(two)).toEqual(numbersOf(one));
  });

  test("ends with 1 and says what failed when chains are given too little to go on", async () => {
    const { code, stdout } = await occam(["selftest", "--only", "regular", "--backend", "wasm", "--budget", "40"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/linear regression, d = 20 .* FAIL/u);
    expect(stdout).toMatch(/FAIL {2}linear regression, d = 20: /u);
    expect(stdout).toMatch(/0 of 3 rows passed/u);
  });

  test("refuses a section that it does not have, and names those it has", async () => {
    const { code, stderr } = await occam(["selftest", "--only", "regulra"]);
    expect(code).toBe(64);
    expect(stderr).toContain("no section of the selftest is called regulra");
    expect(stderr).toContain("reduced-rank");
  });

  test("stops at a signal with 75 and leaves no process behind", async () => {
    const running = start(["selftest", "--only", "reduced-rank", "--backend", "wasm", "--workers", "2"]);
    await running.until((_, stderr) => stderr.includes("jobs"));
    await pause(500);
    const children = childrenOf(running.pid);
    expect(children.length).toBeGreaterThan(0);
    running.signal("SIGINT");
    expect((await running.ended).code).toBe(75);
    await pause(200);
    expect(children.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });
});
