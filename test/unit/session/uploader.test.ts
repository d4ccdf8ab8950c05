import { setMaxListeners } from "node:events";
import { open } from "node:fs/promises";
import * as fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { asCellId, asLeaseToken, asSessionId, asWorkerId } from "../../../src/core/ids.ts";
import { rootKey } from "../../../src/core/random.ts";
import { DROPPED_SERIES } from "../../../src/wire/metric-columns.ts";
import { LINES_PER_WINDOW, LINE_WINDOW_MS } from "../../../worker/session/line-quota.ts";
import { DROP_BYTES, PARK_BYTES } from "../../../worker/session/timings.ts";
import type { AttemptKey } from "../../../worker/session/upload-stream.ts";
import { Uploader } from "../../../worker/session/uploader.ts";
import type { Spool } from "../../../worker/session/spool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { newSpool } from "./spool-fixture.ts";
import { FakeBulkPeer, type Mischief } from "./fake-bulk-peer.ts";

const METRICS = 1;
const LOGS = 2;
const cell = (name: string): AttemptKey => ({ cellId: asCellId(name), token: asLeaseToken(7n) });

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Given {
  readonly peer?: FakeBulkPeer;
  readonly spool?: (clock: FakeClock) => Spool;
}

function start({ peer = new FakeBulkPeer(), spool: spoolOf = newSpool }: Given = {}) {
  const clock = new FakeClock();
  const spool = spoolOf(clock);
  stops.push(() => void spool.close());
  const pressure: boolean[] = [];
  const trouble: string[] = [];
  const uploader = new Uploader({
    workerId: asWorkerId("w"),
    sessionId: asSessionId("s"),
    open: () => peer.open(),
    clock,
    key: rootKey("uploader test"),
    batchDelayMs: 250,
    spool,
    onPressure: (paused) => pressure.push(paused),
    onTrouble: (message) => trouble.push(message),
  });
  const life = new AbortController();
  // The fake clock leaves its listeners on the signal.
  setMaxListeners(0, life.signal);
  stops.push(() => life.abort());
  void uploader.run(life.signal);
  /** Lets time pass until the promise settles. */
  const eventually = async <T>(promise: Promise<T>): Promise<T> => {
    const over = new AbortController();
    void promise.finally(() => over.abort()).catch(() => undefined);
    for (let i = 0; i < 2_000 && !over.signal.aborted; i += 1) {
      await clock.advance(50);
      // The disk is a real one.
      if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (!over.signal.aborted) throw new Error("not settled after 100 s of the test's clock");
    return promise;
  };
  return { clock, uploader, peer, spool, pressure, trouble, eventually };
}

const points = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ series: "train.loss", step: from + i, value: from + i }));

describe("the uploader", () => {
  it("gathers records for the delay and sends them as one batch", async () => {
    const { clock, uploader, peer } = start();
    for (let i = 0; i < 5; i += 1) {
      uploader.metrics(cell("a"), points(i, 1));
      await clock.advance(20);
    }
    expect(peer.requests).toHaveLength(0);
    await clock.advance(200);
    expect(peer.requests.map(({ metrics }) => metrics?.value.length)).toEqual([5]);
    await clock.advance(5_000);
    expect(peer.requests).toHaveLength(1);
  });

  it("sends a large batch without delay, and in pieces of bounded size", async () => {
    const { clock, uploader, peer } = start();
    uploader.metrics(cell("a"), points(0, 60_000));
    for (let turn = 0; turn < 8; turn += 1) await clock.advance(0);
    expect(peer.stored("7/a/1")).toHaveLength(60_000);
    expect(peer.requests.length).toBeGreaterThan(1);
    for (const request of peer.requests) {
      expect(PushRequest.encode(request).finish().byteLength).toBeLessThanOrEqual(260 * 1024);
    }
  });

  it("resolves a flush when every record of the attempt is durable, without waiting for the delay", async () => {
    const { uploader, peer, clock } = start();
    uploader.metrics(cell("a"), points(0, 3));
    uploader.log(cell("a"), { timeMs: 1, level: "info", message: "hello" });
    uploader.metrics(cell("b"), points(0, 1));
    const startMs = clock.monotonicMs();
    const flushed = uploader.flush(cell("a"));
    await clock.advance(1);
    expect(await flushed).toBe("acked");
    expect(clock.monotonicMs() - startMs).toBe(1);
    expect([peer.stored("7/a/1").length, peer.stored("7/a/2").length]).toEqual([3, 1]);
    expect(uploader.counts(cell("a"))).toEqual({ metrics: 3, logs: 1, droppedPoints: 0, droppedLines: 0 });
    expect(await uploader.flush(cell("never seen"))).toBe("acked");
  });

  it.each<[string, Mischief[], number]>([
    ["a lost reply", ["lose-reply"], 2],
    ["a lost request", ["lose-request"], 2],
    ["ten broken connections", Array.from({ length: 10 }, () => "lose-request" as const), 11],
    ["half a batch", ["store-half", "store-half"], 1],
    ["an answer for another stream", ["confuse"], 2],
  ])("brings every record once after %s", async (_name, mischief, connections) => {
    const { uploader, peer, eventually } = start();
    peer.mischief.push(...mischief);
    uploader.metrics(cell("a"), points(0, 9));
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect(peer.stored("7/a/1")).toEqual(points(0, 9).map(({ value }) => value));
    expect(peer.connections).toBe(connections);
  });

  it("brings every record once, in order, whatever the coordinator does to it", async () => {
    const mischief = fc.array(fc.constantFrom<Mischief>("lose-reply", "lose-request", "store-half", "confuse"), {
      size: "max",
      maxLength: 12,
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(mischief, sizes, async (bad, counts) => {
        const { uploader, peer, eventually, clock } = start();
        peer.mischief.push(...bad);
        let given = 0;
        for (const count of counts) {
          uploader.metrics(cell("a"), points(given, count));
          given += count;
          await clock.advance(100);
        }
        expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
        expect(peer.stored("7/a/1")).toEqual(points(0, given).map(({ value }) => value));
      }),
      { numRuns: 25 },
    );
  });

  it("stops a fenced stream alone", async () => {
    const { uploader, peer, eventually } = start();
    peer.mischief.push("fence");
    uploader.metrics(cell("a"), points(0, 2));
    expect(await eventually(uploader.flush(cell("a")))).toBe("fenced");
    uploader.metrics(cell("a"), points(2, 2));
    uploader.metrics(cell("b"), points(0, 2));
    expect(await eventually(uploader.flush(cell("b")))).toBe("acked");
    expect(peer.requests.filter(({ cellId }) => cellId === "a")).toHaveLength(1);
    expect(uploader.counts(cell("a")).metrics).toBe(4);
  });

  it("drops a point that the wire cannot hold, counts it, marks its place and says why in the log; the others arrive", async () => {
    const { uploader, peer, trouble, eventually } = start();
    uploader.metrics(cell("a"), points(0, 2));
    for (const step of [1.5, -1, Number.NaN, 2 ** 53]) uploader.metrics(cell("a"), [{ series: "x", step, value: 7 }]);
    uploader.metrics(cell("a"), [{ series: "n".repeat(257), step: 2, value: 8 }, ...points(2, 2)]);
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect([peer.stored("7/a/1"), peer.connections, trouble]).toEqual([[0, 1, 5, 2, 3], 1, []]);
    const [batch] = peer.requests;
    expect(batch!.metrics!.step).toEqual([0n, 1n, 1n, 2n, 3n]);
    expect(uploader.counts(cell("a"))).toMatchObject({ metrics: 5, droppedPoints: 5 });
    await eventually(uploader.flush(cell("a")));
    expect((peer.stored(`7/a/${LOGS}`) as { message: string }[]).map(({ message }) => message)).toEqual([
      "points of the series x are dropped: step 1.5 is no whole number from 0 to 2^53 - 1",
      expect.stringMatching(/^points of the series n{256} are dropped: its name has 257 characters, more than 256$/u),
    ]);
  });

  it("leaves out a batch that is refused, with marks in its place, and goes on; offsets stay as they are", async () => {
    const { uploader, peer, eventually, clock } = start();
    uploader.metrics(cell("a"), points(0, 2));
    await clock.advance(300);
    peer.mischief.push("refuse");
    uploader.metrics(cell("a"), points(2, 3));
    await clock.advance(300);
    uploader.metrics(cell("a"), points(5, 2));
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect([peer.stored("7/a/1"), peer.connections]).toEqual([[0, 1, 1, 1, 1, 5, 6], 1]);
    expect(uploader.counts(cell("a"))).toMatchObject({ metrics: 7, droppedPoints: 3 });
    expect((peer.stored(`7/a/${LOGS}`) as { message: string }[]).map(({ message }) => message)).toEqual([
      "3 metrics are dropped, the coordinator will not take them: it is wrong",
    ]);
  });

  it("gives a stream up whose marks are refused too, and no other", async () => {
    const { uploader, peer, eventually } = start();
    peer.mischief.push("refuse", "refuse");
    uploader.metrics(cell("a"), points(0, 2));
    expect(await eventually(uploader.flush(cell("a")))).toBe("lost");
    uploader.metrics(cell("b"), points(0, 2));
    expect(await eventually(uploader.flush(cell("b")))).toBe("acked");
    expect(peer.connections).toBe(1);
  });

  it("sends everything of an attempt again on a replay", async () => {
    const { uploader, peer, eventually } = start();
    uploader.metrics(cell("a"), points(0, 6));
    await eventually(uploader.flush(cell("a")));
    peer.forget("7/a/1", 2);
    uploader.replay(cell("a"));
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect(peer.stored("7/a/1")).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("keeps what memory shall not hold on disk while nobody answers, and then brings all of it in order", async () => {
    const { uploader, peer, spool, pressure, clock, eventually } = start();
    peer.mischief.push(...Array.from({ length: 16 }, () => "hold" as const));
    const count = 200_000;
    let most = 0;
    for (let at = 0; at < count; at += 4_000) {
      uploader.metrics(cell("a"), points(at, 4_000));
      if (at % 20_000 === 0) uploader.log(cell("b"), { timeMs: at, level: "info", message: "x".repeat(500) });
      await clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 2));
      most = Math.max(most, uploader.unackedMemory);
    }
    expect(most).toBeLessThan(PARK_BYTES + 2 * 1024 * 1024);
    expect(spool.sizeBytes).toBeGreaterThan(1024 * 1024);
    peer.mischief.splice(0);
    peer.release();
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect(await eventually(uploader.flush(cell("b")))).toBe("acked");
    expect(peer.stored("7/a/1")).toEqual(Array.from({ length: count }, (_, value) => value));
    expect(peer.stored(`7/b/${LOGS}`)).toHaveLength(10);
    expect(uploader.counts(cell("a"))).toMatchObject({ metrics: count, droppedPoints: 0 });
    expect([pressure, spool.sizeBytes]).toEqual([[], 0]);
  });

  it("drops what neither memory nor disk can keep, counts it and marks its place; the trainer is not stopped", async () => {
    const full = (clock: FakeClock): Spool => newSpool(clock, { newFile: () => open("/dev/full", "r+") });
    const { uploader, peer, pressure, clock, eventually } = start({ spool: full });
    peer.mischief.push(...Array.from({ length: 16 }, () => "hold" as const));
    const count = 600_000;
    for (let at = 0; at < count; at += 4_000) {
      uploader.metrics(cell("a"), points(at, 4_000));
      if (at % 100_000 === 0) await clock.advance(10);
    }
    uploader.log(cell("a"), { timeMs: 77, level: "info", message: "nobody will read this" });
    expect(uploader.unackedMemory).toBeLessThan(DROP_BYTES + 1024 * 1024);
    peer.mischief.splice(0);
    peer.release();
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    const { metrics, droppedPoints, droppedLines } = uploader.counts(cell("a"));
    expect(droppedPoints).toBeGreaterThan(50_000);
    expect(metrics + droppedPoints).toBe(count + 1);
    const stored = peer.stored("7/a/1");
    expect(stored).toHaveLength(metrics);
    const sent = peer.requests.filter(({ kind }) => kind === METRICS).map(({ metrics: columns }) => columns!);
    expect(sent.at(-1)!.names).toContain(DROPPED_SERIES);
    expect([stored.at(-1), sent.at(-1)!.step.at(-1)]).toEqual([droppedPoints, BigInt(count - 1)]);
    expect(droppedLines).toBe(1);
    const [line] = peer.stored(`7/a/${LOGS}`) as { message: string; timeMs: bigint }[];
    expect(line!.message).toMatch(/^1 line of this log were dropped here: neither memory nor disk .*ENOSPC/u);
    expect(pressure.filter(Boolean).length).toBe(pressure.filter((paused) => !paused).length);
  });

  it("gives the disk back when an attempt is dropped", async () => {
    const { uploader, spool, clock } = start();
    uploader.metrics(cell("a"), points(0, 300_000));
    await vi.waitFor(() => expect(spool.sizeBytes).toBeGreaterThan(0));
    await clock.advance(0);
    uploader.drop(cell("a"));
    await vi.waitFor(() => expect(spool.sizeBytes).toBe(0));
    expect(uploader.unackedMemory).toBe(0);
  });

  it("bounds the lines of one cell, says how many it dropped, and keeps the warnings and the other cells", async () => {
    const { uploader, peer, clock, eventually } = start();
    const flood = 100 * LINES_PER_WINDOW;
    for (let i = 0; i < flood; i += 1) uploader.log(cell("a"), { timeMs: i, level: "info", message: `line ${i}` });
    uploader.log(cell("a"), { timeMs: 1, level: "warn", message: "serious" });
    uploader.log(cell("b"), { timeMs: 1, level: "info", message: "another" });
    await clock.advance(LINE_WINDOW_MS + 1_000);
    uploader.log(cell("a"), { timeMs: 2, level: "info", message: "later" });
    await eventually(Promise.all([uploader.flush(cell("a")), uploader.flush(cell("b"))]));
    const lines = (peer.stored(`7/a/${LOGS}`) as { message: string; fieldsJson: string }[]).slice(LINES_PER_WINDOW);
    const dropped = flood - LINES_PER_WINDOW;
    expect(lines.map(({ message }) => message)).toEqual([
      `${dropped} lines of this log were dropped here: it has more lines than are kept in so short a time`,
      "serious",
      "later",
    ]);
    expect(JSON.parse(lines[0]!.fieldsJson)).toEqual({ droppedLines: dropped });
    expect(uploader.counts(cell("a"))).toMatchObject({ logs: LINES_PER_WINDOW + 3, droppedLines: dropped });
    expect(peer.stored(`7/b/${LOGS}`)).toHaveLength(1);
  });

  it("has no more under way than the coordinator's window", async () => {
    const { uploader, peer, clock } = start();
    uploader.metrics(cell("a"), points(0, 1));
    peer.windowBytes = 300 * 1024;
    await clock.advance(500);
    peer.mischief.push(...Array.from({ length: 9 }, () => "hold" as const));
    uploader.metrics(cell("a"), points(1, 100_000));
    for (let turn = 0; turn < 8; turn += 1) await clock.advance(0);
    expect(peer.requests).toHaveLength(2);
  });

  it("lets a flush end when its attempt is dropped", async () => {
    const { uploader } = start();
    uploader.metrics(cell("a"), points(0, 2));
    const flushed = uploader.flush(cell("a"));
    uploader.drop(cell("a"));
    expect(await flushed).toBe("fenced");
  });

  it("keeps the order of kinds and cells apart", async () => {
    const { uploader, peer, eventually } = start();
    for (let i = 0; i < 20; i += 1) {
      uploader.metrics(cell(i % 2 === 0 ? "a" : "b"), points(i, 1));
      uploader.log(cell("a"), { timeMs: i, level: "info", message: String(i) });
    }
    await eventually(Promise.all([uploader.flush(cell("a")), uploader.flush(cell("b"))]));
    expect(peer.stored(`7/a/${METRICS}`)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    expect(peer.stored(`7/b/${METRICS}`)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    expect((peer.stored(`7/a/${LOGS}`) as { message: string }[]).map(({ message }) => Number(message))).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
  });
});
