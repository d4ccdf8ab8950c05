import { afterEach, describe, expect, it } from "vitest";
import { BulkServiceService, PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { ControlServiceService, SyncRequest, SyncResponse } from "../../../proto/gen/occam/v1/control.ts";
import { bidiStreaming, unary } from "../../../src/rpc/adapters.ts";
import { callUnary, openDuplex } from "../../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";
import { CONNECT_LIMIT_MS } from "../../../src/rpc/limits.ts";
import { startCutProxy, type CutProxy } from "../../support/cut-proxy.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { testServer, TOKEN } from "./rpc-fixture.ts";

const sync = SyncRequest.fromPartial({ workerId: "w" });
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

/** A server behind a network that a test can cut. */
async function startWorld(): Promise<{ clock: FakeClock; proxy: CutProxy; connection: Connection }> {
  const server = await testServer({
    control: { sync: unary(async () => SyncResponse.fromPartial({ nextSyncMs: 7 })) },
    bulk: {
      push: bidiStreaming(async (requests) => {
        for await (const _ of requests) continue;
      }),
    },
  });
  const proxy = await startCutProxy(Number(server.address.split(":")[1]));
  const clock = new FakeClock();
  const connection = connect({ address: `127.0.0.1:${proxy.port}`, token: TOKEN, clock });
  cleanups.push(
    () => proxy.close(),
    () => connection.close(),
  );
  return { clock, proxy, connection };
}

const syncOnce = (connection: Connection) =>
  callUnary(connection.control, ControlServiceService.sync, sync, { deadlineMs: 1_000 });

describe("a client whose connection is cut off while it is being made", () => {
  it("ends its calls after the limit, also those without a deadline, and reaches the server again", async () => {
    const { clock, proxy, connection } = await startWorld();
    proxy.cut();
    const duplex = openDuplex(connection.bulk, BulkServiceService.push);
    await duplex.send(PushRequest.fromPartial({}));
    const ended = duplex.responses[Symbol.asyncIterator]()
      .next()
      .then(
        () => "well",
        (error: { code: string }) => error.code,
      );
    await expect(syncOnce(connection)).rejects.toMatchObject({ code: "unavailable" });
    // What is connecting stays cut off; what connects anew comes through.
    proxy.mend();
    await expect(syncOnce(connection)).rejects.toMatchObject({ code: "unavailable" });
    await clock.advance(CONNECT_LIMIT_MS - 1_000);
    await expect(syncOnce(connection)).rejects.toMatchObject({ code: "unavailable" });
    await clock.advance(1_001);
    expect(await ended).toBe("unavailable");
    expect(await syncOnce(connection)).toMatchObject({ nextSyncMs: 7 });
  }, 20_000);

  it("is the same as long as it is ready or has nothing to do", async () => {
    const { clock, connection } = await startWorld();
    const { control, bulk } = connection;
    await syncOnce(connection);
    await clock.advance(10 * CONNECT_LIMIT_MS);
    expect([connection.control === control, connection.bulk === bulk]).toEqual([true, true]);
    expect(await syncOnce(connection)).toMatchObject({ nextSyncMs: 7 });
  });
});
