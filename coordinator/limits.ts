import { SERIES_NAME_CHARS } from "../src/wire/metric-columns.ts";
import { SPEC_LIMIT_BYTES } from "../src/spec/spec-limit.ts";

/** Every size limit of the coordinator, with its reason. */
export const LIMITS = {
  /** Cells of one sweep: what one coordinator schedules within its memory and recovery bounds. */
  sweepCells: 1_000_000,
  /** Grid points that are visited to count the cells of a filtered grid: minutes of work at most. */
  sweepPoints: 20_000_000,
  /** A spec is read by people; a longer one is a mistake or an attack. */
  specBytes: SPEC_LIMIT_BYTES,
  /** Cells that are not ended, of all sweeps together: they are in memory, some 300 bytes each. */
  openCells: 2_000_000,
  /** Submissions that are expanded at once; each holds its spec and a part of its grid. */
  submissions: 8,
  /** Name of a spec's file. */
  fileNameChars: 1_024,
  /** Points of a grid that become cells in one transaction: of the pages that it writes, more rows share one. */
  expandChunk: 65_536,
  /** How long they are made between two turns of the event loop: as much as a heartbeat may wait. */
  expandSliceMs: 8,
  /** Ids and other short texts come from our own programs; a longer one is none. */
  idChars: 256,
  /** Workers that are known at once; those that are long gone make room. */
  workers: 20_000,
  /** Leases that one sync may list: a worker holds two. */
  heldLeases: 1_024,
  /** Shards that one sync can ask for. */
  slotsPerSync: 16,
  /** Commits of one call; each may be as large as a result. */
  commitsPerCall: 256,
  /** Cells of one fused program, whatever a worker asks for. */
  shardCells: 1024,
  /** A stored result, JSON. Estimates hold figures, never draws. */
  resultChars: 256 * 1024,
  /** A reason that is kept with a cell. */
  reasonChars: 2_000,
  /** Rows of one page of a listing: a bound on memory and on one stall of the event loop. */
  pageRows: 256,
  /** Keys of cells that are looked through at once. */
  pageKeys: 1_024,
  /** Log lines of one look of a tail into the store: with lines as long as they may be that is 4 MiB of memory. */
  logPageRows: 64,
  /** Log lines that one look may pass over, by filters: a bound on a stall of the event loop. */
  logScanRows: 2_048,
  /** Text of one page that is sent to a tail, and its lines. */
  logPageChars: 64 * 1024,
  logPageLines: 1_024,
  /** Records of one batch: our workers send 6,553 lines or 21,845 points at the most: a line counts for 40 bytes at least, a point for 12. */
  batchLines: 8_192,
  batchPoints: 65_536,
  /** Series of one batch, and the name of one. */
  batchSeries: 4_096,
  seriesNameChars: SERIES_NAME_CHARS,
  /** Own logs of sessions whose end is in memory; the end of an older one is read from the store. */
  ownLogs: 10_000,
  /** Batches of one bulk call that are under way at once. */
  pushWindow: 32,
  /** Bytes of batches that are read and not answered: of all workers together, as long as their windows allow it ... */
  pushHeldBytes: 64 * 1024 * 1024,
  /** ... and of one worker: one batch, a few on a fast line. */
  pushWindowMinBytes: 64 * 1024,
  pushWindowMaxBytes: 1024 * 1024,
  /** Bytes of metrics and logs that one transaction takes: one large batch, some milliseconds of the event loop. */
  ingestBytes: 256 * 1024,
  /** Changes of one transaction: a bound on its stall. */
  transactionChanges: 4_096,
  /** Sessions that are remembered over a restart, newest first. */
  sessions: 10_000,
  /** Last log lines of a cell that are shown with it. */
  explainedLines: 50,
  /** Texts that a sweep may require of its workers, and labels of one worker. */
  requirements: 32,
  /** States that a listing is filtered by. */
  stateFilters: 64,
  /** Ids of one look-up. */
  findIds: 10_000,
} as const;
