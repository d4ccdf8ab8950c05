import { createServer } from "node:net";
import { credentials, loadPackageDefinition, Metadata, type Client, type GrpcObject } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { describe, expect, it } from "vitest";
import {
  CommitRequest,
  ControlServiceClient,
  ControlServiceService,
  SyncRequest,
  SyncResponse,
} from "../../../proto/gen/occam/v1/control.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { unary } from "../../../src/rpc/adapters.ts";
import { presentToken } from "../../../src/rpc/auth.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { connect } from "../../../src/rpc/client.ts";
import { MAX_MESSAGE_BYTES } from "../../../src/rpc/limits.ts";
import { settleMs, testClient, testServer, TOKEN, until } from "./rpc-fixture.ts";

const sync = SyncRequest.fromPartial({ workerId: "w" });
const echo = { sync: unary(async () => SyncResponse.fromPartial({ nextSyncMs: 7 })) };

async function failure(promise: Promise<unknown>): Promise<OccamError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OccamError);
  return error as OccamError;
}

/** A client of a service that has no generated code here. */
function dynamicClient(definition: PackageDefinition, path: readonly string[], address: string): Client {
  let place: unknown = loadPackageDefinition(definition);
  for (const name of path) place = (place as GrpcObject)[name];
  const Constructor = place as new (address: string, creds: ReturnType<typeof credentials.createInsecure>) => Client;
  return new Constructor(address, credentials.createInsecure());
}

describe("the token", () => {
  it("lets a call in when it is the server's", async () => {
    const server = await testServer({ control: echo });
    const { control } = testClient(server.address);
    expect((await callUnary(control, ControlServiceService.sync, sync)).nextSyncMs).toBe(7);
  });

  it("is refused when it is another, or a longer, or a shorter one, and says what to do", async () => {
    const server = await testServer({ control: echo });
    for (const wrong of ["", "another", `${TOKEN}x`, TOKEN.slice(1)]) {
      const { control } = testClient(server.address, wrong);
      const error = await failure(callUnary(control, ControlServiceService.sync, sync));
      expect(error.code).toBe("unauthenticated");
      expect(error.hint).toContain("OCCAM_TOKEN");
      expect(JSON.stringify(error) + error.message).not.toContain(TOKEN);
    }
  });

  it("is not needed for a health check, which tells live from ready, and is needed for reflection", async () => {
    const server = await testServer({ control: echo });
    const health = dynamicClient(loadSync(protoPath), ["grpc", "health", "v1", "Health"], server.address);
    const check = (service: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const call = health as unknown as Record<string, (...args: unknown[]) => void>;
        call["check"]!({ service }, (error: Error | null, reply: { status: string | number }) =>
          error === null ? resolve(String(reply.status)) : reject(error),
        );
      });
    expect(await check("")).toBe("1");
    expect(await check("occam.v1.ControlService")).toBe("1");
    expect(await check("occam.ready")).toBe("1");
    server.setReady(false);
    expect(await check("occam.v1.ControlService")).toBe("2");
    expect(await check("occam.ready")).toBe("2");
    expect(await check("")).toBe("1");
    health.close();
    await expect(reflectedServices(server.address, undefined)).rejects.toThrow(/UNAUTHENTICATED/);
  });
});

function reflectedServices(address: string, token: string | undefined, version = "v1"): Promise<readonly string[]> {
  const proto = new URL(
    `../../../node_modules/@grpc/reflection/build/proto/grpc/reflection/${version}/`,
    import.meta.url,
  );
  const definition = loadSync(`${proto.pathname}reflection.proto`);
  const client = dynamicClient(definition, ["grpc", "reflection", version, "ServerReflection"], address);
  return new Promise<readonly string[]>((resolve, reject) => {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    type Reply = { listServicesResponse: { service: { name: string }[] } };
    const method = definition[`grpc.reflection.${version}.ServerReflection`] as unknown as {
      ServerReflectionInfo: {
        path: string;
        requestSerialize: (v: object) => Buffer;
        responseDeserialize: (b: Buffer) => Reply;
      };
    };
    const info = method.ServerReflectionInfo;
    const call = client.makeBidiStreamRequest(info.path, info.requestSerialize, info.responseDeserialize, metadata);
    call.on("data", (reply: Reply) => resolve(reply.listServicesResponse.service.map(({ name }) => name)));
    call.on("error", reject);
    call.write({ listServices: "*" });
    call.end();
  }).finally(() => client.close());
}

describe("a server", () => {
  it.each(["v1", "v1alpha"])("lists its services by reflection %s", async (version) => {
    const server = await testServer({ control: echo });
    expect([...(await reflectedServices(server.address, TOKEN, version))].sort()).toEqual([
      "occam.v1.BulkService",
      "occam.v1.ControlService",
      "occam.v1.OperatorService",
    ]);
  });

  it("refuses a message above the limit and goes on", async () => {
    const server = await testServer({ control: { ...echo, commit: unary(async () => ({ outcome: 1, detail: "" })) } });
    const raw = new ControlServiceClient(server.address, credentials.createInsecure(), {
      interceptors: [presentToken(TOKEN)],
      "grpc.max_send_message_length": -1,
    });
    const large = CommitRequest.fromPartial({
      cellId: "c",
      outcome: { $case: "failure", value: { reason: "x".repeat(MAX_MESSAGE_BYTES + 1) } },
    });
    const error = await failure(callUnary(raw, ControlServiceService.commit, large));
    expect(error.code).toBe("resource-exhausted");
    raw.close();
    const { control } = testClient(server.address);
    expect((await failure(callUnary(control, ControlServiceService.commit, large))).code).toBe("resource-exhausted");
    expect((await callUnary(control, ControlServiceService.sync, sync)).nextSyncMs).toBe(7);
  });

  it("says that its port is in use", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const error = await failure(testServer({}, { port }));
    expect(error.code).toBe("bad-config");
    expect(error.message).toBe(`cannot listen on 127.0.0.1:${port}: the port is in use`);
    expect(error.hint).toContain("--port");
    await new Promise((resolve) => holder.close(resolve));
  });

  it("says that its host is not of this machine, and that a port is none", async () => {
    const nowhere = await failure(testServer({}, { host: "192.0.2.1", allowPlaintext: true }));
    expect(nowhere.code).toBe("bad-config");
    expect(nowhere.hint).toContain("--host");
    expect((await failure(testServer({}, { port: 70_000 }))).message).toContain("70000 is no port");
  });

  it("refuses plaintext beyond loopback unless that is asked for, and then warns", async () => {
    const error = await failure(testServer({}, { host: "0.0.0.0" }));
    expect(error.code).toBe("bad-config");
    expect(error.hint).toMatch(/--tls-cert.*--allow-plaintext/);
    const open = await testServer({}, { host: "0.0.0.0", allowPlaintext: true });
    expect(open.logged.filter(({ level }) => level === "warn")).toHaveLength(1);
    const closed = await testServer();
    expect(closed.logged).toHaveLength(0);
  });

  it("lets running calls finish when it is shut down, and takes no new one", async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let arrived = false;
    const server = await testServer({
      control: {
        sync: unary(async () => {
          arrived = true;
          await gate;
          return SyncResponse.fromPartial({ nextSyncMs: 9 });
        }),
      },
    });
    const { control } = testClient(server.address);
    const running = callUnary(control, ControlServiceService.sync, sync);
    await until(() => arrived, "the call arrives");
    const down = server.shutdown(5_000);
    const late = testClient(server.address);
    expect((await failure(callUnary(late.control, ControlServiceService.sync, sync))).code).toBe("unavailable");
    release();
    expect((await running).nextSyncMs).toBe(9);
    await down;
  });

  it("cuts off what still runs after the grace time, which a client sees as unavailable", async () => {
    let aborted = false;
    const server = await testServer({
      control: {
        sync: unary(async (_request, { signal }) => {
          signal.addEventListener("abort", () => (aborted = true));
          return new Promise(() => undefined);
        }),
      },
    });
    const { control } = testClient(server.address);
    const running = failure(callUnary(control, ControlServiceService.sync, sync));
    await settleMs(50);
    const startMs = performance.now();
    await server.shutdown(100);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect((await running).code).toBe("unavailable");
    await until(() => aborted, "the handler's signal aborts");
  });
});

describe("a client", () => {
  it("says that nobody is there", async () => {
    const server = await testServer();
    await server.shutdown(0);
    const { control } = testClient(server.address);
    const error = await failure(callUnary(control, ControlServiceService.sync, sync));
    expect(error.code).toBe("unavailable");
    expect(error.message).toContain(`cannot reach a coordinator at ${server.address}`);
    expect(error.hint).toContain("occam coordinator");
  });

  it("refuses a text that is no address before it connects", () => {
    for (const text of ["", "localhost", "127.0.0.1:", "127.0.0.1:99999", "http://127.0.0.1:80", "a b:1"]) {
      expect(() => connect({ address: text, token: TOKEN })).toThrow(/no address of a coordinator/);
    }
  });

  it("reaches a server again that was started anew on its port", async () => {
    const first = await testServer({ control: echo });
    const { control } = testClient(first.address);
    await callUnary(control, ControlServiceService.sync, sync);
    await first.shutdown(0);
    expect((await failure(callUnary(control, ControlServiceService.sync, sync))).code).toBe("unavailable");
    await testServer({ control: echo }, { port: first.port });
    let reached = false;
    for (let attempt = 0; attempt < 100 && !reached; attempt += 1) {
      reached = await callUnary(control, ControlServiceService.sync, sync).then(
        () => true,
        () => false,
      );
      await settleMs(20);
    }
    expect(reached).toBe(true);
  });

  it("has a connection of its own for control and for bulk", async () => {
    const peers = new Set<string>();
    const server = await testServer({
      control: {
        sync: unary(async (_request, { peer }) => {
          peers.add(peer);
          return SyncResponse.fromPartial({});
        }),
      },
    });
    const { control, bulk } = testClient(server.address);
    await callUnary(control, ControlServiceService.sync, sync);
    await callUnary(control, ControlServiceService.sync, sync);
    expect(peers.size).toBe(1);
    await callUnary(bulk, ControlServiceService.sync, sync);
    expect(peers.size).toBe(2);
  });

  it("gives up at its deadline, and when it is told to", async () => {
    const server = await testServer({ control: { sync: unary(() => new Promise(() => undefined)) } });
    const { control } = testClient(server.address);
    const late = await failure(callUnary(control, ControlServiceService.sync, sync, { deadlineMs: 60 }));
    expect(late.code).toBe("unavailable");
    expect(late.message).toContain("did not answer in time");
    const controller = new AbortController();
    const given = failure(callUnary(control, ControlServiceService.sync, sync, { signal: controller.signal }));
    controller.abort();
    expect((await given).code).toBe("cancelled");
    const before = callUnary(control, ControlServiceService.sync, sync, { signal: AbortSignal.abort() });
    expect((await failure(before)).code).toBe("cancelled");
  });
});
