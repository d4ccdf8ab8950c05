/** Messages that mean harm, over real gRPC on a real store: a clear refusal, nothing lost, and the next caller is answered. */
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { gzipSync } from "node:zlib";
import { credentials, Metadata, status, type ServiceDefinition, type StatusObject } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BulkServiceService, PushRequest, StreamKind } from "../../../proto/gen/occam/v1/bulk.ts";
import {
  CommitOutcome,
  CommitRequest,
  ControlServiceClient,
  ControlServiceService,
  SyncRequest,
} from "../../../proto/gen/occam/v1/control.ts";
import {
  ListCellsRequest,
  OperatorServiceService,
  SubmitSweepRequest,
  SweepState,
  TailLogsRequest,
} from "../../../proto/gen/occam/v1/operator.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { madeUpResult } from "./coordinator-fixture.ts";
import {
  all,
  batch,
  commitResult,
  connection,
  coordinator,
  heldOf,
  line,
  push,
  restart,
  SPEC,
  submit,
  sync,
  syncRequest,
  tail,
  takeShard,
  TOKEN,
} from "./services-fixture.ts";

const DEFINITIONS: readonly ServiceDefinition[] = [ControlServiceService, BulkServiceService, OperatorServiceService];
const PATHS = DEFINITIONS.flatMap((definition) => Object.values(definition).map(({ path }) => path));

/** Answers that blame the caller; CANCELLED and DEADLINE_EXCEEDED: a watch or a long poll that was asked for and works. */
const CLEAR = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
]);

const identity = (value: Buffer): Buffer => value;

async function send(
  client: ControlServiceClient,
  path: string,
  ...messages: readonly Uint8Array[]
): Promise<StatusObject> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${TOKEN}`);
  const call = client.makeBidiStreamRequest(path, identity, identity, metadata, { deadline: Date.now() + 500 });
  call.on("error", () => undefined);
  call.on("data", () => undefined);
  for (const message of messages) call.write(Buffer.from(message));
  call.end();
  return new Promise<StatusObject>((resolve) => call.once("status", resolve));
}

const rawClient = (): ControlServiceClient =>
  new ControlServiceClient(coordinator.address, credentials.createInsecure());

/** The coordinator still takes a sweep and has what it had. */
async function stillServes(committed: number): Promise<void> {
  const { sweep } = await callUnary(connection.operator, OperatorServiceService.getSweep, { sweep: "moons" });
  expect(sweep).toMatchObject({ state: SweepState.SWEEP_STATE_RUNNING, counts: { total: 12, committed } });
  expect((await sync({ workerId: "honest", sessionId: "honest" })).fenced).toBe(false);
}

describe("bytes that are no message", () => {
  it("are refused by every method, and the next caller is answered", async () => {
    await submit();
    const grant = await takeShard();
    await commitResult(grant, grant.cells[0]!.cellId, 1);
    const client = rawClient();
    const bytes = fc.uint8Array({ maxLength: 2_000, size: "max" });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...PATHS),
        fc.array(bytes, { minLength: 1, maxLength: 3 }),
        async (path, messages) => {
          const unary = path !== "/occam.v1.BulkService/Push";
          const { code, details } = await send(client, path, ...(unary ? messages.slice(0, 1) : messages));
          expect([path, CLEAR.has(code), details]).toEqual([path, true, details]);
        },
      ),
      { numRuns: 300 },
    );
    client.close();
    await stillServes(1);
  }, 120_000);

  it("that were a message once, with bits flipped, cut off or repeated, are too", async () => {
    await submit();
    const grant = await takeShard();
    const cellId = grant.cells[0]!.cellId;
    await commitResult(grant, cellId, 1);
    const lines = [{ ...line("x"), timeMs: 2n ** 64n - 1n, level: 77 as never }];
    const good: readonly [string, Uint8Array][] = [
      [
        "/occam.v1.ControlService/Sync",
        SyncRequest.encode(syncRequest({ held: [heldOf(grant)], freeSlots: 0 })).finish(),
      ],
      [
        "/occam.v1.ControlService/Commit",
        CommitRequest.encode({
          workerId: "w1",
          sessionId: "s1",
          cellId,
          token: grant.token,
          outcome: { $case: "result", value: { ...madeUpResult(1), metricCount: 0n, logCount: 0n } },
        }).finish(),
      ],
      ["/occam.v1.BulkService/Push", PushRequest.encode(batch(undefined, "", { logs: lines })).finish()],
      [
        "/occam.v1.BulkService/Push",
        PushRequest.encode(
          batch(grant, grant.cells[1]!.cellId, {
            kind: StreamKind.STREAM_KIND_METRICS,
            metrics: { names: ["loss"], name: [0, 0], step: [0n, 2n ** 63n], value: [1, Number.NaN] },
          }),
        ).finish(),
      ],
      [
        "/occam.v1.OperatorService/ListCells",
        ListCellsRequest.encode({ sweep: "moons", states: [1], cellId: "" }).finish(),
      ],
      [
        "/occam.v1.OperatorService/TailLogs",
        TailLogsRequest.encode(TailLogsRequest.fromPartial({ sweep: "moons", last: 3 })).finish(),
      ],
      [
        "/occam.v1.OperatorService/SubmitSweep",
        SubmitSweepRequest.encode({ specText: SPEC, fileName: "m.yaml", noCache: false, requestId: "" }).finish(),
      ],
    ];
    const client = rawClient();
    const edit = fc.record({ at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) });
    const cut = fc.option(fc.nat());
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...good),
        fc.array(edit, { maxLength: 6 }),
        cut,
        async ([path, message], edits, end) => {
          const copy = Uint8Array.from(message);
          for (const { at, xor } of edits) copy[at % copy.length]! ^= xor;
          const sent = end === null ? copy : copy.subarray(0, end % copy.length);
          const { code, details } = await send(client, path, sent);
          expect([path, CLEAR.has(code), details]).toEqual([path, true, details]);
        },
      ),
      { numRuns: 400 },
    );
    client.close();
    // What a mangled submission made is another sweep; a mangled failure may have ended an attempt, but never a result.
    const { sweep } = await callUnary(connection.operator, OperatorServiceService.getSweep, { sweep: "moons" });
    expect(sweep!.counts!.committed).toBeGreaterThanOrEqual(1);
    await all(tail());
    await restart();
    expect((await commitResult(grant, cellId, 1)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_DUPLICATE_SAME);
  }, 120_000);
});

describe("messages that come again", () => {
  it("change nothing, in whatever order and however often", async () => {
    await submit();
    const grant = await takeShard();
    const cells = grant.cells.map(({ cellId }) => cellId);
    const calls: readonly (() => Promise<unknown>)[] = [
      ...cells.map((cellId) => () => push(batch(grant, cellId, { logs: [line("one"), line("two")] }))),
      ...cells.map((cellId) => () => commitResult(grant, cellId, 1, 0n, 2n)),
      () => sync({ freeSlots: 0, held: [heldOf(grant)] }),
      () => submit(),
    ];
    for (const call of calls) await call();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...calls), { maxLength: 30, size: "max" }), async (again) => {
        await Promise.all(again.map((call) => call()));
      }),
      { numRuns: 8 },
    );
    await stillServes(cells.length);
    const lines = (await all(tail({ workerId: "w1" }))).map(({ record }) => record!.message);
    expect(lines).toHaveLength(2 * cells.length);
  });
});

describe("what is no gRPC at all", () => {
  it("is cut off, and others are answered meanwhile", async () => {
    await submit();
    const port = coordinator.port;
    const noise = (text: string | Buffer): Promise<void> =>
      new Promise((resolve) => {
        const socket = connectTcp(port, "127.0.0.1", () => socket.write(text));
        socket.on("error", () => resolve());
        socket.on("close", () => resolve());
        setTimeout(() => socket.destroy(), 300);
      });
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const slow = Array.from({ length: 50 }, () => noise("PRI * HT"));
    await Promise.all([
      ...slow,
      noise("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      noise(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])),
      noise(preface + "\0".repeat(100_000)),
      noise(preface + "\xff".repeat(100_000)),
      stillServes(0),
    ]);
    await stillServes(0);
  });

  it("nor a message that unpacks to far more than it was", async () => {
    await submit();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const frame = Buffer.alloc(5);
    frame.writeUInt8(1, 0);
    frame.writeUInt32BE(bomb.length, 1);
    const session = connectHttp2(`http://${coordinator.address}`);
    const answer = await new Promise<string>((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/occam.v1.ControlService/Sync",
        "content-type": "application/grpc",
        "grpc-encoding": "gzip",
        te: "trailers",
        authorization: `Bearer ${TOKEN}`,
      });
      stream.on("trailers", (trailers) => resolve(String(trailers["grpc-status"])));
      stream.on(
        "response",
        (headers) => headers["grpc-status"] !== undefined && resolve(String(headers["grpc-status"])),
      );
      stream.on("error", reject);
      stream.resume();
      stream.end(Buffer.concat([frame, bomb]));
    });
    session.close();
    expect(answer).toBe(String(status.RESOURCE_EXHAUSTED));
    await stillServes(0);
  });

  it("nor headers without end", async () => {
    await submit();
    const session = connectHttp2(`http://${coordinator.address}`);
    session.on("error", () => undefined);
    const ended = await new Promise<string>((resolve) => {
      const headers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, "y".repeat(2_000)]));
      const stream = session.request({ ":method": "POST", ":path": "/occam.v1.ControlService/Sync", ...headers });
      stream.on("error", () => resolve("refused"));
      stream.on("response", ({ ":status": code }) => resolve(String(code)));
      stream.end();
    });
    session.destroy();
    expect(ended).not.toBe("200");
    await stillServes(0);
  });
});
