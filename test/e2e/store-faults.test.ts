/** F20 on a real disk: full, refusing to sync, torn and flipped, under a coordinator process with workers and an operator. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Load } from "./kill-points/load.ts";
import { freePort } from "./support/free-port.ts";
import { occam, pause, start, temporaryFolder, type Running } from "./support/occam.ts";

const TOKEN = "the token of these tests";
const LIMIT_MS = 200_000;
const FRAME_BYTES = 4096 + 24;
const HEADER_BYTES = 32;

const mounted: string[] = [];
afterAll(() => {
  for (const folder of mounted) spawnSync("umount", ["--lazy", folder]);
});

const mount = (...args: string[]): boolean => spawnSync("mount", args).status === 0;

/** A file system of so much memory; undefined where this user may not mount. */
function smallDisk(size: string): string | undefined {
  const folder = join(temporaryFolder(), "disk");
  mkdirSync(folder);
  if (!mount("-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder)) return undefined;
  mounted.push(folder);
  return folder;
}

/** A library that makes every sync fail while a file is there; undefined where there is no C compiler. */
function failingSync(folder: string): { readonly library: string; readonly flag: string } | undefined {
  const [source, library, flag] = [join(folder, "sync.c"), join(folder, "sync.so"), join(folder, "fails")];
  writeFileSync(
    source,
    `#include <errno.h>
     #include <sys/syscall.h>
     #include <unistd.h>
     static int call(long number, int file) {
       if (access("${flag}", F_OK) == 0) { errno = EIO; return -1; }
       return syscall(number, file);
     }
     int fsync(int file) { return call(SYS_fsync, file); }
     int fdatasync(int file) { return call(SYS_fdatasync, file); }`,
  );
  return spawnSync("cc", ["-shared", "-fPIC", "-o", library, source]).status === 0 ? { library, flag } : undefined;
}

interface Place {
  readonly store: string;
  readonly port: number;
}

async function serve({ store, port }: Place, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const args = ["coordinator", "--store", store, "--port", String(port), "--log-level", "warn"];
  const coordinator = start(args, { env: { OCCAM_TOKEN: TOKEN, ...env } });
  await coordinator.until((out) => out.includes("serves"), LIMIT_MS);
  return coordinator;
}

async function stop(coordinator: Running): Promise<number | null> {
  coordinator.signal("SIGTERM");
  return (await coordinator.ended).code;
}

/** Its end by itself. */
async function endOf(coordinator: Running): Promise<string> {
  const { code, stderr } = await coordinator.ended;
  return `${code} ${stderr}`;
}

const loadOn = ({ port }: Place, seed: number): Load => new Load({ port, token: TOKEN, seed, workers: 4 });

const acknowledged = async ({ ledger }: Load, count: number): Promise<void> => {
  while (ledger.acks < count) await pause(20);
};

/** It goes on from what is stored, everything that was acknowledged is there, and the store is whole. */
async function expectNothingLost(place: Place, load: Load): Promise<void> {
  const next = await serve(place);
  const found = await load.finish();
  expect(load.ledger.violations).toEqual([]);
  expect(found.committed).toBeGreaterThan(0);
  expect(await stop(next)).toBe(0);
  const { code, stdout } = await occam(["store", "check", "--store", place.store]);
  expect([code, stdout]).toEqual([0, expect.stringContaining("whole")]);
  load.close();
}

/** A store that many transactions have gone into and that nobody has closed. */
async function killedStore(
  seed: number,
): Promise<{ readonly place: Place; readonly load: Load; readonly log: string }> {
  const place = { store: join(temporaryFolder(), "store"), port: await freePort() };
  const coordinator = await serve(place);
  const load = loadOn(place, seed);
  await acknowledged(load, 150);
  coordinator.signal("SIGKILL");
  await coordinator.ended;
  return { place, load, log: join(place.store, "occam.db-wal") };
}

function flipBit(path: string, position: number): void {
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  byte[0]! ^= 1;
  writeSync(file, byte, 0, 1, position);
  closeSync(file);
}

async function expectRefused({ store }: Place, what: RegExp): Promise<void> {
  const before = readFileSync(join(store, "occam.db"));
  const started = start(["coordinator", "--port", "0", "--store", store], { env: { OCCAM_TOKEN: TOKEN } });
  void started
    .until((out) => out.includes("serves"), LIMIT_MS)
    .then(
      () => started.signal("SIGKILL"),
      () => undefined,
    );
  const { code, stderr } = await started.ended;
  expect([code, stderr]).toEqual([78, expect.stringMatching(what)]);
  expect(stderr).toContain("put a backup in its place");
  expect(readFileSync(join(store, "occam.db")).equals(before)).toBe(true);
}

describe.concurrent("F20 the disk", () => {
  it("F20 is full: nothing is acknowledged that is not stored, the process ends with 69, and goes on when there is room", async ({
    skip,
  }) => {
    const disk = smallDisk("3m");
    if (disk === undefined) return skip("only root may mount a small file system");
    const place = { store: join(disk, "store"), port: await freePort() };
    const coordinator = await serve(place);
    const load = loadOn(place, 1);
    expect(await endOf(coordinator)).toMatch(/^69 [^]*error: the store cannot be written: .*full/u);
    expect(load.ledger.acks).toBeGreaterThan(0);
    expect(mount("-o", "remount,size=256m", disk)).toBe(true);
    await expectNothingLost(place, load);
  });

  it("F20 refuses to sync: the same", async ({ skip }) => {
    const folder = temporaryFolder();
    const sync = failingSync(folder);
    if (sync === undefined) return skip("there is no C compiler for the library that makes it fail");
    const place = { store: join(folder, "store"), port: await freePort() };
    const coordinator = await serve(place, { LD_PRELOAD: sync.library });
    const load = loadOn(place, 2);
    await acknowledged(load, 100);
    writeFileSync(sync.flag, "");
    expect(await endOf(coordinator)).toMatch(/^69 [^]*error: the store cannot be written: .*I\/O error/u);
    rmSync(sync.flag);
    await expectNothingLost(place, load);
  });

  it("F20 has torn the last record, which was not acknowledged: that alone is cut", async () => {
    const { place, load, log } = await killedStore(3);
    // Half of a transaction that was being written: a frame of this log, and a part of another.
    const bytes = readFileSync(log);
    const first = bytes.subarray(HEADER_BYTES, HEADER_BYTES + FRAME_BYTES);
    const end = framesOf(bytes);
    const torn = Buffer.concat([bytes.subarray(0, end), first, first.subarray(0, 1_000)]);
    writeFileSync(log, torn);
    await expectNothingLost(place, load);
  });

  it("F20 has flipped one bit in the middle of the log: it refuses to start, says where, and changes nothing", async () => {
    const { place, load, log } = await killedStore(4);
    load.close();
    const intact = readFileSync(log);
    const frames = (framesOf(intact) - HEADER_BYTES) / FRAME_BYTES;
    for (const frame of [0, Math.floor(frames / 2)]) {
      flipBit(log, HEADER_BYTES + frame * FRAME_BYTES + 24 + 2_000);
      await expectRefused(
        place,
        new RegExp(`error: .*occam\\.db: the store is damaged: frame ${frame + 1} of \\d+ of its log`, "u"),
      );
      writeFileSync(log, intact);
    }
    flipBit(log, 17);
    await expectRefused(place, /the header of its log is damaged/u);
    writeFileSync(log, intact);
    expect(await stop(await serve(place))).toBe(0);
  });

  it("F20 has flipped one bit in the middle of the database: the same", async () => {
    const { place, load } = await killedStore(5);
    load.close();
    // An orderly stop brings the log into the database.
    expect(await stop(await serve(place))).toBe(0);
    const file = join(place.store, "occam.db");
    const pages = statSync(file).size / 4096;
    // The type of a page of a table's or an index's tree.
    flipBit(file, Math.floor(pages / 2) * 4096);
    await expectRefused(place, /error: .*occam\.db: the store is damaged/u);
  });
});

/** Where the frames of the log's own salts end. */
function framesOf(log: Buffer): number {
  const salts = log.subarray(16, 24);
  let end = HEADER_BYTES;
  while (end + FRAME_BYTES <= log.length && log.subarray(end + 8, end + 16).equals(salts)) end += FRAME_BYTES;
  return end;
}
