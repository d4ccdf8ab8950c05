/**
 * What a store is. Three promises carry everything else:
 * 1. `apply` is atomic and durable: when it resolves, all of its changes survive the loss of the process and of power; when
 *    it rejects, none of them is there.
 * 2. The store itself refuses what must never be: two results of one cell and scope, a token granted twice, an append that
 *    does not start where its stream ends.
 * 3. Writes belong to an epoch, and are refused once a later one has begun: of two coordinators one can write.
 * Reads see every applied change.
 */
import type { CellId, FuseKey, LeaseToken, SessionId, WorkerId } from "../../src/core/ids.ts";
import type {
  AttemptEnd,
  CellFigures,
  Change,
  ResultRecord,
  StoredCellState,
  StreamKey,
  SweepRecord,
} from "./change.ts";

/** Where the counters of a coordinator go on. */
export interface Counters {
  readonly nextToken: number;
  readonly nextCellKey: number;
  readonly nextSweepSeq: number;
  readonly nextSessionSeq: number;
  readonly nextStreamId: number;
  readonly nextLogSeq: number;
}

export interface StoredCell extends CellFigures {
  readonly key: number;
  readonly id: CellId;
  readonly scope: string;
  readonly fuseKey: FuseKey;
  readonly attempts: number;
  /** Of the committed result; "" when there is none. */
  readonly digest: string;
  readonly diverged: boolean;
  /** The sweeps that contain it, by seq, ascending. */
  readonly sweeps: readonly number[];
}

export interface StoredAttempt {
  readonly workerId: WorkerId;
  readonly ended: AttemptEnd | null;
  readonly cell: StoredCell;
}

export interface StoredLease {
  readonly token: LeaseToken;
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly fuseKey: FuseKey;
  /** Cells that it was granted with. */
  readonly width: number;
  /** Keys of its cells whose attempt has not ended. */
  readonly openCells: readonly number[];
}

export interface StoredSession {
  readonly seq: number;
  readonly sessionId: SessionId;
  readonly workerId: WorkerId;
}

export interface StoredFuseGroup {
  readonly fuseKey: FuseKey;
  readonly bytesPerMember: number;
  readonly flopsPerCell: number;
}

export interface StoredStream {
  readonly streamId: number;
  readonly nextOffset: number;
}

/** Cells of a sweep by their stored state; pending ones are not counted, for they are all read. */
export interface StoredCounts {
  readonly sweepSeq: number;
  readonly state: StoredCellState;
  readonly diverged: boolean;
  readonly cached: boolean;
  readonly count: number;
  /** Sums over these cells. */
  readonly faults: FaultCounts;
}

/** How often cells ended without a result, by why. */
export interface FaultCounts {
  readonly lost: number;
  readonly failed: number;
  readonly oom: number;
  readonly preempted: number;
}

export interface BrokenWorker {
  readonly workerId: WorkerId;
  readonly reason: string;
  readonly times: number;
}

export interface CellRow extends CellFigures {
  readonly gridIndex: number;
  readonly key: number;
  readonly id: CellId;
  readonly scope: string;
  readonly attempts: number;
  readonly cached: boolean;
  readonly configJson: string;
  /** undefined: not committed. */
  readonly result: Pick<ResultRecord, "json" | "workerId" | "committedMs"> | undefined;
}

export interface CellQuery {
  readonly sweepSeq: number;
  /** Empty: all. */
  readonly states: readonly StoredCellState[];
  /** Only ids that begin so; "": all. */
  readonly idPrefix: string;
}

export interface ChunkRow {
  readonly gridIndex: number;
  readonly cellId: CellId;
  readonly firstOffset: number;
  readonly data: Uint8Array;
}

export interface LogQuery {
  readonly sweepSeq: number | undefined;
  readonly cellIdPrefix: string;
  readonly workerId: string;
  readonly minLevel: number;
  readonly sinceMs: number;
}

export interface LogRow {
  readonly seq: number;
  readonly workerId: string;
  readonly cellId: string;
  readonly token: LeaseToken;
  readonly timeMs: number;
  readonly level: number;
  readonly message: string;
  readonly fieldsJson: string;
}

/** A committed cell whose verdict is "ok". */
export interface LambdaRow {
  readonly cellId: CellId;
  readonly lambdaHat: number;
  readonly testLoss: number | null;
}

/** undefined: no cell of the sweep has a verdict "ok" yet. */
export interface LambdaExtremes {
  readonly lowest: LambdaRow | undefined;
  readonly highest: LambdaRow | undefined;
}

/** Two results of one cell that differ. */
export interface FindingRow {
  readonly cellId: CellId;
  readonly token: LeaseToken;
  readonly workerId: WorkerId;
  readonly digest: string;
}

/** Both inclusive. */
export interface KeyRange {
  readonly first: number;
  readonly last: number;
}

export interface Store {
  /** For people: "sqlite /home/ada/run/store". */
  readonly description: string;

  apply(changes: readonly Change[]): Promise<void>;
  /** Larger than at any start before. What is applied from then on belongs to it; before it nothing can be. */
  beginEpoch(): Promise<bigint>;

  /**
   * Settles when the store has been looked through for damage, which goes on beside the first reads.
   * @throws OccamError "store-corrupt": nothing may be served from it
   */
  sound(): Promise<void>;

  // What a coordinator is rebuilt from.
  loadCounters(): Promise<Counters>;
  loadSweeps(): Promise<readonly SweepRecord[]>;
  loadCounts(): Promise<readonly StoredCounts[]>;
  loadFuseGroups(): Promise<readonly StoredFuseGroup[]>;
  /** Pending cells in the order of their keys, a page after `afterKey`. */
  loadPendingCells(afterKey: number, limit: number): Promise<readonly StoredCell[]>;
  /** Leases that have not ended, by token. */
  loadOpenLeases(): Promise<readonly StoredLease[]>;
  /** The newest, ascending by seq. */
  loadSessions(limit: number): Promise<readonly StoredSession[]>;
  /** Workers that get no cells. */
  loadBrokenWorkers(): Promise<readonly BrokenWorker[]>;
  /** Committed cells of each worker. */
  loadCommitCounts(): Promise<ReadonlyMap<string, number>>;

  // Look-ups.
  findCells(scope: string, ids: readonly CellId[]): Promise<readonly StoredCell[]>;
  /** Between which keys the cells of a sweep lie; undefined: it has none. */
  keysOf(sweepSeq: number): Promise<KeyRange | undefined>;
  /** The cells of a sweep in this state with these keys. */
  findCellsIn(sweepSeq: number, state: StoredCellState, keys: KeyRange): Promise<readonly StoredCell[]>;
  findAttempt(token: LeaseToken, cellId: CellId): Promise<StoredAttempt | undefined>;
  findStream(stream: StreamKey): Promise<StoredStream | undefined>;
  /** By the keys of cells. */
  readConfigs(keys: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** Those of `ids` with a committed result in scope "". */
  findCached(ids: readonly CellId[]): Promise<readonly CellId[]>;

  // Listings: a page after a place, so that a reader of any speed holds one page.
  listCells(query: CellQuery, afterIndex: number, limit: number): Promise<readonly CellRow[]>;
  /** Metric chunks of the committed attempts of a sweep, by grid index and offset. */
  listChunks(
    sweepSeq: number,
    idPrefix: string,
    after: Pick<ChunkRow, "gridIndex" | "firstOffset">,
    limit: number,
  ): Promise<readonly ChunkRow[]>;
  /** Ascending from `afterSeq`, below `beforeSeq`: what a filter leaves out is looked at too, so a bound on it bounds the time. */
  listLogs(query: LogQuery, afterSeq: number, limit: number, beforeSeq?: number): Promise<readonly LogRow[]>;
  /** Descending from below `beforeSeq`, above `afterSeq`. */
  listLogsBackwards(query: LogQuery, beforeSeq: number, limit: number, afterSeq?: number): Promise<readonly LogRow[]>;
  /** The last log lines of a cell, of all its attempts, oldest first. */
  lastLines(cellKey: number, limit: number): Promise<readonly LogRow[]>;
  lambdaExtremes(sweepSeq: number): Promise<LambdaExtremes>;
  listFindings(): Promise<readonly FindingRow[]>;

  close(): Promise<void>;
}
