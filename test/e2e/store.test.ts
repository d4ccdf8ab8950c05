/** `occam store` as a user calls it, beside a run and after it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { occam, start, temporaryFolder } from "./support/occam.ts";
import { readResults } from "./support/results.ts";
import { TINY } from "./support/tiny.ts";

const RUN = ["run", "sweep.yaml", "--backend", "wasm", "--workers", "1", "--fuse-width", "2", "--out"];

describe("occam store", () => {
  it("says what each command does, with an example", async () => {
    const all = await occam(["store", "--help"]);
    for (const name of ["check", "backup <dest>", "export <dest>", "migrate"]) {
      expect(all.stdout).toContain(`occam store ${name}`);
      const help = await occam(["store", name.split(" ")[0]!, "--help"]);
      expect([help.code, help.stdout]).toEqual([0, expect.stringMatching(/Examples:\s+occam store \w+ /)]);
    }
    expect(await occam(["store"])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("Which command of store?"),
    });
    expect(await occam(["store", "chekc"])).toMatchObject({ code: 64 });
    expect(await occam(["store", "check", "--stroe", "x"])).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/Did you mean --store\?.*occam store check --help/),
    });
  });

  it("backs up and checks a store while a run writes to it; the backup goes on to the same result", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "sweep.yaml"), TINY);
    const run = start([...RUN, "out"], { cwd });
    await run.until((out) => /[1-9]\d*\/\d+ cells done/.test(out));
    const backup = await occam(["store", "backup", "copy/store", "--store", "out/store"], { cwd });
    expect([backup.code, backup.stderr]).toEqual([0, ""]);
    const check = await occam(["store", "check", "--store", "out/store"], { cwd });
    expect([check.code, check.stdout]).toEqual([0, expect.stringMatching(/occam\.db: whole, \d+ rows\n/)]);
    expect((await run.ended).code).toBe(0);
    const ids = (out: string) =>
      readResults(join(cwd, out)).map((row) => [row["cell_id"], row["status"], row["lambda_hat"]]);
    const again = await occam([...RUN, "copy"], { cwd });
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect(ids("copy")).toEqual(ids("out"));

    for (const args of [
      ["check", "--store", "out/store"],
      ["export", "exported", "--store", "out/store"],
      ["migrate", "--from", "exported", "--store", "moved"],
      ["check", "--store", "moved"],
    ]) {
      const { code, stderr } = await occam(["store", ...args], { cwd });
      expect([args, code, stderr]).toEqual([args, 0, ""]);
    }
  });

  it("finds damage: the exit code is 78, and it says where and what to do", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "sweep.yaml"), TINY);
    expect((await occam([...RUN, "out"], { cwd })).code).toBe(0);
    const file = join(cwd, "out/store/occam.db");
    const bytes = readFileSync(file);
    // In the figures of a result.
    bytes[bytes.lastIndexOf('"lambdaHat":') + 14]! ^= 1;
    writeFileSync(file, bytes);
    const { code, stdout } = await occam(["store", "check", "--store", "out/store"], { cwd });
    expect(code).toBe(78);
    expect(stdout).toMatch(/damaged\n {2}result cell_key=\d+: it is not what was written/);
    expect(stdout).toContain("put the last backup in its place");
  });
});
