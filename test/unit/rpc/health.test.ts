/** Our health service against the messages as the standard's own .proto file has them. */
import { credentials, loadPackageDefinition, status, type Client, type GrpcObject } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { afterEach, describe, expect, it } from "vitest";
import { testServer, until } from "./rpc-fixture.ts";

interface Reply {
  readonly status: string;
}

interface Stream {
  on(event: "data", listener: (reply: Reply) => void): void;
  on(event: "error", listener: () => void): void;
  cancel(): void;
}

type Done<R> = (error: { readonly code: status } | null, reply: R) => void;

interface HealthClient extends Client {
  check(request: { readonly service: string }, done: Done<Reply>): void;
  list(request: object, done: Done<{ readonly statuses: Readonly<Record<string, Reply>> }>): void;
  watch(request: { readonly service: string }): Stream;
}

const definition = loadPackageDefinition(loadSync(protoPath, { enums: String, defaults: true }));
const { health } = (definition as { grpc: { health: GrpcObject } }).grpc;
const Health = (health["v1"] as GrpcObject)["Health"] as unknown as new (...of: unknown[]) => HealthClient;

let client: HealthClient;

afterEach(() => client.close());

async function world() {
  const server = await testServer();
  client = new Health(server.address, credentials.createInsecure());
  return server;
}

const check = (service: string): Promise<string> =>
  new Promise((resolve, reject) => {
    client.check({ service }, (error, reply) => (error === null ? resolve(reply.status) : reject(error)));
  });

describe("health", () => {
  it("says of each service whether it serves, and that it knows no other", async () => {
    const server = await world();
    expect(await check("")).toBe("SERVING");
    server.setReady(false);
    expect(await check("occam.v1.BulkService")).toBe("NOT_SERVING");
    await expect(check("another")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it("lists all of them", async () => {
    await world();
    const statuses = await new Promise((resolve, reject) => {
      client.list({}, (error, reply) => (error === null ? resolve(reply.statuses) : reject(error)));
    });
    const names = ["", "occam.ready", "occam.v1.ControlService", "occam.v1.BulkService", "occam.v1.OperatorService"];
    expect(statuses).toEqual(Object.fromEntries(names.map((name) => [name, { status: "SERVING" }])));
  });

  it("tells those who watch now and at every change", async () => {
    const server = await world();
    const seen: Record<string, string[]> = { "occam.ready": [], another: [] };
    const streams = Object.keys(seen).map((service) => {
      const stream = client.watch({ service });
      stream.on("data", ({ status: now }) => seen[service]!.push(now));
      stream.on("error", () => undefined);
      return stream;
    });
    await until(() => Object.values(seen).every((told) => told.length > 0), "the status now");
    server.setReady(false);
    await until(() => seen["occam.ready"]!.length === 2, "its change");
    for (const stream of streams) stream.cancel();
    expect(seen).toEqual({ "occam.ready": ["SERVING", "NOT_SERVING"], another: ["SERVICE_UNKNOWN"] });
  });

  it("refuses bytes that are no request, and goes on", async () => {
    await world();
    const error = await new Promise<{ readonly code: status }>((resolve) => {
      const bytes = Buffer.from([0x0a, 0x7f]);
      const same = (value: Buffer): Buffer => value;
      client.makeUnaryRequest("/grpc.health.v1.Health/Check", same, same, bytes, (thrown) => resolve(thrown!));
    });
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(await check("")).toBe("SERVING");
  });
});
