/** A sweep over mutual TLS with named tokens: every role by the command line. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newAuthority, newCertificate, writeCertificate } from "../support/certificates.ts";
import { occam, start, temporaryFolder, type Running } from "./support/occam.ts";
import { TINY } from "./support/tiny.ts";

const cwd = temporaryFolder();
const authority = newAuthority("authority");
let coordinator: Running;
let worker: Running;
let reach: readonly string[];
const tokens = new Map<string, string>();

async function newToken(name: string, role: string): Promise<object> {
  const made = await occam(["token", "--name", name, "--role", role, "--json"], { cwd });
  expect([made.code, made.stderr]).toEqual([0, ""]);
  const { token, entry } = JSON.parse(made.stdout) as { token: string; entry: object };
  tokens.set(name, token);
  expect(JSON.stringify(entry)).not.toContain(token);
  return entry;
}

beforeAll(async () => {
  writeFileSync(join(cwd, "tiny.yaml"), TINY);
  writeFileSync(join(cwd, "ca.crt"), authority.pem);
  for (const name of ["coordinator", "client"]) writeCertificate(cwd, name, newCertificate(authority, name));
  const entries = [
    await newToken("vera", "viewer"),
    await newToken("otto", "operator"),
    await newToken("willi", "worker"),
  ];
  writeFileSync(join(cwd, "access.json"), JSON.stringify({ tokens: entries }));
  const tls = ["--tls-cert", "coordinator.crt", "--tls-key", "coordinator.key", "--tls-client-ca", "ca.crt"];
  const flags = ["--store", "store", "--port", "0", "--access-file", "access.json"];
  coordinator = start(["coordinator", ...flags, ...tls], { cwd });
  await coordinator.until((out) => out.includes("occam worker --coordinator"));
  const address = /serves \S+:(\d+),/.exec(coordinator.stdout)![1]!;
  reach = [
    "--coordinator",
    `localhost:${address}`,
    "--tls-ca",
    "ca.crt",
    "--tls-cert",
    "client.crt",
    "--tls-key",
    "client.key",
  ];
  worker = start(["worker", ...reach, "--id", "hand", "--backend", "wasm"], {
    cwd,
    env: { OCCAM_TOKEN: tokens.get("willi")! },
  });
});

afterAll(async () => {
  worker.signal("SIGTERM");
  expect((await worker.ended).code).toBe(75);
  coordinator.signal("SIGTERM");
  expect((await coordinator.ended).code).toBe(0);
  for (const { stdout, stderr } of [coordinator, worker]) {
    for (const token of tokens.values()) expect(stdout + stderr).not.toContain(token);
  }
});

const as = (name: string, args: readonly string[], connection = reach) =>
  occam([...args, ...connection], { cwd, env: { OCCAM_TOKEN: tokens.get(name)! } });

describe("a coordinator with mutual TLS and an access file", () => {
  it("runs a sweep for an operator, shows it to a viewer, and logs who asked for it", async () => {
    const submitted = await as("otto", ["submit", "tiny.yaml", "--watch"]);
    expect([submitted.code, submitted.stderr]).toEqual([0, ""]);
    const status = await as("vera", ["status", "tiny", "--json"]);
    expect(JSON.parse(status.stdout)).toMatchObject({ state: "finished", cells: { committed: 8 } });
    const audit = await as("vera", ["logs", "--worker", "audit"]);
    expect(audit.stdout).toMatch(/otto SubmitSweep tiny\.yaml: created tiny-/u);
  });

  it("refuses with 77 what a role may not do, and a token that it does not know", async () => {
    const submit = await as("vera", ["submit", "tiny.yaml"]);
    expect([submit.code, submit.stdout]).toEqual([77, ""]);
    expect(submit.stderr).toContain('SubmitSweep needs the role operator; the token "vera" has viewer');
    expect((await as("willi", ["status"])).code).toBe(77);
    const asWorker = await occam(["worker", ...reach, "--backend", "wasm"], {
      cwd,
      env: { OCCAM_TOKEN: tokens.get("otto")! },
    });
    expect(asWorker.code).toBe(77);
    expect((await occam(["status", ...reach], { cwd, env: { OCCAM_TOKEN: "guess" } })).code).toBe(77);
  });

  it("is not reached without TLS or without a certificate: 69, with what to do", async () => {
    const plain = await as("vera", ["status"], reach.slice(0, 2));
    expect(plain.code).toBe(69);
    const noCertificate = await as("vera", ["status"], reach.slice(0, 4));
    expect(noCertificate.code).toBe(69);
    expect(noCertificate.stderr).toContain("--tls-");
  });
});

describe("beyond loopback", () => {
  it("plaintext is refused at both ends with 78, unless it is asked for", async () => {
    const open = await occam(["coordinator", "--store", "other", "--port", "0", "--host", "0.0.0.0"], { cwd });
    expect([open.code, open.stdout]).toEqual([78, ""]);
    expect(open.stderr).toContain("--allow-plaintext");
    const client = await occam(["status", "--coordinator", "192.0.2.1:7171"], { cwd, env: { OCCAM_TOKEN: "t" } });
    expect(client.code).toBe(78);
    const meant = start(
      ["coordinator", "--store", "other", "--port", "0", "--host", "127.0.0.2", "--allow-plaintext"],
      { cwd },
    );
    await meant.until((out) => out.includes("serves"));
    meant.signal("SIGTERM");
    expect((await meant.ended).code).toBe(0);
  });
});
