/** Checkpoints as files of a folder, on a disk that the workers share. */
import { mkdirSync } from "node:fs";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import { cellOfFile, fileNameOf, type CheckpointStore, type StoredCheckpoint } from "./checkpoint-store.ts";

export class FolderCheckpoints implements CheckpointStore {
  readonly place: string;
  /** So that two processes, or two writes of one, never share a temporary file. */
  #writes = 0;

  private constructor(folder: string) {
    this.place = folder;
  }

  /** Makes the folder. */
  static open(folder: string): FolderCheckpoints {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (cause) {
      throw new OccamError("bad-config", `the folder of checkpoints cannot be made: ${messageOf(cause)}`, {
        where: folder,
        cause,
      });
    }
    return new FolderCheckpoints(folder);
  }

  async read(cellId: CellId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#pathOf(cellId), { signal });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async write(cellId: CellId, file: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#writes += 1;
    const temporary = join(this.place, `.${fileNameOf(cellId)}.${process.pid}-${this.#writes}`);
    try {
      const handle = await open(temporary, "w");
      try {
        await handle.writeFile(file, { signal });
        // The machine may be gone in seconds.
        await handle.sync();
      } finally {
        await handle.close();
      }
      signal.throwIfAborted();
      await rename(temporary, this.#pathOf(cellId));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async remove(cellId: CellId): Promise<void> {
    await rm(this.#pathOf(cellId), { force: true });
  }

  async list(): Promise<readonly StoredCheckpoint[]> {
    const found: StoredCheckpoint[] = [];
    for (const name of await readdir(this.place)) {
      const cellId = cellOfFile(name);
      if (cellId === undefined) continue;
      try {
        const { size, mtimeMs } = await stat(join(this.place, name));
        found.push({ cellId, sizeBytes: size, modifiedMs: mtimeMs });
      } catch (error) {
        // Its cell was committed meanwhile.
        if (!isMissing(error)) throw error;
      }
    }
    return found;
  }

  #pathOf(cellId: CellId): string {
    return join(this.place, fileNameOf(cellId));
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";
