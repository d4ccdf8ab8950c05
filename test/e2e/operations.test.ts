/** What runs a coordinator and a worker for months: log lines, metrics, probes, and what is not loaded unless it is asked for. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LOG_FIELDS } from "../../src/core/log.ts";
import { PACKAGE_VERSION } from "../../src/core/version.ts";
import { MAIN, occam, start, temporaryFolder, type Running } from "./support/occam.ts";
import { TINY } from "./support/tiny.ts";

const cwd = temporaryFolder();
let coordinator: Running;
let worker: Running;
let connection: readonly string[];
let metrics: string;

const linesOf = ({ stderr }: Running): readonly Record<string, unknown>[] =>
  stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  writeFileSync(join(cwd, "tiny.yaml"), TINY);
  const flags = ["--store", "store", "--port", "0", "--metrics-port", "0", "--log-level", "debug"];
  coordinator = start(["coordinator", ...flags], { cwd });
  await coordinator.until((out) => out.includes("serves"));
  metrics = String(linesOf(coordinator).find(({ msg }) => msg === "metrics are served")!["address"]);
  connection = ["--coordinator", /serves (\S+),/.exec(coordinator.stdout)![1]!, "--token-file", "store/token"];
  worker = start(["worker", ...connection, "--id", "hand", "--backend", "wasm", "--log-level", "debug"], { cwd });
  const submitted = await occam(["submit", "tiny.yaml", "--watch", ...connection], { cwd });
  expect(submitted.code).toBe(0);
});

afterAll(async () => {
  worker.signal("SIGTERM");
  expect((await worker.ended).code).toBe(75);
  coordinator.signal("SIGTERM");
  expect((await coordinator.ended).code).toBe(0);
});

describe("every log line", () => {
  it("of both processes is JSON with the fixed fields", () => {
    const all = [...linesOf(coordinator), ...linesOf(worker)];
    expect(new Set(all.map((line) => line["component"]))).toEqual(new Set(["coordinator", "worker"]));
    for (const line of all) {
      for (const field of LOG_FIELDS)
        expect([field, line]).toEqual([field, expect.objectContaining({ [field]: expect.anything() })]);
      expect(line["version"]).toBe(PACKAGE_VERSION);
      expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u);
    }
    for (const line of linesOf(worker)) expect(line).toMatchObject({ worker: "hand", session: expect.any(String) });
    expect(new Set(linesOf(coordinator).map(({ pid }) => pid))).toEqual(new Set([coordinator.pid]));
    expect(linesOf(coordinator).filter((line) => "audit" in line)).toHaveLength(1);
  });
});

describe("the metrics port", () => {
  it("tells of the sweep that was run, and that the process is live and ready", async () => {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    expect(text).toContain('occam_cells{state="committed"} 8');
    expect(text).toContain('occam_commits_total{outcome="committed"} 8');
    expect((await fetch(`http://${metrics}/livez`)).status).toBe(200);
    expect((await fetch(`http://${metrics}/readyz`)).status).toBe(200);
    expect(metrics).toMatch(/^127\.0\.0\.1:/u);
  });
});

describe("what was not asked for", () => {
  it("is not loaded: neither metrics nor OpenTelemetry", () => {
    const trace = new URL("src/core/trace.js", new URL("../../", `file://${MAIN}`)).href;
    const main = new URL("coordinator/main.js", new URL("../../", `file://${MAIN}`)).href;
    const script = `
      const { openTracer } = await import(${JSON.stringify(trace)});
      await import(${JSON.stringify(main)});
      await openTracer("coordinator", process.env);
      const loaded = Object.keys((await import("node:module")).default._cache);
      console.log(JSON.stringify(loaded.filter((name) => /opentelemetry|prom-client/u.test(name))), loaded.length > 20);`;
    const env = { PATH: process.env["PATH"] };
    const run = (more: object): string =>
      execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
        encoding: "utf8",
        env: { ...env, ...more },
      });
    expect(run({}).trim()).toBe("[] true");
    expect(run({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })).toContain("opentelemetry");
  });
});
