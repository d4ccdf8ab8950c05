import { describe, expect, it } from "vitest";
import { BulkServiceService, PushRequest, type PushResponse } from "../../../proto/gen/occam/v1/bulk.ts";
import { ControlServiceService, SyncRequest, SyncResponse } from "../../../proto/gen/occam/v1/control.ts";
import {
  OperatorServiceService,
  TailLogsRequest,
  type TailLogsResponse,
} from "../../../proto/gen/occam/v1/operator.ts";
import { OccamError, RETRYABLE, type ErrorCode } from "../../../src/core/errors.ts";
import { bidiStreaming, serverStreaming, unary, type CallContext } from "../../../src/rpc/adapters.ts";
import { callUnary, openDuplex, readStream } from "../../../src/rpc/client-calls.ts";
import { settleMs, testClient, testServer, until } from "./rpc-fixture.ts";

const line = (message: string): TailLogsResponse => ({
  resumeToken: "",
  workerId: "",
  cellId: "",
  attemptToken: 0n,
  record: { timeMs: 0n, level: 2, message, fieldsJson: "" },
  lines: [],
});
const push = (offset: number, text = ""): PushRequest =>
  PushRequest.fromPartial({ cellId: text, firstOffset: BigInt(offset) });
const answer = (offset: bigint): PushResponse => ({
  cellId: "",
  token: 0n,
  kind: 1,
  nextOffset: offset,
  fenced: false,
  windowBytes: 0,
  refused: "",
});
const tail = TailLogsRequest.fromPartial({});
const sync = SyncRequest.fromPartial({});

async function thrown(promise: Promise<unknown>): Promise<OccamError> {
  return promise.then(
    () => expect.fail("nothing was thrown"),
    (error: unknown) => error as OccamError,
  );
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("an error", () => {
  it("of every code arrives with its code, message, place and hint", async () => {
    let raise = new OccamError("internal", "");
    const server = await testServer({
      control: {
        sync: unary(async () => {
          throw raise;
        }),
      },
    });
    const { control } = testClient(server.address);
    for (const code of Object.keys(RETRYABLE) as ErrorCode[]) {
      raise = new OccamError(code, `männlich, ünïcode & 100 %\nline two of ${code}`, {
        where: "a.yaml:3:4",
        hint: "do b",
      });
      const got = await thrown(callUnary(control, ControlServiceService.sync, sync));
      expect(got).toBeInstanceOf(OccamError);
      expect([got.code, got.message, got.where, got.hint]).toEqual([
        raise.code,
        raise.message,
        raise.where,
        raise.hint,
      ]);
    }
  });

  it("that is a defect arrives as internal, and the server logs its stack", async () => {
    const server = await testServer({
      control: {
        sync: unary(async () => {
          throw new TypeError("no such field");
        }),
      },
    });
    const { control } = testClient(server.address);
    const got = await thrown(callUnary(control, ControlServiceService.sync, sync));
    expect([got.code, got.message, got.where]).toEqual(["internal", "no such field", undefined]);
    const [entry] = server.logged;
    expect(entry?.["method"]).toBe("/occam.v1.ControlService/Sync");
    expect(JSON.stringify(entry?.["err"])).toContain("streams.test.ts");
  });

  it("with a message longer than a header block arrives cut, not lost", async () => {
    const server = await testServer({
      control: {
        sync: unary(async () => {
          throw new OccamError("bad-spec", "ü".repeat(100_000));
        }),
      },
    });
    const { control } = testClient(server.address);
    const got = await thrown(callUnary(control, ControlServiceService.sync, sync));
    expect(got.code).toBe("bad-spec");
    expect(got.message).toMatch(/^ü{10000}/);
    expect(got.message).toMatch(/more characters\)$/);
  });

  it("ends a stream after the messages that were sent before it", async () => {
    const server = await testServer({
      operator: {
        tailLogs: serverStreaming(async (_request, send) => {
          for (let index = 0; index < 100; index += 1) await send(line(String(index)));
          throw new OccamError("store-corrupt", "page 7");
        }),
      },
    });
    const { operator } = testClient(server.address);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { record } of readStream(operator, OperatorServiceService.tailLogs, tail)) {
        seen.push(record?.message ?? "");
      }
    })();
    const error = await thrown(reading);
    expect([error.code, error.message]).toEqual(["store-corrupt", "page 7"]);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
  });

  it("that comes before anybody reads the stream is not lost", async () => {
    const server = await testServer();
    await server.shutdown(0);
    const { bulk } = testClient(server.address);
    const duplex = openDuplex(bulk, BulkServiceService.push);
    await settleMs(100);
    expect((await thrown(collect(duplex.responses))).code).toBe("unavailable");
    expect((await thrown(duplex.send(push(0)))).code).toBe("unavailable");
  });
});

describe("back-pressure", () => {
  const LARGE = "x".repeat(64 * 1024);

  it("stops a handler that streams to a reader who does not read, and loses nothing", async () => {
    let sent = 0;
    const count = 400;
    const server = await testServer({
      operator: {
        tailLogs: serverStreaming(async (_request, send) => {
          for (; sent < count; sent += 1) await send(line(`${sent} ${LARGE}`));
        }),
      },
    });
    const { operator } = testClient(server.address);
    const iterator = readStream(operator, OperatorServiceService.tailLogs, tail)[Symbol.asyncIterator]();
    await iterator.next();
    await settleMs(300);
    const early = sent;
    // 16 objects wait in the server's stream, 16 in the client's, and HTTP/2 windows hold the rest: not 400 x 64 KiB.
    expect(early).toBeLessThan(128);
    let read = 1;
    while (!(await iterator.next()).done) read += 1;
    expect([read, sent]).toEqual([count, count]);
  });

  it("makes a client wait whose server does not read, and loses nothing", async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const server = await testServer({
      bulk: {
        push: bidiStreaming<PushRequest, PushResponse>(async (requests, send) => {
          await gate;
          for await (const { firstOffset } of requests) await send(answer(firstOffset));
        }),
      },
    });
    const { bulk } = testClient(server.address);
    const duplex = openDuplex(bulk, BulkServiceService.push);
    let sent = 0;
    const count = 400;
    const sending = (async () => {
      for (; sent < count; sent += 1) await duplex.send(push(sent, LARGE));
      duplex.end();
    })();
    await settleMs(300);
    expect(sent).toBeLessThan(128);
    release();
    const answers = await collect(duplex.responses);
    await sending;
    expect(answers.map(({ nextOffset }) => Number(nextOffset))).toEqual(Array.from({ length: count }, (_, i) => i));
  });
});

describe("cancellation", () => {
  it("by the caller aborts the handler's signal, and the end of a handler does not", async () => {
    const contexts: CallContext[] = [];
    let hold = false;
    const server = await testServer({
      control: {
        sync: unary(async (_request, context) => {
          contexts.push(context);
          if (hold) await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
          return SyncResponse.fromPartial({});
        }),
      },
    });
    const { control } = testClient(server.address);
    await callUnary(control, ControlServiceService.sync, sync);
    hold = true;
    const controller = new AbortController();
    const call = callUnary(control, ControlServiceService.sync, sync, { signal: controller.signal });
    const failed = thrown(call);
    await until(() => contexts.length === 2, "the second call arrives");
    controller.abort();
    expect((await failed).code).toBe("cancelled");
    await until(() => contexts[1]!.signal.aborted, "the signal aborts");
    expect(contexts[0]!.signal.aborted).toBe(false);
  });

  it("ends a handler that waits for a slow reader: its send rejects as cancelled", async () => {
    let ended: unknown;
    const server = await testServer({
      operator: {
        tailLogs: serverStreaming(async (_request, send) => {
          try {
            for (;;) await send(line("y".repeat(64 * 1024)));
          } catch (error) {
            ended = error;
            throw error;
          }
        }),
      },
    });
    const { operator } = testClient(server.address);
    const iterator = readStream(operator, OperatorServiceService.tailLogs, tail)[Symbol.asyncIterator]();
    await iterator.next();
    await settleMs(100);
    await iterator.return?.();
    await until(() => ended !== undefined, "the handler ends");
    expect(ended).toMatchObject({ name: "OccamError", code: "cancelled" });
  });

  it("ends a handler that waits for requests: they end, and its signal aborts", async () => {
    let seen: CallContext | undefined;
    let ended = false;
    const server = await testServer({
      bulk: {
        push: bidiStreaming<PushRequest, PushResponse>(async (requests, send, context) => {
          seen = context;
          try {
            for await (const { firstOffset } of requests) await send(answer(firstOffset));
          } finally {
            ended = true;
          }
        }),
      },
    });
    const { bulk } = testClient(server.address);
    const controller = new AbortController();
    const duplex = openDuplex(bulk, BulkServiceService.push, { signal: controller.signal });
    await duplex.send(push(3));
    const iterator = duplex.responses[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ nextOffset: 3n });
    expect(seen?.signal.aborted).toBe(false);
    controller.abort();
    expect((await thrown(Promise.resolve(iterator.next()))).code).toBe("cancelled");
    await until(() => ended, "the handler ends");
  });
});
