/** F21: the checkpoint store is down for a while, or hangs. Cells wait for nothing, and what they left is stored later. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemClock, type Clock } from "../../../src/core/clock.ts";
import { asCellId, type CellId } from "../../../src/core/ids.ts";
import { rootKey } from "../../../src/core/random.ts";
import { openCheckpointStore, type CheckpointStore } from "../../../worker/checkpoint/checkpoint-store.ts";
import { CheckpointKeeper } from "../../../worker/session/checkpoint-keeper.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { startS3Server, type S3Server } from "../../support/s3-server.ts";

const cell = (n: number): CellId => asCellId(n.toString(16).padStart(64, "0"));
const file = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

/** A minute of waiting takes about a second. */
const SPEED = 50;
const FAST: Clock = {
  ...systemClock,
  after: (ms, call) => systemClock.after(ms / SPEED, call),
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
  monotonicMs: () => SPEED * systemClock.monotonicMs(),
};

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function keeperOf(store: CheckpointStore, clock: Clock = systemClock) {
  const said: string[] = [];
  const keeper = new CheckpointKeeper({
    store,
    clock,
    key: rootKey("keeper"),
    say: (_, message) => said.push(message),
  });
  cleanups.push(() => keeper.stop());
  return { keeper, said };
}

async function serve(port = 0): Promise<S3Server> {
  const server = await startS3Server(port);
  cleanups.push(() => server.stop());
  return server;
}

test("F21 what is kept while the store is down is there once it is up, the newest of each cell, and it is told of once", async () => {
  const probe = createServer();
  const port = await new Promise<number>((resolve) => probe.listen(0, () => resolve((probe.address() as { port: number }).port))); // prettier-ignore
  await new Promise((resolve) => probe.close(resolve));
  const env = {
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
  };
  const store = await openCheckpointStore("s3://cells", env, systemClock);
  const { keeper, said } = keeperOf(store);
  for (let n = 0; n < 6; n += 1) keeper.keep(cell(n), file(n));
  expect(await keeper.settled(700)).toBe(false);
  keeper.keep(cell(1), file(1, 1));
  keeper.forget(cell(2));
  keeper.forget(cell(99));
  const server = await serve(port);
  expect(server.port).toBe(port);
  expect(await keeper.settled(15_000)).toBe(true);
  const signal = new AbortController().signal;
  expect((await store.list(signal)).map(({ cellId }) => cellId).toSorted()).toEqual([0, 1, 3, 4, 5].map(cell));
  expect([...(await store.read(cell(1), signal))!]).toEqual([1, 1]);
  expect(said).toEqual([
    expect.stringMatching(/^checkpoints wait, the cells go on: s3:\/\/cells: /),
    "the checkpoint store is there again: s3://cells",
  ]);
});

test("F21 who waits for a store that was down for long has it tried at once, and every half a second", async () => {
  const clock = new FakeClock();
  let isDown = true;
  const asked: number[] = [];
  const write = async (): Promise<void> => {
    asked.push(clock.nowMs());
    if (isDown) throw new Error("down");
  };
  const unused = (): Promise<never> => Promise.reject(new Error("unused"));
  const { keeper } = keeperOf({ place: "there", read: unused, write, remove: unused, list: unused }, clock);
  keeper.keep(cell(1), file(1));
  await clock.advance(15 * 60_000);
  expect(clock.nextMs()! - clock.nowMs()).toBeGreaterThan(1_000);
  const [tries, startMs] = [asked.length, clock.nowMs()];
  const stored = keeper.settled(5_000);
  await clock.advance(0);
  await clock.advance(2_000);
  expect(asked[tries]).toBe(startMs);
  expect(asked.length).toBeGreaterThanOrEqual(tries + 5);
  isDown = false;
  await clock.advance(500);
  expect(await stored).toBe(true);
});

test("a store that hangs holds nobody longer than its limits", async () => {
  const hangs = (): Promise<never> => new Promise(() => undefined);
  const { keeper, said } = keeperOf({ place: "nowhere", read: hangs, write: hangs, remove: hangs, list: hangs }, FAST);
  keeper.keep(cell(1), file(1));
  expect(await keeper.settled(5_000)).toBe(false);
  expect((await keeper.load([1, 2, 3, 4, 5, 6].map(cell))).size).toBe(0);
  expect(said.at(-1)).toMatch(
    /checkpoints of 6 cells could not be read from nowhere, they begin at the beginning: no answer within/,
  );
});

test("a store that is down for a moment when cells are read is asked again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "occam-keeper-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const store = await openCheckpointStore(folder, {}, systemClock);
  await store.write(cell(1), file(7), new AbortController().signal);
  const read = store.read.bind(store);
  let failures = 2;
  store.read = (id, signal) => (failures-- > 0 ? Promise.reject(new Error("not now")) : read(id, signal));
  const { keeper, said } = keeperOf(store, FAST);
  expect([...(await keeper.load([cell(1), cell(2)])).keys()]).toEqual([cell(1)]);
  expect(said).toEqual([]);
});

test("what is removed last stays removed, whatever was on its way", async () => {
  const server = await serve();
  const store = await openCheckpointStore("s3://cells", server.env, systemClock);
  const { keeper } = keeperOf(store);
  for (let n = 0; n < 10; n += 1) keeper.keep(cell(1), new Uint8Array(200_000).fill(n));
  keeper.forget(cell(1));
  expect(await keeper.settled(10_000)).toBe(true);
  expect(await store.list(new AbortController().signal)).toEqual([]);
});
