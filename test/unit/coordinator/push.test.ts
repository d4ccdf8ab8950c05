import fc from "fast-check";
import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { placeBatch } from "../../../coordinator/ingest/place-batch.ts";
import { decodeChunk, selectSeries } from "../../../coordinator/ingest/metric-chunk.ts";
import { LOG_MESSAGE_CHARS } from "../../../src/wire/bound-line.ts";
import type { CellId, LeaseToken } from "../../../src/core/ids.ts";
import { HandWorker, leaseToken, openWorld, type World } from "./coordinator-fixture.ts";

let world: World;
let worker: HandWorker;
let token: LeaseToken;
let id: CellId;

beforeEach(async () => {
  world = await openWorld();
  worker = new HandWorker(() => world);
  await world.submit({ name: "a", cells: 1 });
  const taken = await worker.take();
  token = taken.token;
  id = taken.cells[0]!;
});

const ALL = { sweepSeq: undefined, cellIdPrefix: "", workerId: "", minLevel: 0, sinceMs: 0 };

async function storedSteps(): Promise<bigint[]> {
  const chunks = await world.store.listChunks(1, "", { gridIndex: -1, firstOffset: -1 }, 99);
  return chunks.flatMap(({ data }) => decodeChunk(data).step);
}

describe("the place of a batch", () => {
  it("is after what is there, without what is there, or nowhere", () => {
    expect(placeBatch(5, 5, 3)).toEqual({ kind: "append", skip: 0 });
    expect(placeBatch(5, 3, 3)).toEqual({ kind: "append", skip: 2 });
    expect(placeBatch(5, 2, 3)).toEqual({ kind: "known" });
    expect(placeBatch(5, 6, 3)).toEqual({ kind: "gap" });
    expect(placeBatch(0, 0, 0)).toEqual({ kind: "known" });
  });

  it("makes one whole stream of batches in any order, repeated and overlapping", () => {
    const batches = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 6 })), { maxLength: 80, size: "max" });
    fc.assert(
      fc.property(batches, (history) => {
        const stream: number[] = [];
        for (const [first, count] of history) {
          const placed = placeBatch(stream.length, first, count);
          if (placed.kind !== "append") continue;
          for (let place = first + placed.skip; place < first + count; place += 1) stream.push(place);
        }
        expect(stream).toEqual([...stream.keys()]);
      }),
    );
  });
});

describe("a batch", () => {
  it("is answered with the stream's end once it is stored; repeats change nothing; a gap asks for what is missing", async () => {
    expect(await worker.pushMetrics(id, token, 0, 4)).toEqual({ nextOffset: 4, fenced: false });
    expect(await worker.pushMetrics(id, token, 0, 4)).toEqual({ nextOffset: 4, fenced: false });
    expect(await worker.pushMetrics(id, token, 9, 2)).toEqual({ nextOffset: 4, fenced: false });
    expect(await worker.pushMetrics(id, token, 2, 5)).toEqual({ nextOffset: 7, fenced: false });
    const stored = await world.store.findStream({ kind: "metrics", cellKey: 1, token, sessionId: "" });
    expect(stored?.nextOffset).toBe(7);
    await worker.result(id, token, 1, { metricCount: 7, logCount: 0 });
    expect(await storedSteps()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
  });

  it("is placed as it came, whichever is answered first of what is read for it and for the next", async () => {
    const find = world.store.findStream.bind(world.store);
    let slow = true;
    vi.spyOn(world.store, "findStream").mockImplementation(async (key) => {
      const [found, wasSlow] = [await find(key), slow];
      slow = false;
      if (wasSlow) await nextTurn();
      return found;
    });
    const answers = await Promise.all([0, 4, 8].map((first) => worker.pushMetrics(id, token, first, 4)));
    expect(answers.map(({ nextOffset }) => nextOffset)).toEqual([4, 8, 12]);
  });

  it("goes on where the store ends after a restart", async () => {
    await worker.pushMetrics(id, token, 0, 3);
    world = await world.restart();
    expect(await worker.pushMetrics(id, token, 5, 1)).toEqual({ nextOffset: 3, fenced: false });
    expect(await worker.pushMetrics(id, token, 3, 2)).toEqual({ nextOffset: 5, fenced: false });
  });

  it("keeps NaN, infinities and the sign of zero", async () => {
    const value = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324];
    const columns = { names: ["x"], name: value.map(() => 0), step: value.map((_, step) => BigInt(step)), value };
    await world.coordinator.push({
      workerId: worker.id,
      sessionId: worker.session,
      attempt: { cellId: id, token },
      firstOffset: 0,
      records: { kind: "metrics", columns },
    });
    await worker.result(id, token);
    const [chunk] = await world.store.listChunks(1, "", { gridIndex: -1, firstOffset: -1 }, 1);
    expect(decodeChunk(chunk!.data).value).toEqual(value);
  });

  it("of columns that do not fit together is refused", async () => {
    const push = (columns: { names: string[]; name: number[]; step: bigint[]; value: number[] }) =>
      world.coordinator.push({
        workerId: worker.id,
        sessionId: worker.session,
        attempt: { cellId: id, token },
        firstOffset: 0,
        records: { kind: "metrics", columns },
      });
    const end = { nextOffset: 0, fenced: false };
    const unequal = await push({ names: ["x"], name: [0, 0], step: [1n], value: [1, 2] });
    expect(unequal).toEqual({ ...end, refused: "columns have 2, 1 and 2 entries" });
    const unnamed = await push({ names: ["x"], name: [1], step: [1n], value: [1] });
    expect(unnamed).toEqual({ ...end, refused: "a point is of a series that is not named" });
    const tooFar = await push({ names: ["x"], name: [0], step: [2n ** 53n], value: [1] });
    expect(tooFar).toMatchObject({ ...end, refused: expect.stringContaining("step 9007199254740992") });
    expect(await worker.pushMetrics(id, token, 0, 2)).toEqual({ nextOffset: 2, fenced: false });
  });

  it("of an attempt that has run out is taken while its cell has no result", async () => {
    await world.clock.advance(31_000);
    expect(await worker.pushMetrics(id, token, 0, 2)).toEqual({ nextOffset: 2, fenced: false });
    expect((await worker.result(id, token, 1, { metricCount: 2, logCount: 0 })).outcome).toBe("committed");
  });

  it("of an attempt whose cell has a result is fenced, and known records are acknowledged all the same", async () => {
    await worker.pushMetrics(id, token, 0, 2);
    await worker.result(id, token, 1, { metricCount: 2, logCount: 0 });
    expect(await worker.pushMetrics(id, token, 0, 2)).toEqual({ nextOffset: 2, fenced: false });
    expect(await worker.pushMetrics(id, token, 2, 1)).toEqual({ nextOffset: 2, fenced: true });
    expect(await storedSteps()).toEqual([0n, 1n]);
  });

  it("of a cancelled cell, an unknown token or another worker is fenced", async () => {
    const other = new HandWorker(() => world, "w2", "s2");
    expect(await other.pushMetrics(id, token, 0, 1)).toEqual({ nextOffset: 0, fenced: true });
    expect(await worker.pushMetrics(id, leaseToken(9), 0, 1)).toEqual({ nextOffset: 0, fenced: true });
    await world.coordinator.sweeps.cancel(world.coordinator.hot.sweeps.all()[0]!);
    expect(await worker.pushMetrics(id, token, 0, 1)).toEqual({ nextOffset: 0, fenced: true });
  });

  it("of a failed attempt still brings its last lines, before and after they are forgotten", async () => {
    await worker.pushLogs({ cellId: id, token }, 0, ["one"]);
    await worker.fail(id, token);
    expect(await worker.pushLogs({ cellId: id, token }, 1, ["two"])).toEqual({ nextOffset: 2, fenced: false });
    expect(await worker.pushLogs({ cellId: id, token }, 2, ["three"])).toEqual({ nextOffset: 3, fenced: false });
    const lines = await world.store.listLogs(ALL, 0, 9);
    expect(lines.map((line) => line.message)).toEqual(["one", "two", "three"]);
  });

  it("of a worker's own log needs no cell; each session has a stream of its own", async () => {
    expect(await worker.pushLogs(undefined, 0, ["a", "b"])).toEqual({ nextOffset: 2, fenced: false });
    expect(await new HandWorker(() => world, "w2", "s2").pushLogs(undefined, 0, ["c"])).toEqual({
      nextOffset: 1,
      fenced: false,
    });
    const lines = await world.store.listLogs(ALL, 0, 9);
    expect(lines.map(({ workerId, cellId, message }) => [workerId, cellId, message])).toEqual([
      ["w1", "", "a"],
      ["w1", "", "b"],
      ["w2", "", "c"],
    ]);
  });

  it("of lines beyond the limits is cut, and the cut is marked", async () => {
    await worker.pushLogs(undefined, 0, ["x".repeat(LOG_MESSAGE_CHARS + 5), "with\0nul"]);
    const [long, nul] = await world.store.listLogs(ALL, 0, 9);
    expect(long!.message).toHaveLength(LOG_MESSAGE_CHARS + " … (5 more characters)".length);
    expect(long!.message.endsWith("x … (5 more characters)")).toBe(true);
    expect(nul!.message).toBe("with\u2400nul");
    // The wire carries times up to 2^64; columns and doubles do not.
    await worker.pushLogs(undefined, 2, ["of the far future"], 2 ** 64);
    const [far] = await world.store.listLogs({ ...ALL, sinceMs: 1_800_000_000_000 }, 0, 9);
    expect(far).toMatchObject({ message: "of the far future", timeMs: Number.MAX_SAFE_INTEGER });
  });

  it("is in one order for all who read, though many come at once", async () => {
    const workers = Array.from(
      { length: 8 },
      (_, index) => new HandWorker(() => world, `w${index + 2}`, `s${index + 2}`),
    );
    await Promise.all(
      workers.flatMap((each) => [0, 1, 2, 3].map((place) => each.pushLogs(undefined, place, [`${each.id} ${place}`]))),
    );
    const lines = await world.store.listLogs(ALL, 0, 99);
    expect(lines.map((line) => line.seq)).toEqual(lines.map((_, index) => index + 1));
    for (const each of workers) {
      const own = lines.filter((line) => line.workerId === each.id).map((line) => line.message);
      expect(own).toEqual([0, 1, 2, 3].map((place) => `${each.id} ${place}`));
    }
  });
});

describe("the series of a chunk", () => {
  it("are selected by the beginning of their name", () => {
    const columns = { names: ["train.loss", "chain.0"], name: [0, 1, 0], step: [1n, 1n, 2n], value: [1, 2, 3] };
    expect(selectSeries(columns, "train")).toMatchObject({ step: [1n, 2n], value: [1, 3] });
    expect(selectSeries(columns, "")).toBe(columns);
    expect(selectSeries(columns, "test")).toBeUndefined();
  });
});
