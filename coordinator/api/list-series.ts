/** The series of the committed attempts of a sweep, chunk by chunk, by grid index. */
import type { ListSeriesRequest, ListSeriesResponse } from "../../proto/gen/occam/v1/operator.ts";
import type { Send } from "../../src/rpc/adapters.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { decodeChunk, selectSeries } from "../ingest/metric-chunk.ts";
import type { ChunkRow } from "../store/store.ts";
import { onlyCell } from "./only-cell.ts";

/** A chunk is up to 256 KiB. */
const PAGE_CHUNKS = 16;

export async function listSeries(
  hot: Hot,
  sweep: Sweep,
  request: ListSeriesRequest,
  send: Send<ListSeriesResponse>,
  signal: AbortSignal,
): Promise<void> {
  const idPrefix = request.cellId === "" ? "" : await onlyCell(hot, sweep, request.cellId);
  await hot.writer.settled();
  let after: Pick<ChunkRow, "gridIndex" | "firstOffset"> = { gridIndex: -1, firstOffset: -1 };
  while (!signal.aborted) {
    const page = await hot.store.listChunks(sweep.seq, idPrefix, after, PAGE_CHUNKS);
    for (const { cellId, data } of page) {
      const metrics = selectSeries(decodeChunk(data), request.namePrefix);
      if (metrics !== undefined) await send({ cellId, metrics });
    }
    if (page.length < PAGE_CHUNKS) return;
    after = page.at(-1)!;
  }
}
