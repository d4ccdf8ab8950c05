/** `occam run` from file to report, on real processes and the wasm backend. */
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childrenOf, occam, pause, start, temporaryFolder } from "./support/occam.ts";
import { comparable, plannedIds, readResults } from "./support/results.ts";
import { LONGER, TINY } from "./support/tiny.ts";

function folderWith(name: string, text: string): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, name), text);
  return cwd;
}

const folderWithTiny = (): string => folderWith("tiny.yaml", TINY);

describe("occam run", () => {
  it("trains and estimates every cell, leaves every file, and ends with 0", async () => {
    const cwd = folderWithTiny();
    const { code, stdout, stderr } = await occam(["run", "tiny.yaml", "--backend", "wasm", "--workers", "2"], { cwd });
    expect([code, stderr], stdout).toEqual([0, ""]);
    const out = join(cwd, "occam-out/tiny");
    for (const name of [
      "results.csv",
      "results.parquet",
      "metrics.parquet",
      "report.html",
      "report.md",
      "logs.jsonl",
      "sweep.yaml",
    ]) {
      expect(statSync(join(out, name)).size, name).toBeGreaterThan(0);
      expect(stdout).toContain(`occam-out/tiny/${name}`);
    }
    const rows = readResults(out);
    expect(rows.map((row) => row["cell_id"])).toEqual(await plannedIds(join(cwd, "tiny.yaml")));
    for (const row of rows) {
      expect(row["status"]).toBe("committed");
      expect(Number(row["test_loss"])).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(Number(row["lambda_hat"]))).toBe(true);
      expect(row["verdict"]).not.toBe("");
      expect(row["worker"]).toMatch(/^local-[12]$/);
    }
    expect(stdout).toContain("8 cells: 8 committed");
    expect(stdout).not.toContain("\u001b");
    const logs = readFileSync(join(out, "logs.jsonl"), "utf8").trim().split("\n");
    expect(logs.map((line) => JSON.parse(line) as object).length).toBeGreaterThan(0);
  });

  it("has nothing left to train the second time, and pins a sweep file that gives the same cells", async () => {
    const cwd = folderWithTiny();
    const args = ["--backend", "wasm", "--workers", "1", "--out", "out"];
    expect((await occam(["run", "tiny.yaml", ...args], { cwd })).code).toBe(0);
    const first = readResults(join(cwd, "out"));
    const again = await occam(["run", "tiny.yaml", ...args], { cwd });
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("8 of 8 cells have a result already");
    expect(comparable(readResults(join(cwd, "out")))).toBe(comparable(first));
    expect(readResults(join(cwd, "out")).map((row) => row["wall_ms"])).toEqual(first.map((row) => row["wall_ms"]));
    expect(await plannedIds(join(cwd, "out/sweep.yaml"))).toEqual(await plannedIds(join(cwd, "tiny.yaml")));
    const frozen = readFileSync(join(cwd, "out/sweep.yaml"), "utf8");
    for (const fact of ["# occam:", "# tfjs:", "# node:", "# git revision:", "# seeds:"])
      expect(frozen).toContain(fact);
    const plan = await occam(["plan", "tiny.yaml", "--out", "out", "--json"], { cwd });
    expect(JSON.parse(plan.stdout)).toMatchObject({ cells: 8, cached: 8 });
  });

  it("gives the same numbers, bit for bit, with one worker and two, and with programs of one cell and of many", async () => {
    const cwd = folderWithTiny();
    const texts: string[] = [];
    for (const [workers, width] of [
      ["1", "32"],
      ["2", "32"],
      ["1", "1"],
    ] as const) {
      const out = `out-${workers}-${width}`;
      const args = ["run", "tiny.yaml", "--backend", "wasm", "--out", out, "--workers", workers, "--fuse-width", width];
      expect((await occam(args, { cwd })).code).toBe(0);
      const rows = readResults(join(cwd, out));
      expect(rows).toHaveLength(8);
      expect(Math.max(...rows.map((row) => Number(row["fuse_width"])))).toBeLessThanOrEqual(Number(width));
      texts.push(comparable(rows));
    }
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).toBe(texts[0]);
  });

  it("refuses a second run on the same folder while one runs, and leaves the first alone", async () => {
    const cwd = folderWith("longer.yaml", LONGER);
    const args = ["run", "longer.yaml", "--backend", "wasm", "--workers", "1", "--out", "out"];
    const first = start(args, { cwd });
    await first.until((out) => /\d+ running/.test(out));
    const second = await occam(args, { cwd });
    expect(second.code).toBe(78);
    expect(second.stderr).toContain("another `occam run` writes to this folder");
    expect(first.process.exitCode).toBeNull();
    first.signal("SIGINT");
    expect((await first.ended).code).toBe(75);
  });

  it("lets other terminals follow it with --run, and nobody afterwards", async () => {
    const cwd = folderWith("longer.yaml", LONGER);
    const first = start(["run", "longer.yaml", "--backend", "wasm", "--workers", "1", "--out", "out"], { cwd });
    await first.until((out) => /\d+ running/.test(out));
    const status = await occam(["status", "--run", "out", "--json"], { cwd });
    expect(JSON.parse(status.stdout)).toMatchObject({ sweeps: [{ name: "longer", cells: { total: 24 } }] });
    const watch = await occam(["watch", "longer", "--run", "out", "--json"], { cwd });
    expect(watch.code).toBe(0);
    const last = JSON.parse(watch.stdout.trim().split("\n").at(-1)!) as { state: string; cells: { committed: number } };
    expect([last.state, last.cells.committed]).toEqual(["finished", 24]);
    expect((await first.ended).code).toBe(0);
    expect((await occam(["status", "--run", "out"], { cwd })).code).toBe(69);
  });

  it("counts a cell whose loss diverges as a result, and says so", async () => {
    const diverging = TINY.replace("learningRate: 0.3", "learningRate: 1e30").replace("name: tiny", "name: wild");
    const cwd = folderWith("wild.yaml", diverging);
    const { code, stdout } = await occam(["run", "wild.yaml", "--backend", "wasm", "--workers", "1"], { cwd });
    expect([code, stdout.includes("8 cells: 6 committed, 2 diverged")], stdout).toEqual([0, true]);
    const rows = readResults(join(cwd, "occam-out/wild"));
    // tanh saturates: without the penalty even these steps leave the loss finite.
    const wild = rows.filter((row) => row["optimizer_kind"] === "sgd" && row["regulariser_kind"] === "l2");
    expect(wild).toHaveLength(2);
    for (const row of wild) {
      expect([row["status"], row["test_loss"], row["lambda_hat"]]).toEqual(["diverged", "", ""]);
      expect(row["reason"]).toContain("at step");
    }
  });

  it("refuses a backend that cannot be used here with 78 and the reason, rather than fall back", async () => {
    const cwd = folderWithTiny();
    // A machine with a GPU and the native package has nothing to refuse: there it must run.
    const doctor = await occam(["doctor", "--json"], { cwd });
    const { checks } = JSON.parse(doctor.stdout) as { checks: readonly { name: string; state: string }[] };
    const usable = checks.some(({ name, state }) => name === "backend tensorflow-gpu" && state === "ok");
    const { code, stderr } = await occam(["run", "tiny.yaml", "--backend", "tensorflow-gpu", "--workers", "1"], {
      cwd,
    });
    expect(code, stderr).toBe(usable ? 0 : 78);
    if (!usable) expect(stderr).toContain("backend tensorflow-gpu: ");
  });

  it("ends with 3 when cells have no result: here another terminal cancels the sweep", async () => {
    const cwd = folderWith("longer.yaml", LONGER);
    const run = start(["run", "longer.yaml", "--backend", "wasm", "--workers", "1", "--out", "out"], { cwd });
    await run.until((out) => /[1-9]\d* running/.test(out));
    expect((await occam(["cancel", "longer", "--run", "out"], { cwd })).code).toBe(0);
    const { code, stdout } = await run.ended;
    expect(code, stdout).toBe(3);
    expect(readResults(join(cwd, "out")).some((row) => row["status"] === "cancelled")).toBe(true);
    const ids = await plannedIds(join(cwd, "longer.yaml"));
    expect(readResults(join(cwd, "out")).map((row) => row["cell_id"])).toEqual(ids);
    // Submitted again, a cancelled sweep goes on.
    expect((await occam(["run", "longer.yaml", "--backend", "wasm", "--out", "out"], { cwd })).code).toBe(0);
  });

  it("leaves no process and no token behind", async () => {
    const cwd = folderWithTiny();
    const first = start(["run", "tiny.yaml", "--backend", "wasm", "--workers", "2", "--out", "out"], { cwd });
    await first.until((out) => /\d+ running/.test(out));
    const children = childrenOf(first.pid);
    const kinds = children.map(({ command }) => / (coordinator|worker) /.exec(command)?.[1]);
    expect(kinds).toEqual(["coordinator", "worker", "worker"]);
    // The token is in no command line.
    for (const { command } of children) expect(command).not.toMatch(/[A-Za-z0-9_-]{43}/);
    await first.ended;
    await pause(200);
    for (const { pid } of children) expect(existsSync(`/proc/${pid}`), `process ${pid}`).toBe(false);
    expect(readdirSync(join(cwd, "out/store"))).not.toContain("run.json");
  });
});
