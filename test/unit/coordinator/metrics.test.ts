/** Metrics and probes over real HTTP, fed by a real coordinator. */
import { createServer } from "node:net";
import { readFileSync } from "node:fs";
import { credentials, loadPackageDefinition, type Client, type GrpcObject } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { METRICS } from "../../../coordinator/http/metric-table.ts";
import { Metrics } from "../../../coordinator/http/metrics.ts";
import { serveMetrics, type MetricsServer } from "../../../coordinator/http/metrics-server.ts";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { connect } from "../../../src/rpc/client.ts";
import { quietLogger } from "../../support/quiet-logger.ts";
import {
  batch,
  commitResult,
  coordinator,
  line,
  push,
  startWith,
  submit,
  sync,
  takeShard,
} from "./services-fixture.ts";

let server: MetricsServer;

beforeEach(async () => {
  const metrics = new Metrics();
  await startWith({ meter: metrics });
  metrics.read(coordinator);
  const { isReady } = coordinator;
  server = await serveMetrics({ host: "127.0.0.1", port: 0, metrics, isReady, logger: quietLogger });
});
afterEach(() => server.stop());

async function get(path: string, method = "GET"): Promise<{ readonly code: number; readonly text: string }> {
  const response = await fetch(`http://${server.address}${path}`, { method });
  return { code: response.status, text: await response.text() };
}

/** Samples by name and labels. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const { text } = await get("/metrics");
  const lines = text.split("\n").filter((each) => each !== "" && !each.startsWith("#"));
  return new Map(
    lines.map((each) => [each.slice(0, each.lastIndexOf(" ")), Number(each.slice(each.lastIndexOf(" ") + 1))]),
  );
}

describe("metrics", () => {
  it("follow a sweep from its submission to commits", async () => {
    await submit();
    expect(Object.fromEntries(await scrape())).toMatchObject({
      'occam_cells{state="pending"}': 12,
      'occam_sweeps{state="running"}': 1,
      occam_open_cells: 12,
      occam_ready: 1,
    });
    const grant = await takeShard();
    const cells = BigInt(grant.cells.length);
    await push(batch(grant, grant.cells[0]!.cellId, { logs: [line("hello"), line("again")] }));
    await commitResult(grant, grant.cells[0]!.cellId, 1);
    await commitResult(grant, grant.cells[0]!.cellId, 1);
    const samples = Object.fromEntries(await scrape());
    expect(samples).toMatchObject({
      'occam_cells{state="running"}': Number(cells) - 1,
      'occam_cells{state="committed"}': 1,
      'occam_leases{state="held"}': 1,
      'occam_sessions{state="busy"}': 1,
      occam_leases_granted_total: 1,
      occam_cells_leased_total: Number(cells),
      'occam_commits_total{outcome="committed"}': 1,
      'occam_commits_total{outcome="duplicate-same"}': 1,
      occam_commit_seconds_count: 2,
      occam_syncs_total: 2,
      occam_sync_seconds_count: 2,
      'occam_stream_records_total{kind="logs"}': 2,
    });
    expect(samples['occam_stream_bytes_total{kind="logs"}']).toBe(2 * (5 + '{"step":1}'.length));
    expect(samples["occam_store_write_seconds_count"]).toBeGreaterThan(3);
    expect(samples["occam_commit_seconds_sum"]).toBeGreaterThan(0);
    expect(samples["occam_commit_seconds_sum"]).toBeLessThan(10);
    await sync({ sessionId: "s2", freeSlots: 0 });
    expect((await scrape()).get('occam_leases_ended_total{end="fenced"}')).toBe(1);
  });

  it("count what is refused at the door, and what is shed", async () => {
    const stranger = connect({ address: coordinator.address, token: "guess" });
    for (let count = 0; count < 3; count += 1) {
      await callUnary(stranger.operator, OperatorServiceService.listSweeps, {}).catch(() => undefined);
    }
    stranger.close();
    expect((await scrape()).get('occam_calls_refused_total{code="unauthenticated"}')).toBe(3);
  });

  it("are all in the table, with the help text that stands there, and begin with occam_", async () => {
    const { text } = await get("/metrics");
    const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gmu)].map(([, name, help]) => [name!, help]));
    expect([...helps.keys()].sort()).toEqual(Object.keys(METRICS).sort());
    for (const [name, { help, kind }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^occam_[a-z_]+$/u);
      expect(helps.get(name)).toBe(help);
      expect(name.endsWith("_total")).toBe(kind === "counter");
      expect(name.endsWith("_seconds") || kind !== "histogram").toBe(true);
    }
    const design = readFileSync(new URL("../../../coordinator/DESIGN.md", import.meta.url), "utf8");
    for (const [name] of design.matchAll(/\boccam_[a-z_]+[a-z]/gu)) expect(Object.keys(METRICS)).toContain(name);
  });

  it("are not served where the port is taken, and other paths and methods are refused", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const taken = { host: "127.0.0.1", port, metrics: new Metrics(), isReady: () => true, logger: quietLogger };
    await expect(serveMetrics(taken)).rejects.toMatchObject({ code: "bad-config", hint: /--metrics-port/u });
    holder.close();
    expect((await get("/")).code).toBe(404);
    expect((await get("/metrics", "POST")).code).toBe(405);
  });
});

describe("health", () => {
  it("is live and ready while it serves; at a drain it is live and not ready, over gRPC and HTTP alike", async () => {
    expect([(await get("/livez")).code, (await get("/readyz")).code]).toEqual([200, 200]);
    const seen = watchHealth(coordinator.address, "occam.ready");
    await expect.poll(() => seen.at(-1)).toBe(1);
    const waiting = sync({ waitMs: 10_000 }).catch(() => undefined);
    await coordinator.stop();
    await waiting;
    expect(seen).toContain(2);
    expect([(await get("/livez")).code, (await get("/readyz")).code]).toEqual([200, 503]);
  });

  it("is not ready once the store has failed, and every call is refused", async () => {
    const seen = watchHealth(coordinator.address, "occam.v1.OperatorService");
    await expect.poll(() => seen.at(-1)).toBe(1);
    const { store } = coordinator.hot!;
    store.apply = () => Promise.reject(new Error("no space left on device"));
    await expect(submit()).rejects.toMatchObject({ code: "unavailable" });
    await coordinator.failed;
    await expect.poll(async () => (await get("/readyz")).code).toBe(503);
    await expect.poll(() => seen.at(-1)).toBe(2);
    expect((await get("/livez")).code).toBe(200);
    expect((await scrape()).get("occam_ready")).toBe(0);
  });
});

/** The states of a health service as they come. */
function watchHealth(address: string, service: string): readonly number[] {
  const seen: number[] = [];
  const health = (loadPackageDefinition(loadSync(protoPath)) as unknown as { grpc: { health: { v1: GrpcObject } } })
    .grpc.health.v1;
  const Health = health["Health"] as unknown as new (
    address: string,
    creds: ReturnType<typeof credentials.createInsecure>,
  ) => Client;
  const client = new Health(address, credentials.createInsecure());
  type Watch = (request: object) => { on(event: string, listener: (value: { status: number }) => void): void };
  const call = (client as unknown as { watch: Watch }).watch({ service });
  call.on("data", ({ status }) => seen.push(status));
  call.on("error", () => client.close());
  return seen;
}
