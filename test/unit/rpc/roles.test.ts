/** Who may call what: the table, and the door that keeps it, over real gRPC. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Metadata, status, type ServiceDefinition, type StatusObject } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { BulkServiceService } from "../../../proto/gen/occam/v1/bulk.ts";
import {
  ControlServiceClient,
  ControlServiceService,
  SyncRequest,
  SyncResponse,
} from "../../../proto/gen/occam/v1/control.ts";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createLogger } from "../../../src/core/log.ts";
import { accessFile, parseAccess } from "../../../src/rpc/access-file.ts";
import { unary } from "../../../src/rpc/adapters.ts";
import { CallGate } from "../../../src/rpc/call-gate.ts";
import { callUnary, readStream } from "../../../src/rpc/client-calls.ts";
import { MAX_HEALTH_CALLS, MAX_OPERATOR_CALLS, MAX_OPERATOR_CALLS_OF_CLIENT } from "../../../src/rpc/limits.ts";
import { checkRequirements, meets, requirementOf, ROLES, type Role } from "../../../src/rpc/roles.ts";
import { hashToken, MAX_TOKENS, oneToken, tokensOf, type TokenEntry, type Tokens } from "../../../src/rpc/tokens.ts";
import { testClient, testServer, until } from "./rpc-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "occam-access-"));
afterAll(() => rmSync(folder, { recursive: true }));

const DEFINITIONS: readonly ServiceDefinition[] = [ControlServiceService, BulkServiceService, OperatorServiceService];
const METHODS = DEFINITIONS.flatMap((definition) => Object.values(definition));
const READING = new Set([
  "GetServer",
  "GetSweep",
  "ListSweeps",
  "WatchSweep",
  "ListWorkers",
  "ListCells",
  "ListSeries",
  "TailLogs",
  "FindCached",
  "ExplainCell",
]);

const entry = (name: string, roles: readonly Role[]): TokenEntry => ({
  name,
  roles: new Set(roles),
  workerIds: "",
  sha256: hashToken(`token of ${name}`),
});
const everyone = [entry("vera", ["viewer"]), entry("otto", ["operator"]), entry("willi", ["worker"])];
const tokens: Tokens = tokensOf(() => everyone);

/** Every method answers that it was reached, by a code that nothing else here gives. */
function reachable(definition: ServiceDefinition) {
  const reached = { code: status.DATA_LOSS, details: "reached" };
  return Object.fromEntries(
    Object.entries(definition).map(([name, { requestStream, responseStream }]) => [
      name,
      (call: { emit(event: string, error: object): void }, callback?: (error: object) => void) => {
        if (!requestStream && !responseStream) callback!(reached);
        else call.emit("error", reached);
      },
    ]),
  );
}

async function statusOf(address: string, path: string, bearer: string | undefined): Promise<number> {
  const client = new ControlServiceClient(address, credentials.createInsecure());
  const metadata = new Metadata();
  if (bearer !== undefined) metadata.set("authorization", bearer);
  const bytes = (value: Buffer): Buffer => value;
  const call = client.makeBidiStreamRequest(path, bytes, bytes, metadata);
  call.on("error", () => undefined);
  call.on("data", () => undefined);
  call.write(Buffer.alloc(0));
  call.end();
  const answer = await new Promise<StatusObject>((resolve) => call.once("status", resolve));
  client.close();
  return answer.code;
}

describe("the table of roles", () => {
  it("covers every method of every service, and stops a server that has another", () => {
    expect(METHODS).toHaveLength(21);
    for (const { path } of METHODS) expect(ROLES).toContain(requirementOf(path));
    const stranger = { ...ControlServiceService.sync, path: "/occam.v1.ControlService/Format" };
    expect(() => checkRequirements([...DEFINITIONS, { stranger }])).toThrow(/Format/);
  });

  it("gives viewers what reads, operators what changes, and workers what is a worker's", () => {
    for (const { path } of METHODS) {
      const name = path.split("/").at(-1)!;
      const expected = path.startsWith("/occam.v1.OperatorService/")
        ? READING.has(name)
          ? "viewer"
          : "operator"
        : "worker";
      expect([path, requirementOf(path)]).toEqual([path, expected]);
    }
    expect(meets(new Set(["operator"]), "viewer")).toBe(true);
    expect(meets(new Set(["viewer"]), "operator")).toBe(false);
    expect(meets(new Set(["operator"]), "worker")).toBe(false);
    expect(meets(new Set(["worker"]), "viewer")).toBe(false);
  });

  it("is kept at the door for every method and every role, before the request is read", async () => {
    const [control, bulk, operator] = DEFINITIONS.map(reachable);
    const server = await testServer({ control: control!, bulk: bulk!, operator: operator! }, { tokens });
    for (const { path } of METHODS) {
      expect(await statusOf(server.address, path, undefined)).toBe(status.UNAUTHENTICATED);
      for (const { name, roles } of everyone) {
        const may = meets(roles, requirementOf(path) as Role);
        const code = await statusOf(server.address, path, `Bearer token of ${name}`);
        expect([path, name, code]).toEqual([path, name, may ? status.DATA_LOSS : status.PERMISSION_DENIED]);
      }
    }
    expect(await statusOf(server.address, "/occam.v1.ControlService/Format", "Bearer token of otto")).toBe(
      status.UNIMPLEMENTED,
    );
  });

  it("says who lacks what", async () => {
    const server = await testServer({}, { tokens });
    const { operator } = testClient(server.address, "token of vera");
    const call = callUnary(operator, OperatorServiceService.cancelSweep, { sweep: "s" });
    await expect(call).rejects.toMatchObject({
      code: "permission-denied",
      message: 'CancelSweep needs the role operator; the token "vera" has viewer',
    });
  });
});

describe("a token", () => {
  it("is found only by itself, whole", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 64 }), (text) => {
        const found = tokens.find(text);
        expect(found?.name).toBe(everyone.find(({ name }) => text === `token of ${name}`)?.name);
      }),
    );
    for (const { name } of everyone) expect(tokens.find(`token of ${name}`)?.name).toBe(name);
    expect([...oneToken("t").find("t")!.roles].sort()).toEqual([...ROLES].sort());
  });

  it("is no longer with the call behind the door, and a caller cannot name itself", async () => {
    let seen: readonly unknown[] = ["nothing"];
    const server = await testServer(
      {
        control: {
          sync: (call: { metadata: Metadata }, callback: (error: null, response: SyncResponse) => void) => {
            seen = call.metadata.get("authorization");
            callback(null, SyncResponse.fromPartial({}));
          },
        },
        operator: { listSweeps: unary(async (_request, { principal }) => Promise.reject(new Error(principal.name))) },
      },
      { tokens },
    );
    const { control } = testClient(server.address, "token of willi");
    await callUnary(control, ControlServiceService.sync, SyncRequest.fromPartial({}));
    expect(seen).toEqual([]);
    const { operator } = testClient(server.address, "token of vera");
    await expect(callUnary(operator, OperatorServiceService.listSweeps, {})).rejects.toThrow("vera");
    expect(JSON.stringify(server.logged)).not.toContain("token of");
  });
});

describe("an access file", () => {
  const path = join(folder, "access.yaml");
  const line = (name: string, roles: string, token: string): string =>
    `  - { name: ${name}, roles: ${roles}, sha256: ${hashToken(token).toString("hex")} }\n`;

  it("is read again as it changes: what is gone is refused, what is new is let in, what is wrong changes nothing", async () => {
    const said: string[] = [];
    const destination = { write: (text: string) => void said.push(text) };
    const logger = createLogger({ component: "test", level: "info", destination });
    writeFileSync(path, `tokens:\n${line("ada", "[operator]", "one")}`);
    const access = accessFile(path, systemClock, logger, 10);
    expect(access.find("one")?.name).toBe("ada");
    writeFileSync(path, `tokens:\n${line("ada", "[operator]", "one")}${line("ada", "[operator]", "two")}`);
    await until(() => access.find("two") !== undefined, "the second token of a name");
    expect(access.find("one")).toBeDefined();
    writeFileSync(path, "tokens: [");
    await until(() => said.some((text) => text.includes("no good")), "the broken file is told of");
    expect(access.find("one")).toBeDefined();
    writeFileSync(path, `tokens:\n${line("ada", "[operator]", "two")}`);
    await until(() => access.find("one") === undefined, "the first token is gone");
    access.stop();
  });

  it("with mistakes is refused with all of them", () => {
    const good = { name: "ada", roles: ["viewer"], sha256: "0".repeat(64) };
    const refused = (...entries: object[]) => expect(() => parseAccess(JSON.stringify({ tokens: entries }), "a.yaml"));
    expect(parseAccess(JSON.stringify({ tokens: [good] }), "a.yaml")).toHaveLength(1);
    refused({ ...good, sha256: "hunter2", roles: ["root"] }).toThrow(/roles[\s\S]*sha256|sha256[\s\S]*roles/u);
    refused({ ...good, token: "in the clear" }).toThrow(/token/u);
    refused({ ...good, name: "a b" }).toThrow(/name/u);
    refused({ ...good, roles: [] }).toThrow(/role/u);
    refused().toThrow(/at least one token/u);
    refused(...Array.from({ length: MAX_TOKENS + 1 }, () => good)).toThrow(String(MAX_TOKENS));
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        try {
          expect(parseAccess(text, "a.yaml")).toBeInstanceOf(Array);
        } catch (error) {
          expect(error).toMatchObject({ code: "bad-config" });
        }
      }),
    );
  });
});

describe("the gate", () => {
  it("holds its limits and counts calls out again, each once", () => {
    const gate = new CallGate({ health: 1, operator: 3, operatorOfClient: 2 });
    const first = gate.enter("viewer", "a@h");
    gate.enter("operator", "a@h");
    expect(() => gate.enter("viewer", "a@h")).toThrow(/this client has 2 calls open/);
    gate.enter("viewer", "b@h");
    expect(() => gate.enter("viewer", "c@h")).toThrow(/3 calls of all clients/);
    first();
    first();
    gate.enter("viewer", "a@h");
    expect(() => gate.enter("viewer", "c@h")).toThrow(/3 calls of all clients/);
    const health = gate.enter("anyone", "");
    expect(() => gate.enter("anyone", "")).toThrow(/1 health checks/);
    health();
    gate.enter("anyone", "");
    for (let count = 0; count < 10_000; count += 1) gate.enter("worker", "w@h");
    expect(MAX_OPERATOR_CALLS_OF_CLIENT).toBeLessThan(MAX_OPERATOR_CALLS);
    expect(MAX_HEALTH_CALLS).toBeGreaterThan(1);
  });

  it("refuses one watch too many, and takes it once another has ended, however it ended", async () => {
    const watchSweep = (): void => undefined;
    const gateLimits = { health: 4, operator: 8, operatorOfClient: 2 };
    const server = await testServer({ operator: { watchSweep } }, { tokens, gateLimits });
    const { operator } = testClient(server.address, "token of vera");
    const watch = (signal: AbortSignal) =>
      readStream(operator, OperatorServiceService.watchSweep, { sweep: "", minIntervalMs: 0 }, { signal })
        .next()
        .then(
          () => "answered",
          (error: { code: string }) => error.code,
        );
    const ends = [new AbortController(), new AbortController()];
    const open = ends.map(({ signal }) => watch(signal));
    await expect.poll(() => watch(AbortSignal.timeout(1_000)), { timeout: 15_000 }).toBe("resource-exhausted");
    ends[0]!.abort();
    expect(await open[0]).toBe("cancelled");
    await expect.poll(() => watch(AbortSignal.timeout(1_000)), { timeout: 15_000 }).toBe("cancelled");
    ends[1]!.abort();
    await Promise.all(open);
  });
});
