/** A coordinator and a worker started by hand, and every operator command against them. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { occam, start, temporaryFolder, type Running } from "./support/occam.ts";
import { readResults } from "./support/results.ts";
import { LONGER, TINY } from "./support/tiny.ts";

const cwd = temporaryFolder();
let coordinator: Running;
let worker: Running;
let connection: readonly string[];

beforeAll(async () => {
  writeFileSync(join(cwd, "tiny.yaml"), TINY);
  writeFileSync(join(cwd, "longer.yaml"), LONGER);
  coordinator = start(["coordinator", "--store", "store", "--port", "0"], { cwd });
  await coordinator.until((out) => out.includes("occam worker --coordinator"));
  const address = /serves (\S+),/.exec(coordinator.stdout)![1]!;
  connection = ["--coordinator", address, "--token-file", "store/token"];
  worker = start(["worker", ...connection, "--id", "hand", "--backend", "wasm", "--fuse-width", "4"], { cwd });
});

afterAll(async () => {
  worker.signal("SIGTERM");
  expect((await worker.ended).code).toBe(75);
  coordinator.signal("SIGTERM");
  expect((await coordinator.ended).code).toBe(0);
});

const command = (...args: readonly string[]) => occam([...args, ...connection], { cwd });

describe("a coordinator and a worker on two terminals", () => {
  it("keep the token in a file that only this user can read", () => {
    expect(statSync(join(cwd, "store/token")).mode & 0o777).toBe(0o600);
    expect(coordinator.stdout).not.toContain(readFileSync(join(cwd, "store/token"), "utf8").trim());
  });

  it("run a submitted sweep, whose submission may be repeated", async () => {
    const first = await command("submit", "tiny.yaml", "--json");
    expect([first.code, first.stderr]).toEqual([0, ""]);
    const { sweepId, created } = JSON.parse(first.stdout) as { sweepId: string; created: boolean };
    expect(created).toBe(true);
    const second = JSON.parse((await command("submit", "tiny.yaml", "--json")).stdout) as object;
    expect(second).toMatchObject({ sweepId, created: false });
    const watch = await command("watch", sweepId);
    expect([watch.code, watch.stderr]).toEqual([0, ""]);
    expect(watch.stdout).toContain("8/8 cells done");
  });

  it("show status, results and logs, for people and for scripts", async () => {
    const status = await command("status", "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({
      sweeps: [{ name: "tiny", state: "finished", cells: { committed: 8 } }],
      workers: [{ workerId: "hand", backend: "wasm", cellsCommitted: 8 }],
    });
    expect((await command("status")).stdout).toContain("hand");
    expect((await command("status", "tiny")).stdout).toContain("8/8 cells done");

    const json = (await command("results", "tiny", "--json")).stdout.trim().split("\n");
    const rows = json.map((line) => JSON.parse(line) as { cell_id: string; status: string; verdict: string });
    expect(rows.map(({ status: state }) => state)).toEqual(Array.from({ length: 8 }, () => "committed"));
    const csv = await command("results", "tiny", "--format", "csv");
    const table = await command("results", "tiny");
    expect(table.stdout.split("\n")[0]).toMatch(/^cell +.*lambda +se +verdict$/);
    const files = await command("results", "tiny", "--out", "files", "--json");
    expect(JSON.parse(files.stdout)).toMatchObject({ cells: 8, missing: 0 });
    expect(readFileSync(join(cwd, "files/results.csv"), "utf8")).toBe(csv.stdout);
    expect(readResults(join(cwd, "files")).map((row) => row["cell_id"])).toEqual(rows.map(({ cell_id }) => cell_id));

    const cell = rows[0]!.cell_id;
    const logs = (await command("logs", "tiny", "--cell", cell, "--json")).stdout.trim().split("\n");
    const records = logs.map((line) => JSON.parse(line) as { cellId: string; level: string });
    expect(new Set(records.map(({ cellId }) => cellId))).toEqual(new Set([cell]));
    const last = (await command("logs", "--last", "2", "--json")).stdout.trim().split("\n");
    expect(last).toHaveLength(2);
    const future = await command("logs", "--since", "2100-01-01T00:00:00Z");
    expect([future.code, future.stdout]).toEqual([0, ""]);
  });

  it("complete sweep ids in the shell", async () => {
    const env = { SHELL: "/bin/bash", OCCAM_COORDINATOR: connection[1]!, OCCAM_TOKEN_FILE: "store/token" };
    const { stdout } = await occam(["--get-yargs-completions", "occam", "status", "ti"], { cwd, env });
    expect(stdout.trim()).toMatch(/^tiny-[0-9a-f]{10}$/);
  });

  it("follow logs while they come, and cancel a sweep that runs", async () => {
    const tail = start(["logs", "longer", "-f", "--json", ...connection], { cwd });
    await command("submit", "longer.yaml");
    const follow =
      tail.process.exitCode === null ? tail : start(["logs", "longer", "-f", "--json", ...connection], { cwd });
    await follow.until((out) => out.includes('"workerId":"hand"'));
    const cancel = await command("cancel", "longer", "--json");
    expect(JSON.parse(cancel.stdout)).toMatchObject({ state: "cancelled" });
    const watch = await command("watch", "longer");
    expect(watch.code).toBe(3);
    follow.signal("SIGINT");
    await follow.ended;
  });

  it("refuse a wrong token with 77, and say 69 where nobody listens", async () => {
    writeFileSync(join(cwd, "wrong"), "not-the-token\n");
    const wrong = await occam(["status", "--coordinator", connection[1]!, "--token-file", "wrong"], { cwd });
    expect([wrong.code, wrong.stdout]).toEqual([77, ""]);
    const wrongWorker = await occam(["worker", "--coordinator", connection[1]!, "--token-file", "wrong"], { cwd });
    expect(wrongWorker.code).toBe(77);
    const nobody = await occam(["status", "--coordinator", "127.0.0.1:9", "--token-file", "wrong"], { cwd });
    expect([nobody.code, nobody.stdout]).toEqual([69, ""]);
    expect((await command("status", "no-such-sweep")).code).toBe(64);
  });

  it("refuse a second coordinator on the store, with 78", async () => {
    const second = await occam(["coordinator", "--store", "store", "--port", "0"], { cwd });
    expect([second.code, second.stdout]).toEqual([78, ""]);
    expect(second.stderr).not.toContain("    at ");
  });
});
