import { readdirSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newSpoolFile } from "../../../worker/session/spool-folder.ts";
import type { SegmentFile, Spool } from "../../../worker/session/spool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { newSpool } from "./spool-fixture.ts";

let folder: string;
let clock: FakeClock;
const spools: Spool[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "occam-spool-test-"));
  clock = new FakeClock();
});

afterEach(async () => {
  for (const spool of spools.splice(0)) await spool.close();
  await rm(folder, { recursive: true });
});

const bytes = (length: number, of = length): Uint8Array => new Uint8Array(length).fill(of);

function spoolOf(...options: Parameters<typeof newSpool> extends [unknown, (infer O)?] ? [O?] : never): Spool {
  const spool = newSpool(clock, { newFile: () => newSpoolFile(folder, 100), segmentBytes: 100, ...options[0] });
  spools.push(spool);
  return spool;
}

describe("a spool", () => {
  it("reads back what was written, and leaves no name in its folder", async () => {
    const spool = spoolOf();
    const blocks = [await spool.write(bytes(60)), await spool.write(bytes(70)), await spool.write(bytes(300))];
    expect(readdirSync(folder)).toEqual([]);
    expect(await spool.read(blocks[2]!)).toEqual(bytes(300));
    expect(await spool.read(blocks[0]!)).toEqual(bytes(60));
    expect(await spool.read(blocks[1]!)).toEqual(bytes(70));
    expect(spool.sizeBytes).toBe(430);
  });

  it("gives the space of a segment back when all of its blocks are freed", async () => {
    const spool = spoolOf();
    const [first, second, third] = [
      await spool.write(bytes(40)),
      await spool.write(bytes(50)),
      await spool.write(bytes(60)),
    ];
    spool.free(first!);
    expect(spool.sizeBytes).toBe(150);
    spool.free(second!);
    expect(spool.sizeBytes).toBe(60);
    spool.free(third!);
    expect(spool.sizeBytes).toBe(0);
    expect(await spool.read((await spool.write(bytes(9)))!)).toEqual(bytes(9));
  });

  it("takes nothing beyond its limit, says so once, and takes blocks again when space is given back", async () => {
    const troubles: (string | undefined)[] = [];
    const spool = spoolOf({ limitBytes: 150, onTrouble: (reason) => troubles.push(reason) });
    const blocks = [await spool.write(bytes(80)), await spool.write(bytes(60))];
    expect(await spool.write(bytes(20))).toBeUndefined();
    expect(spool.usable).toBe(false);
    await clock.advance(5_000);
    expect(spool.usable).toBe(true);
    expect(await spool.write(bytes(20))).toBeUndefined();
    spool.free(blocks[0]!);
    expect(spool.usable).toBe(true);
    expect(await spool.write(bytes(20))).toBeDefined();
    expect(troubles).toEqual(["it has reached its limit of 150 bytes", undefined]);
  });

  it("takes nothing on a full disk, and loses nothing that it has", async () => {
    let isFull = false;
    const troubles: (string | undefined)[] = [];
    const newFile = async (): Promise<SegmentFile> => {
      const [file, full] = [await newSpoolFile(folder, 100), await open("/dev/full", "r+")];
      return {
        write: async (...args) => (isFull ? full : file).write(...args),
        read: async (...args) => file.read(...args),
        close: async () => void (await Promise.all([file.close(), full.close()])),
      };
    };
    const spool = spoolOf({ newFile, segmentBytes: 1_000, onTrouble: (reason) => troubles.push(reason) });
    const before = await spool.write(bytes(50));
    isFull = true;
    expect(await spool.write(bytes(60))).toBeUndefined();
    isFull = false;
    const after = await spool.write(bytes(70));
    expect([await spool.read(before!), await spool.read(after!)]).toEqual([bytes(50), bytes(70)]);
    expect(troubles).toEqual([expect.stringContaining("ENOSPC"), undefined]);
  });

  it("says that a block is damaged when a bit of it has flipped", async () => {
    let file: SegmentFile | undefined;
    const spool = spoolOf({ newFile: async () => (file = await newSpoolFile(folder, 100)) });
    const [first, second] = [await spool.write(bytes(40)), await spool.write(bytes(30))];
    await file!.write(new Uint8Array([41]), 0, 1, 17);
    expect(await spool.read(first!)).toBeUndefined();
    expect(await spool.read(second!)).toEqual(bytes(30));
  });

  it("says in which folder it cannot write", async () => {
    const troubles: (string | undefined)[] = [];
    const spool = spoolOf({
      newFile: () => newSpoolFile("/dev/null/spool", 100),
      onTrouble: (reason) => troubles.push(reason),
    });
    expect(await spool.write(bytes(1))).toBeUndefined();
    expect(troubles).toEqual([expect.stringContaining("/dev/null")]);
  });
});
