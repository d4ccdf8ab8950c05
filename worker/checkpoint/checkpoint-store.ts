/** Where checkpoints lie: one file for each cell, in a folder or in an S3-compatible store. */
import type { Clock } from "../../src/core/clock.ts";
import { OccamError } from "../../src/core/errors.ts";
import { asCellId, type CellId } from "../../src/core/ids.ts";

export interface StoredCheckpoint {
  readonly cellId: CellId;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/**
 * Writing is atomic: whoever reads gets a whole file, the old or the new one, or none. Every call rejects when it fails, and may
 * hang where the store does: callers set the limit.
 */
export interface CheckpointStore {
  /** For people. */
  readonly place: string;
  /** Undefined: there is none of this cell. */
  read(cellId: CellId, signal: AbortSignal): Promise<Uint8Array | undefined>;
  write(cellId: CellId, file: Uint8Array, signal: AbortSignal): Promise<void>;
  /** There may be none. */
  remove(cellId: CellId, signal: AbortSignal): Promise<void>;
  list(signal: AbortSignal): Promise<readonly StoredCheckpoint[]>;
}

export type Env = Readonly<Record<string, string | undefined>>;

const EXTENSION = ".safetensors";

export const fileNameOf = (cellId: CellId): string => `${cellId}${EXTENSION}`;

/** The cell of a file of this name; undefined for other files. */
export function cellOfFile(name: string): CellId | undefined {
  const id = name.endsWith(EXTENSION) ? name.slice(0, -EXTENSION.length) : "";
  return /^[0-9a-f]{64}$/.test(id) ? asCellId(id) : undefined;
}

/**
 * @param place a folder, as an absolute path, or s3://BUCKET/PREFIX
 * @throws OccamError "bad-config" for a place that cannot be used
 */
export async function openCheckpointStore(place: string, env: Env, clock: Clock): Promise<CheckpointStore> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(place)?.[1];
  if (scheme === undefined) {
    const { FolderCheckpoints } = await import("./folder-checkpoints.ts");
    return FolderCheckpoints.open(place);
  }
  if (scheme.toLowerCase() !== "s3") {
    throw new OccamError("bad-config", `checkpoints cannot lie in a place of the kind "${scheme}"`, {
      where: "--checkpoints",
      hint: "give a folder, or s3://BUCKET/PREFIX",
    });
  }
  const { S3Checkpoints } = await import("./s3-checkpoints.ts");
  return S3Checkpoints.open(place, env, clock);
}
