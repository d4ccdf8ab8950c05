/** The first moments of `occam run`: how Ctrl-C is taken before there is anything to stop, and what starts beside what. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childrenOf, isAlive, occam, pause, start, temporaryFolder } from "./support/occam.ts";
import { TINY } from "./support/tiny.ts";

function folderWithTiny(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "tiny.yaml"), TINY);
  return cwd;
}

/** Node.js catches SIGINT from its start, to end by it. SIGHUP, the first signal with the first bit, it leaves to the program. */
function catchesInterrupts(pid: number): boolean {
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
    return (BigInt(`0x${caught}`) & 1n) !== 0n;
  } catch {
    return false;
  }
}

describe.skipIf(!existsSync("/proc/self/status"))("Ctrl-C while occam run starts", () => {
  it("is heard before anything is loaded, and ends with 75 and no process left", async () => {
    const cwd = folderWithTiny();
    const run = start(["run", "tiny.yaml", "--backend", "wasm", "--out", "out"], { cwd });
    while (!catchesInterrupts(run.pid)) await pause(1);
    run.signal("SIGINT");
    const { code, stdout, stderr } = await run.ended;
    expect([code, stderr]).toEqual([75, ""]);
    expect(stdout).toContain("run the same command to go on");
  });

  it("ends with 75 and takes the processes along at whatever moment it comes", async () => {
    for (const delayMs of [200, 400, 800, 1600]) {
      const run = start(["run", "tiny.yaml", "--backend", "wasm", "--out", "out"], { cwd: folderWithTiny() });
      while (!catchesInterrupts(run.pid)) await pause(1);
      await pause(delayMs);
      const children = childrenOf(run.pid);
      run.signal("SIGINT");
      const { code, stderr } = await run.ended;
      expect([code, stderr], `after ${delayMs} ms`).toEqual([75, ""]);
      for (const { pid } of children) expect(isAlive(pid)).toBe(false);
    }
  });
});

describe.skipIf(!existsSync("/proc/self/status"))("occam run killed while it starts", () => {
  it("takes its processes along, those that were still loading as well", async () => {
    for (const delayMs of [100, 300, 600, 1000, 1500]) {
      const run = start(["run", "tiny.yaml", "--backend", "wasm", "--workers", "2", "--out", "out"], {
        cwd: folderWithTiny(),
      });
      while (!catchesInterrupts(run.pid)) await pause(1);
      await pause(delayMs);
      const children = childrenOf(run.pid).flatMap(({ pid }) => [pid, ...childrenOf(pid).map((child) => child.pid)]);
      run.signal("SIGKILL");
      await run.ended;
      // A worker hands back first, which takes it some seconds where nobody answers.
      for (let tries = 0; tries < 150 && children.some(isAlive); tries += 1) await pause(100);
      expect(children.filter(isAlive), `after ${delayMs} ms`).toEqual([]);
    }
  });
});

describe("workers that nobody counted", () => {
  it("are as many as there are cores on wasm, but no more than there are cells, and compute what auto came to", async () => {
    const cwd = folderWithTiny();
    const { code, stdout } = await occam(["run", "tiny.yaml", "--out", "out"], {
      cwd,
      env: { OCCAM_TFJS_NODE: "/none" },
    });
    expect(code, stdout).toBe(0);
    const logs = readdirSync(join(cwd, "out/store/log")).filter((name) => name.startsWith("local-"));
    const linesOf = (name: string): readonly Record<string, unknown>[] =>
      readFileSync(join(cwd, "out/store/log", name), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const backend = linesOf("local-1.log").find(({ msg }) => msg === "ready")?.["backend"];
    const expected = backend === "wasm" ? Math.min(availableParallelism(), 8) : 1;
    expect(logs).toHaveLength(expected);
    // The others were told what to open, and tried nothing else.
    for (const name of logs.filter((log) => log !== "local-1.log")) {
      expect(linesOf(name).filter(({ msg }) => String(msg).startsWith("computing on"))).toEqual([]);
    }
  });

  it("are no more than there can be cells, and are stopped where every cell has a result", async () => {
    const cwd = folderWithTiny();
    const args = ["run", "tiny.yaml", "--backend", "wasm", "--out", "out", "--workers", "9"];
    expect((await occam(args, { cwd })).code).toBe(0);
    const logs = readdirSync(join(cwd, "out/store/log")).filter((name) => name.startsWith("local-"));
    expect(logs).toHaveLength(8);
    const again = await occam(args, { cwd });
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect(again.stdout).toContain("8 of 8 cells have a result already");
  });
});
