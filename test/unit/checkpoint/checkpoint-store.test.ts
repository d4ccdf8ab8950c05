/** The folder and a real S3-compatible server under one suite. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { asCellId } from "../../../src/core/ids.ts";
import { openCheckpointStore, type CheckpointStore } from "../../../worker/checkpoint/checkpoint-store.ts";
import { startS3Server } from "../../support/s3-server.ts";

const [A, B] = [asCellId("a1".repeat(32)), asCellId("b2".repeat(32))];
const signal = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), "occam-checkpoints-"));
const server = await startS3Server();
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const PLACES: Readonly<Record<string, () => Promise<CheckpointStore>>> = {
  "a folder": () => openCheckpointStore(join(folder, "new", "place"), {}, systemClock),
  "a bucket": () => openCheckpointStore("s3://cells", server.env, systemClock),
  "a prefix of a bucket": () => openCheckpointStore("s3://cells/runs/of today/", server.env, systemClock),
};

describe.each(Object.entries(PLACES))("%s", (_, open) => {
  test("gives what was written last, whole, and nothing of what was removed", async () => {
    const store = await open();
    expect(await store.read(A, signal)).toBeUndefined();
    await store.remove(A, signal);
    const large = Uint8Array.from({ length: 300_000 }, (_, i) => (7 * i) % 251);
    await store.write(A, Uint8Array.of(1, 2, 3), signal);
    await store.write(A, large, signal);
    await store.write(B, Uint8Array.of(), signal);
    expect(Buffer.compare((await store.read(A, signal))!, large)).toBe(0);
    const listed = (await store.list(signal)).toSorted((a, b) => a.sizeBytes - b.sizeBytes);
    expect(listed.map(({ cellId, sizeBytes }) => [cellId, sizeBytes])).toEqual([[B, 0], [A, 300_000]]); // prettier-ignore
    expect(Math.abs(listed[1]!.modifiedMs - Date.now())).toBeLessThan(60_000);
    for (const id of [A, B]) await store.remove(id, signal);
    expect(await store.list(signal)).toEqual([]);
    expect(await store.read(B, signal)).toBeUndefined();
  });
});

test("a folder shows no file that is half written, and leaves none behind", async () => {
  const place = join(folder, "torn");
  const store = await openCheckpointStore(place, {}, systemClock);
  await store.write(A, Uint8Array.of(9), signal);
  const over = new AbortController();
  const writing = store.write(A, new Uint8Array(64 * 1024 * 1024), over.signal);
  over.abort();
  await expect(writing).rejects.toThrow();
  expect(readdirSync(place)).toHaveLength(1);
  expect(await store.read(A, signal)).toEqual(Buffer.of(9));
});

test.each([
  ["ftp://host/x", {}, /"ftp"/],
  ["s3://", {}, /names no bucket/],
  ["s3://cells", {}, /no credentials/],
  ["s3://cells", { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", OCCAM_S3_ENDPOINT: "nowhere" }, /no URL/],
])("%s cannot be used, and says why", async (place, env, reason) => {
  await expect(openCheckpointStore(place, env, systemClock)).rejects.toThrow(reason);
});

test("a place that is a file cannot be a folder", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(openCheckpointStore(join(folder, "file"), {}, systemClock)).rejects.toThrow(/cannot be made/);
});

test("a bucket that is missing and a key that is wrong are told in the store's words", async () => {
  const missing = await openCheckpointStore("s3://no-such-bucket", server.env, systemClock);
  await expect(missing.read(A, signal)).rejects.toThrow(/NoSuchBucket/);
  const wrong = await openCheckpointStore("s3://cells", { ...server.env, AWS_SECRET_ACCESS_KEY: "no" }, systemClock);
  await expect(wrong.write(A, Uint8Array.of(1), signal)).rejects.toThrow(/403 SignatureDoesNotMatch/);
});
