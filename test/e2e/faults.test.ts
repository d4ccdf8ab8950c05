/** `occam run` when processes are killed, and when it is asked to stop. Nothing is lost and nothing is done twice. */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childrenOf, isAlive, occam, pause, start, temporaryFolder, type Running } from "./support/occam.ts";
import { comparable, plannedIds, readResults } from "./support/results.ts";
import { LONGER } from "./support/tiny.ts";

const ARGS = ["run", "sweep.yaml", "--backend", "wasm", "--workers", "2", "--fuse-width", "4", "--out", "out"];

function folder(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "sweep.yaml"), LONGER);
  return cwd;
}

/** Somewhere in the middle of the run. */
const randomMoment = (mostMs: number): number => Math.round(Math.random() * mostMs);

const startedTraining = (run: Running): Promise<void> => run.until((out) => /[1-9]\d* running/.test(out));

function childOf(run: Running, kind: "coordinator" | "worker"): number {
  const found = childrenOf(run.pid).filter(({ command }) => command.includes(` ${kind} `));
  const chosen = found[Math.floor(Math.random() * found.length)];
  if (chosen === undefined) throw new Error(`no ${kind} runs`);
  return chosen.pid;
}

/** Every planned cell has exactly one row, and its result. */
async function expectEachCellOnce(cwd: string): Promise<void> {
  const planned = await plannedIds(join(cwd, "sweep.yaml"));
  const rows = readResults(join(cwd, "out"));
  expect(rows.map((row) => row["cell_id"])).toEqual(planned);
  expect(new Set(rows.map((row) => row["status"]))).toEqual(new Set(["committed"]));
}

describe("occam run under fault", () => {
  it("F1 F3 survives kill -9 of a worker and of the coordinator at random moments", async () => {
    const cwd = folder();
    const run = start(ARGS, { cwd });
    await startedTraining(run);
    const moments = [randomMoment(1_500), randomMoment(2_000)];
    await pause(moments[0]!);
    process.kill(childOf(run, "worker"), "SIGKILL");
    await pause(moments[1]!);
    process.kill(childOf(run, "coordinator"), "SIGKILL");
    const { code, stdout, stderr } = await run.ended;
    expect([code, stderr], `killed after ${moments.join(" and ")} ms\n${stdout}`).toEqual([0, ""]);
    expect(stdout).toContain("was killed by SIGKILL; starting it again");
    await expectEachCellOnce(cwd);
  });

  it("leaves no orphan when it is killed itself, and the same command goes on", async () => {
    const cwd = folder();
    const run = start(ARGS, { cwd });
    await startedTraining(run);
    const moment = randomMoment(2_000);
    await pause(moment);
    const children = childrenOf(run.pid).flatMap(({ pid }) => [pid, ...childrenOf(pid).map((child) => child.pid)]);
    run.signal("SIGKILL");
    await run.ended;
    const again = await occam(ARGS, { cwd });
    expect([again.code, again.stderr], `killed after ${moment} ms\n${again.stdout}`).toEqual([0, ""]);
    await expectEachCellOnce(cwd);
    expect(children.filter(isAlive)).toEqual([]);
  });

  it("F18 drains on Ctrl-C with 75 and what it has, and the same command completes it to the same numbers", async () => {
    const cwd = folder();
    const run = start([...ARGS, "--fuse-width", "2"], { cwd });
    await run.until((out) => /[1-9]\d*\/\d+ cells done/.test(out));
    run.signal("SIGINT");
    const { code, stdout, stderr } = await run.ended;
    expect([code, stderr], stdout).toEqual([75, ""]);
    expect(stdout).toContain("run the same command to go on");
    const partial = readResults(join(cwd, "out"));
    const planned = await plannedIds(join(cwd, "sweep.yaml"));
    expect(partial.map((row) => row["cell_id"])).toEqual(planned);
    const before = partial.filter((row) => row["status"] === "committed");
    expect(before.length).toBeGreaterThan(0);
    expect(before.length).toBeLessThan(planned.length);
    expect(partial.filter((row) => row["status"] === "pending").length).toBe(planned.length - before.length);

    expect((await occam(ARGS, { cwd })).code).toBe(0);
    await expectEachCellOnce(cwd);
    const after = new Map(readResults(join(cwd, "out")).map((row) => [row["cell_id"], row]));
    for (const row of before) {
      const same = after.get(row["cell_id"])!;
      expect([same["wall_ms"], comparable([same])]).toEqual([row["wall_ms"], comparable([row])]);
    }
  });

  it("stops at once on the second Ctrl-C, and the same command still goes on", async () => {
    const cwd = folder();
    const run = start(ARGS, { cwd });
    await startedTraining(run);
    const children = childrenOf(run.pid).map(({ pid }) => pid);
    run.signal("SIGINT");
    await pause(50);
    run.signal("SIGINT");
    expect((await run.ended).code).toBe(75);
    // A coordinator that ends in order writes its log back, and leaves nothing of it.
    expect(statSync(join(cwd, "out/store/occam.db-wal")).size).toBeGreaterThan(0);
    await pause(500);
    expect(children.filter(isAlive)).toEqual([]);
    expect((await occam(ARGS, { cwd })).code).toBe(0);
    await expectEachCellOnce(cwd);
  });
});
