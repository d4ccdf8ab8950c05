import { setMaxListeners } from "node:events";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { asCellId, asLeaseToken, asSessionId, asWorkerId } from "../../../src/core/ids.ts";
import { rootKey } from "../../../src/core/random.ts";
import { PAUSE_BYTES } from "../../../worker/session/timings.ts";
import type { AttemptKey } from "../../../worker/session/upload-stream.ts";
import { OWN_LOG, Uploader } from "../../../worker/session/uploader.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeBulkPeer, type Mischief } from "./fake-bulk-peer.ts";

const METRICS = 1;
const LOGS = 2;
const cell = (name: string): AttemptKey => ({ cellId: asCellId(name), token: asLeaseToken(7n) });

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function start(peer = new FakeBulkPeer()) {
  const clock = new FakeClock();
  const pressure: boolean[] = [];
  const trouble: string[] = [];
  const uploader = new Uploader({
    workerId: asWorkerId("w"),
    sessionId: asSessionId("s"),
    open: () => peer.open(),
    clock,
    key: rootKey("uploader test"),
    batchDelayMs: 250,
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
    for (let i = 0; i < 2_000 && !over.signal.aborted; i += 1) await clock.advance(50);
    if (!over.signal.aborted) throw new Error("not settled after 100 s of the test's clock");
    return promise;
  };
  return { clock, uploader, peer, pressure, trouble, eventually };
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
    uploader.metrics(cell("a"), points(0, 10_000));
    await clock.advance(0);
    await clock.advance(0);
    expect(peer.stored("7/a/1")).toHaveLength(10_000);
    expect(peer.requests.length).toBeGreaterThan(1);
    for (const { metrics } of peer.requests) expect(metrics!.value.length * 64).toBeLessThanOrEqual(256 * 1024);
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
    expect(uploader.counts(cell("a"))).toEqual({ metrics: 3, logs: 1 });
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

  it("sends everything of an attempt again on a replay", async () => {
    const { uploader, peer, eventually } = start();
    uploader.metrics(cell("a"), points(0, 6));
    await eventually(uploader.flush(cell("a")));
    peer.forget("7/a/1", 2);
    uploader.replay(cell("a"));
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect(peer.stored("7/a/1")).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("asks for silence when too much is not acknowledged, and lifts it when it is", async () => {
    const { uploader, peer, pressure, clock, eventually } = start();
    peer.mischief.push(...Array.from({ length: 16 }, () => "hold" as const));
    const enough = Math.ceil(PAUSE_BYTES / 64) + 1;
    uploader.metrics(cell("a"), points(0, enough));
    await clock.advance(1_000);
    expect(pressure).toEqual([true]);
    expect(peer.requests).toHaveLength(16);
    peer.release();
    expect(await eventually(uploader.flush(cell("a")))).toBe("acked");
    expect(pressure).toEqual([true, false]);
    expect(peer.stored("7/a/1")).toHaveLength(enough);
  });

  it("lifts the silence when the attempt that filled it is dropped", () => {
    const { uploader, pressure } = start();
    uploader.metrics(cell("a"), points(0, Math.ceil(PAUSE_BYTES / 64) + 1));
    uploader.drop(cell("a"));
    expect(pressure).toEqual([true, false]);
  });

  it("lets a flush end when its attempt is dropped", async () => {
    const { uploader } = start();
    uploader.metrics(cell("a"), points(0, 2));
    const flushed = uploader.flush(cell("a"));
    uploader.drop(cell("a"));
    expect(await flushed).toBe("fenced");
  });

  it("drops lines of the worker's own log above its limit, says how many, and pauses nobody", async () => {
    const { uploader, peer, pressure, eventually } = start();
    const count = 6_000;
    for (let i = 0; i < count; i += 1) {
      uploader.log(OWN_LOG, { timeMs: i, level: "info", message: `${i} ${"x".repeat(1_000)}` });
    }
    expect(pressure).toEqual([]);
    await eventually(uploader.flush(OWN_LOG));
    const lines = peer.stored(`0//${LOGS}`) as { message: string }[];
    const notes = lines.filter(({ message }) => message.includes("were dropped"));
    const dropped = Number.parseInt(notes.at(-1)!.message, 10);
    expect(dropped).toBeGreaterThan(0);
    // Notes of earlier drops may be among the dropped lines.
    expect(lines.length - notes.length + dropped).toBeGreaterThanOrEqual(count);
    expect(lines.at(-1)!.message).toMatch(/^5999 /);
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
