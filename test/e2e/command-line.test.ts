/** The command line itself: help, completion, mistakes, settings, narrow terminals. No coordinator runs. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { occam, temporaryFolder } from "./support/occam.ts";

const COMMANDS = [
  "run",
  "plan",
  "calibrate",
  "coordinator",
  "worker",
  "submit",
  "status",
  "watch",
  "logs",
  "results",
  "cancel",
  "doctor",
  "selftest",
  "version",
];

describe("occam", () => {
  it("lists every command and every exit code in its help", async () => {
    const { code, stdout, stderr } = await occam(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const name of [...COMMANDS, "completion"]) expect(stdout).toMatch(new RegExp(`^ {2}occam ${name}\\b`, "m"));
    for (const exit of ["0", "1", "3", "64", "69", "75", "77", "78"])
      expect(stdout).toMatch(new RegExp(`^ {2}${exit} +[a-z]`, "m"));
  });

  it("has a description and an example in the help of every command", async () => {
    for (const name of COMMANDS) {
      const { code, stdout } = await occam([name, "--help"]);
      expect(code, name).toBe(0);
      expect(stdout, name).toContain(`occam ${name}`);
      expect(stdout, name).toMatch(/Examples:\n {2}occam /);
    }
  }, 60_000);

  it("prints a completion script, and completes commands and flags", async () => {
    const script = await occam(["completion"], { env: { SHELL: "/bin/bash" } });
    expect(script.code).toBe(0);
    expect(script.stdout).toContain("--get-yargs-completions");
    const commands = await occam(["--get-yargs-completions", "occam", "p"], { env: { SHELL: "/bin/bash" } });
    expect(commands.stdout.split("\n")).toContain("plan");
    const flags = await occam(["--get-yargs-completions", "occam", "run", "--fu"], { env: { SHELL: "/bin/bash" } });
    expect(flags.stdout.split("\n")).toContain("--fuse-width");
  });

  it("suggests the nearest command and the nearest flag, on standard error alone", async () => {
    const command = await occam(["pln", "x.yaml"]);
    expect([command.code, command.stdout]).toEqual([64, ""]);
    expect(command.stderr).toContain('unknown command "pln"');
    expect(command.stderr).toContain("Did you mean plan?");
    const flag = await occam(["run", "x.yaml", "--wokers", "2"]);
    expect([flag.code, flag.stdout]).toEqual([64, ""]);
    expect(flag.stderr).toContain('unknown argument "wokers"');
    expect(flag.stderr).toContain("Did you mean --workers?");
  });

  it("refuses to guess: no command, a missing argument, a value that is no choice, a number that is none", async () => {
    for (const args of [
      [],
      ["run"],
      ["run", "a.yaml", "--backend", "abacus"],
      ["run", "examples/quickstart.yaml", "--workers", "two"],
      ["run", "examples/quickstart.yaml", "--workers", "0"],
      ["coordinator", "--port", "65536"],
    ]) {
      const { code, stdout, stderr } = await occam(args, { cwd: temporaryFolder() });
      expect([64, 78], args.join(" ")).toContain(code);
      expect(stdout).toBe("");
      expect(stderr).toMatch(/^error: /);
      expect(stderr).not.toContain("    at ");
    }
  });

  it("prints its versions, for people and for scripts", async () => {
    const json = await occam(["version", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ occam: expect.stringMatching(/^\d+\.\d+\.\d+/), protocol: 1 });
    expect((await occam(["--version"])).stdout.trim()).toBe((JSON.parse(json.stdout) as { occam: string }).occam);
  });

  it("takes a setting from the environment before the config file, and a flag before both", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "occam.config.yaml"), "coordinator: 127.0.0.1:1\n");
    const env = { OCCAM_TOKEN: "t" };
    const fromFile = await occam(["status"], { cwd, env });
    expect([fromFile.code, fromFile.stderr]).toEqual([69, expect.stringContaining("127.0.0.1:1")]);
    const fromEnv = await occam(["status"], { cwd, env: { ...env, OCCAM_COORDINATOR: "127.0.0.1:2" } });
    expect(fromEnv.stderr).toContain("127.0.0.1:2");
    const flags = ["status", "--coordinator", "127.0.0.1:3"];
    const fromFlag = await occam(flags, { cwd, env: { ...env, OCCAM_COORDINATOR: "127.0.0.1:2" } });
    expect(fromFlag.stderr).toContain("127.0.0.1:3");
  });

  it("refuses an unknown key of the config file", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "occam.config.yaml"), "cordinator: 127.0.0.1:1\n");
    const { code, stderr } = await occam(["status"], { cwd, env: { OCCAM_TOKEN: "t" } });
    expect(code).toBe(78);
    expect(stderr).toContain('Did you mean "coordinator"?');
    expect((await occam(["version"], { cwd })).code).toBe(0);
  });

  it("examines the machine: the wasm backend works wherever the tests do", async () => {
    const { code, stdout } = await occam(["doctor", "--json"], { cwd: temporaryFolder() });
    expect(code).toBe(0);
    const { checks } = JSON.parse(stdout) as { checks: readonly { name: string; state: string }[] };
    for (const name of ["Node.js", "store folder", "loopback network", "backend wasm"]) {
      expect(checks.find((check) => check.name === name)?.state, name).not.toBe("failed");
    }
  });

  it("keeps within 40 columns", async () => {
    for (const args of [["--help"], ["run", "--help"], ["logs", "--help"], ["version"]]) {
      const { code, stdout } = await occam(args, { env: { COLUMNS: "40" } });
      expect(code).toBe(0);
      const words = stdout.split("\n").filter((line) => line.length > 40 && line.trim().includes(" "));
      expect(words, args.join(" ")).toEqual([]);
    }
  });

  it("does not colour what is no terminal, and says 77 without a token", async () => {
    const { code, stderr } = await occam(["status"]);
    expect(code).toBe(77);
    expect(stderr).toMatch(/^error: no token/);
  });
});
