/** A stream by its key: from memory, else as the store has it, else new. */
import type { Hot } from "../hot/hot.ts";
import type { StreamKey } from "../store/change.ts";
import type { StoredStream } from "../store/store.ts";

/**
 * What `hot.streams.open` needs for a stream that is not in memory. In two steps, so that nothing waits between the opening and
 * what is decided on it.
 */
export async function readStream(hot: Hot, key: StreamKey): Promise<StoredStream | undefined> {
  return hot.streams.get(key) === undefined ? hot.store.findStream(key) : undefined;
}
