/** What a person sees of the checkpoints of a place: for `occam checkpoint`, which loads this file and no engine. */
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import { openCheckpoint, type CheckpointSummary } from "./checkpoint-file.ts";
import { openCheckpointStore, type CheckpointStore, type Env, type StoredCheckpoint } from "./checkpoint-store.ts";

export interface SeenTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface SeenCheckpoint extends StoredCheckpoint {
  /** Undefined: it cannot be read, and `problem` says why. */
  readonly summary: CheckpointSummary | undefined;
  readonly problem: string | undefined;
  readonly tensors: readonly SeenTensor[];
}

/** For a whole listing; a remote store may be slow. */
const LIMIT_MS = 120_000;

/** @param prefix of a cell's id; "" for all. Sorted by id. */
export async function lookAt(
  place: string,
  prefix: string,
  env: Env,
  clock: Clock,
): Promise<readonly SeenCheckpoint[]> {
  const store = await openCheckpointStore(place, env, clock);
  const signal = AbortSignal.timeout(LIMIT_MS);
  const listed = await store.list(signal);
  const wanted = listed.filter(({ cellId }) => cellId.startsWith(prefix));
  if (wanted.length === 0 && prefix !== "") {
    throw new OccamError("not-found", `no checkpoint of a cell that begins with "${prefix}"`, {
      where: store.place,
      hint: "occam checkpoint list shows those that there are; a cell's goes when it has its result",
    });
  }
  const seen: SeenCheckpoint[] = [];
  for (const stored of wanted.toSorted((a, b) => (a.cellId < b.cellId ? -1 : 1))) seen.push(await see(store, stored, signal)); // prettier-ignore
  return seen;
}

async function see(store: CheckpointStore, stored: StoredCheckpoint, signal: AbortSignal): Promise<SeenCheckpoint> {
  try {
    const file = await store.read(stored.cellId, signal);
    if (file === undefined) throw new OccamError("not-found", "it is gone: its cell has its result");
    const { summary, tensors } = openCheckpoint(file);
    return { ...stored, summary, problem: undefined, tensors: tensors.map(({ name, shape }) => ({ name, shape })) };
  } catch (error) {
    return { ...stored, summary: undefined, problem: messageOf(error), tensors: [] };
  }
}
