/** Files that are whole or absent: written beside their place, made durable, then renamed over it. */
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Replaces `path` by what `write` puts into the handle. When `write` throws, the old file stands unchanged. The temporary
 * name has the process id, so that two commands on one folder do not write into each other's file.
 */
export async function replaceFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const file = await open(temporary, "w");
  try {
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** How much text is gathered before it is written. */
const CHUNK_CHARS = 1 << 20;

/** Replaces `path` by these pieces of text, in order, without holding them all. */
export function replaceText(path: string, pieces: Iterable<string> | AsyncIterable<string>): Promise<void> {
  return replaceFile(path, async (file) => {
    let held = "";
    for await (const piece of pieces) {
      held += piece;
      if (held.length < CHUNK_CHARS) continue;
      await file.appendFile(held);
      held = "";
    }
    if (held !== "") await file.appendFile(held);
  });
}
