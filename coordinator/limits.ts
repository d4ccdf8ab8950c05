import { SPEC_LIMIT_BYTES } from "../src/spec/source-tree.ts";

/** Every size limit of the coordinator, with its reason. */
export const LIMITS = {
  /** Cells of one sweep: what one coordinator schedules within its memory and recovery bounds. */
  sweepCells: 1_000_000,
  /** Grid points that are visited to count the cells of a filtered grid: minutes of work at most. */
  sweepPoints: 20_000_000,
  /** A spec is read by people; a longer one is a mistake or an attack. */
  specBytes: SPEC_LIMIT_BYTES,
  /** Cells that are not ended, of all sweeps together: they are in memory, some 600 bytes each. */
  openCells: 2_000_000,
  /** Submissions that are expanded at once; each holds its spec and a part of its grid. */
  submissions: 8,
  /** Name of a spec's file. */
  fileNameChars: 1_024,
  /** Points of a grid that become cells in one transaction: of the pages that it writes, more rows share one. */
  expandChunk: 2_048,
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
  /** One log line; the rest is cut and the cut is marked. */
  logMessageChars: 16_384,
  /** Structured fields of one log line; larger ones are dropped and the drop is marked. */
  logFieldsChars: 16_384,
  /** A stored result, JSON. Estimates hold figures, never draws. */
  resultChars: 256 * 1024,
  /** A reason that is kept with a cell. */
  reasonChars: 2_000,
  /** Rows of one page of a listing: a bound on memory and on one stall of the event loop. */
  pageRows: 256,
  /** Log lines of one page of a tail. */
  logPageRows: 512,
  /** Records of one batch: our workers send 4,096 at the most, for they count each as 64 bytes. */
  batchLines: 8_192,
  batchPoints: 65_536,
  /** Series of one batch, and the name of one. */
  batchSeries: 4_096,
  seriesNameChars: 256,
  /** Own logs of sessions whose end is in memory; the end of an older one is read from the store. */
  ownLogs: 10_000,
  /** Batches of one bulk call that are under way at once. */
  pushWindow: 32,
  /** Changes of one transaction: a bound on its stall. */
  transactionChanges: 4_096,
  /** Sessions that are remembered over a restart, newest first. */
  sessions: 10_000,
  /** Lines that a tail gives of what is stored when it is asked for the last ones; they are held in memory. */
  lastLines: 100_000,
  /** States that a listing is filtered by. */
  stateFilters: 64,
  /** Ids of one look-up. */
  findIds: 10_000,
} as const;
