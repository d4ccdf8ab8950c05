/**
 * Files of a spool in a folder. Each loses its name as soon as it is open, so that the system takes its space back however the
 * process ends: a worker that is killed leaves nothing behind, and nothing is cleaned up by guessing who is still alive.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, statfs, unlink, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OccamError } from "../../src/core/errors.ts";

/** Left free on the disk: others write there too, a coordinator's store among them. */
const RESERVE_BYTES = 256 * 1024 * 1024;

/** TMPDIR where it is set; else /var/tmp, which lies on a disk where /tmp may lie in memory. */
export function defaultSpoolFolder(env: Readonly<Record<string, string | undefined>>): string {
  const given = env["TMPDIR"];
  if (given !== undefined && given !== "") return given;
  return existsSync("/var/tmp") ? "/var/tmp" : tmpdir();
}

/** @throws when the folder cannot be used, or the disk has less than the reserve and `roomBytes` */
export async function newSpoolFile(folder: string, roomBytes: number): Promise<FileHandle> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < RESERVE_BYTES + roomBytes) {
    const text = `the disk has ${Math.floor((bavail * bsize) / 2 ** 20)} MiB left, of which ${RESERVE_BYTES / 2 ** 20} stay free`;
    throw new OccamError("resource-exhausted", text, { where: folder });
  }
  const path = join(folder, `occam-spool-${randomUUID()}`);
  // "x": the name is ours alone, also in a folder that everybody may write to.
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
