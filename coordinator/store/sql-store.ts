/**
 * A store over any SQL database that Kysely speaks to: writes here and in `write-batch.ts`, reads in `recovery-reads.ts`,
 * `look-ups.ts` and `listings.ts`. Nothing in these files is of one dialect; what is comes as an argument.
 */
import type { Kysely } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import type { Change, StoredCellState, StreamKey, SweepRecord } from "./change.ts";
import { ConfigParts, NewParts } from "./config-parts.ts";
import { beginEpoch, deposed } from "./leader-seat.ts";
import * as listings from "./listings.ts";
import * as lookUps from "./look-ups.ts";
import { loadPendingCells } from "./pending-pages.ts";
import * as recovery from "./recovery-reads.ts";
import type { RowWriter } from "./row-writer.ts";
import type {
  BrokenWorker,
  CellQuery,
  CellRow,
  ChunkRow,
  Counters,
  FindingRow,
  KeyRange,
  LambdaExtremes,
  LogQuery,
  LogRow,
  Store,
  StoredAttempt,
  StoredCell,
  StoredCounts,
  StoredFuseGroup,
  StoredLease,
  StoredSession,
  StoredStream,
} from "./store.ts";
import type { Tables } from "./tables.ts";
import { WriteBatch } from "./write-batch.ts";

export interface SqlStoreOptions {
  readonly db: Kysely<Tables>;
  readonly description: string;
  readonly rows: RowWriter;
  /** Reads the leader row so that it cannot change before the transaction ends. */
  readonly leaderEpoch: (transaction: Kysely<Tables>) => Promise<number>;
  /** The epoch that an election has given; undefined: the store begins one of its own. */
  readonly epoch?: bigint;
  /** Called when an epoch has begun, before a whole store is read. */
  readonly begun?: () => Promise<void>;
  /** See `Store.sound`; left out: it is. */
  readonly sound?: Promise<void>;
  /** Called before the database is closed. */
  readonly closing?: () => void;
  /** Called after it. */
  readonly closed?: () => void;
}

export class SqlStore implements Store {
  readonly description: string;
  readonly #db: Kysely<Tables>;
  readonly #options: SqlStoreOptions;
  /** Of this store's writes; undefined: none has begun, and nothing can be written. */
  #epoch: bigint | undefined;
  readonly #parts = new ConfigParts();
  /** undefined: to be read, for another coordinator may have written since. */
  #nextPartId: number | undefined;

  constructor(options: SqlStoreOptions) {
    this.#db = options.db;
    this.description = options.description;
    this.#options = options;
    this.#epoch = options.epoch;
  }

  async apply(changes: readonly Change[]): Promise<void> {
    const parts = await this.#db.transaction().execute(async (transaction) => {
      await this.#checkEpoch(transaction);
      this.#nextPartId ??= await recovery.nextPartId(transaction);
      const parts = new NewParts(this.#parts, this.#nextPartId);
      const batch = new WriteBatch(transaction, this.#options.rows, parts);
      for (const change of changes) batch.add(change);
      await batch.finish();
      return parts;
    });
    this.#nextPartId = parts.nextId;
    this.#parts.learn(parts.added);
  }

  async beginEpoch(): Promise<bigint> {
    const epoch = this.#options.epoch ?? (await beginEpoch(this.#db));
    this.#epoch = epoch;
    this.#nextPartId = undefined;
    await this.#options.begun?.();
    return epoch;
  }

  async sound(): Promise<void> {
    return this.#options.sound;
  }

  async #checkEpoch(transaction: Kysely<Tables>): Promise<void> {
    invariant(this.#epoch !== undefined, "a write before an epoch has begun");
    const epoch = await this.#options.leaderEpoch(transaction);
    if (BigInt(epoch) !== this.#epoch) throw deposed(this.#epoch, BigInt(epoch));
  }

  async loadCounters(): Promise<Counters> {
    return recovery.loadCounters(this.#db);
  }

  async loadSweeps(): Promise<readonly SweepRecord[]> {
    return recovery.loadSweeps(this.#db);
  }

  async loadCounts(): Promise<readonly StoredCounts[]> {
    return recovery.loadCounts(this.#db);
  }

  async loadFuseGroups(): Promise<readonly StoredFuseGroup[]> {
    return recovery.loadFuseGroups(this.#db);
  }

  async loadPendingCells(afterKey: number, limit: number): Promise<readonly StoredCell[]> {
    return loadPendingCells(this.#db, afterKey, limit);
  }

  async loadOpenLeases(): Promise<readonly StoredLease[]> {
    return recovery.loadOpenLeases(this.#db);
  }

  async loadSessions(limit: number): Promise<readonly StoredSession[]> {
    return recovery.loadSessions(this.#db, limit);
  }

  async loadBrokenWorkers(): Promise<readonly BrokenWorker[]> {
    return recovery.loadBrokenWorkers(this.#db);
  }

  async loadCommitCounts(): Promise<ReadonlyMap<string, number>> {
    return recovery.loadCommitCounts(this.#db);
  }

  async findCells(scope: string, ids: readonly CellId[]): Promise<readonly StoredCell[]> {
    return lookUps.findCells(this.#db, scope, ids);
  }

  async keysOf(sweepSeq: number): Promise<KeyRange | undefined> {
    return lookUps.keysOf(this.#db, sweepSeq);
  }

  async findCellsIn(sweepSeq: number, state: StoredCellState, keys: KeyRange): Promise<readonly StoredCell[]> {
    return lookUps.findCellsIn(this.#db, sweepSeq, state, keys);
  }

  async findAttempt(token: LeaseToken, cellId: CellId): Promise<StoredAttempt | undefined> {
    return lookUps.findAttempt(this.#db, token, cellId);
  }

  async findStream(stream: StreamKey): Promise<StoredStream | undefined> {
    return lookUps.findStream(this.#db, stream);
  }

  async readConfigs(keys: readonly number[]): Promise<ReadonlyMap<number, string>> {
    return lookUps.readConfigs(this.#db, this.#parts, keys);
  }

  async findCached(ids: readonly CellId[]): Promise<readonly CellId[]> {
    return lookUps.findCached(this.#db, ids);
  }

  async listCells(query: CellQuery, afterIndex: number, limit: number): Promise<readonly CellRow[]> {
    return listings.listCells(this.#db, this.#parts, query, afterIndex, limit);
  }

  async listChunks(
    sweepSeq: number,
    idPrefix: string,
    after: Pick<ChunkRow, "gridIndex" | "firstOffset">,
    limit: number,
  ): Promise<readonly ChunkRow[]> {
    return listings.listChunks(this.#db, sweepSeq, idPrefix, after, limit);
  }

  async listLogs(query: LogQuery, afterSeq: number, limit: number, beforeSeq?: number): Promise<readonly LogRow[]> {
    return listings.listLogs(this.#db, query, { afterSeq, beforeSeq, order: "asc" }, limit);
  }

  async listLogsBackwards(
    query: LogQuery,
    beforeSeq: number,
    limit: number,
    afterSeq?: number,
  ): Promise<readonly LogRow[]> {
    return listings.listLogs(this.#db, query, { afterSeq, beforeSeq, order: "desc" }, limit);
  }

  async lastLines(cellKey: number, limit: number): Promise<readonly LogRow[]> {
    return listings.lastLines(this.#db, cellKey, limit);
  }

  async lambdaExtremes(sweepSeq: number): Promise<LambdaExtremes> {
    return listings.lambdaExtremes(this.#db, sweepSeq);
  }

  async listFindings(): Promise<readonly FindingRow[]> {
    return listings.listFindings(this.#db);
  }

  async close(): Promise<void> {
    this.#options.closing?.();
    await this.#db.destroy();
    this.#options.closed?.();
  }
}
