/**
 * Turns a list of changes into statements, inside the caller's transaction. Everything is gathered and written by `finish` as
 * a few statements of many rows: a statement is a round trip on a server. Gathering keeps the meaning: rows are inserted before
 * they are updated, and in the order in which they refer to each other; of two changes of one row the later counts; a committed
 * cell never changes again.
 */
import type { Insertable, Kysely } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import { addAttempts, endAttempts, type NewAttempts } from "./attempt-rows.ts";
import { listText } from "./list-text.ts";
import type { AttemptEnd, Change, LinkRun, LogLine, ResultRecord } from "./change.ts";
import type { NewParts } from "./config-parts.ts";
import { isLong, runsOf } from "./key-runs.ts";
import { linkRuns, writeNewCells, type SweepRun } from "./new-cells.ts";
import { partsOf, type RowChange, type RowWriter } from "./row-writer.ts";
import { isSealed, sealOf } from "./seal.ts";
import type { Tables } from "./tables.ts";

type Of<K extends Change["kind"]> = Extract<Change, { readonly kind: K }>;
type Row<T extends keyof Tables> = Insertable<Tables[T]>;
type Inserts = { readonly [T in keyof Tables]?: Row<T>[] };

/** Before what refers to it. */
const INSERT_ORDER = [
  "sweep",
  "config_part",
  "sweep_cell",
  "session",
  "lease",
  "result",
  "finding",
  "stream",
  "metric_chunk",
  "log_line",
] as const satisfies readonly (keyof Tables)[];

/** A finding may be noted again. */
const KEPT_WHEN_KNOWN: ReadonlySet<keyof Tables> = new Set(["finding"]);

export class WriteBatch {
  readonly #db: Kysely<Tables>;
  readonly #rows: RowWriter;
  readonly #parts: NewParts;
  readonly #inserts: Inserts = Object.fromEntries(INSERT_ORDER.map((table) => [table, []]));
  readonly #fuseGroups = new Map<string, Row<"fuse_group">>();
  readonly #sweeps = new Map<number, Of<"sweep-changed">>();
  readonly #steered = new Map<number, Of<"sweep-steered">>();
  readonly #brokenWorkers = new Map<string, Row<"broken_worker">>();
  readonly #cells = new Map<number, RowChange<"cell">>();
  readonly #added: Of<"cells-added">[] = [];
  readonly #links: SweepRun[] = [];
  readonly #cancelled = new Set<number>();
  readonly #committed: number[] = [];
  /** How often each cell was granted. */
  readonly #granted = new Map<number, number>();
  readonly #leaseEnds = new Map<number, RowChange<"lease">>();
  /** By token and the key of the cell. */
  readonly #attemptEnds = new Map<number, Map<number, AttemptEnd>>();
  readonly #grants: NewAttempts[] = [];
  readonly #newStreams = new Map<number, Row<"stream">>();
  readonly #streamMoves = new Map<number, { readonly from: number; to: number }>();

  constructor(db: Kysely<Tables>, rows: RowWriter, parts: NewParts) {
    this.#db = db;
    this.#rows = rows;
    this.#parts = parts;
  }

  add(change: Change): void {
    switch (change.kind) {
      case "sweep-added":
        return this.#insert("sweep", sweepRow(change));
      case "sweep-changed":
        this.#sweeps.set(change.seq, change);
        return;
      case "sweep-steered":
        this.#steered.set(change.seq, change);
        return;
      case "worker-broken":
        return this.#breakWorker(change);
      case "fuse-group-set":
        return this.#setFuseGroup(change);
      case "cells-added":
        this.#added.push(change);
        return;
      case "cells-linked":
        return this.#linkCells(change);
      case "cell-changed":
        return this.#changeCell(change);
      case "cells-cancelled":
        return this.#cancelCells(change);
      case "session-added":
        return this.#addSession(change);
      case "lease-granted":
        return this.#grantLease(change);
      case "attempt-ended":
        return this.#endAttempt(change);
      case "lease-ended":
        return this.#endLease(change);
      case "result-committed":
        this.#committed.push(change.result.cellKey);
        return this.#insert("result", resultRow(change.result));
      case "finding-noted":
        return this.#insert("finding", findingRow(change));
      case "metrics-appended":
        return this.#appendMetrics(change);
      case "logs-appended":
        return this.#appendLogs(change);
    }
  }

  /** Writes what was gathered. To be called once, last. */
  async finish(): Promise<void> {
    await writeNewCells(this.#db, this.#rows, this.#parts, this.#added);
    for (const [text, part_id] of this.#parts.added) this.#insert("config_part", { part_id, text });
    for (const table of INSERT_ORDER) await this.#insertAll(table);
    await addAttempts(this.#db, this.#rows, this.#grants);
    await linkRuns(this.#db, this.#links);
    await this.#upsertFuseGroups();
    await this.#upsertBrokenWorkers();
    await this.#changeSweeps();
    await this.#update("cell", this.#cells);
    await this.#setCellState([...this.#cancelled], "cancelled");
    await this.#setCellState(this.#committed, "committed");
    await this.#countGrants();
    await this.#update("lease", this.#leaseEnds);
    await endAttempts(this.#db, this.#rows, this.#attemptEnds);
    await this.#moveStreams();
  }

  #setFuseGroup({ fuseKey, bytesPerMember, flopsPerCell }: Of<"fuse-group-set">): void {
    const row = { fuse_key: fuseKey, bytes_per_member: bytesPerMember, flops_per_cell: flopsPerCell };
    this.#fuseGroups.set(fuseKey, row);
  }

  #breakWorker({ workerId, reason, times }: Of<"worker-broken">): void {
    this.#brokenWorkers.set(workerId, { worker_id: workerId, reason, times });
  }

  #linkCells({ sweepSeq, links }: Of<"cells-linked">): void {
    for (const run of links) {
      if (isLong(run)) this.#links.push({ sweepSeq, ...run });
      else this.#linkOneByOne(sweepSeq, run);
    }
  }

  #linkOneByOne(sweepSeq: number, { gridIndex, firstKey, lastKey, cached }: LinkRun): void {
    for (let key = firstKey; key <= lastKey; key += 1) {
      const place = gridIndex + key - firstKey;
      this.#insert("sweep_cell", { sweep_seq: sweepSeq, grid_index: place, cell_key: key, cached: Number(cached) });
    }
  }

  #changeCell({ cellKey, figures }: Of<"cell-changed">): void {
    const { state, reason, lost, failed, oom, preempted, widthLimit, triedOn, memoryAbove } = figures;
    this.#cancelled.delete(cellKey);
    this.#cells.set(cellKey, {
      where: { cell_key: cellKey },
      set: {
        state,
        reason,
        lost,
        failed,
        oom,
        preempted,
        width_limit: widthLimit,
        tried_on: listText(triedOn),
        memory_above: memoryAbove,
      },
    });
  }

  #cancelCells({ cellKeys }: Of<"cells-cancelled">): void {
    for (const cellKey of cellKeys) this.#cancelled.add(cellKey);
  }

  #addSession({ seq, sessionId, workerId, seenMs }: Of<"session-added">): void {
    this.#insert("session", { seq, session_id: sessionId, worker_id: workerId, seen_ms: seenMs });
  }

  #grantLease(change: Of<"lease-granted">): void {
    const token = Number(change.token);
    this.#insert("lease", {
      token,
      worker_id: change.workerId,
      session_id: change.sessionId,
      fuse_key: change.fuseKey,
      width: change.cellKeys.length,
      granted_ms: change.grantedMs,
      ended: null,
      ended_ms: null,
    });
    this.#grants.push({ token, cellKeys: change.cellKeys });
    for (const cellKey of change.cellKeys) this.#granted.set(cellKey, (this.#granted.get(cellKey) ?? 0) + 1);
  }

  #endAttempt({ token, cellKey, ended }: Of<"attempt-ended">): void {
    const ends = this.#attemptEnds.get(Number(token));
    if (ends === undefined) this.#attemptEnds.set(Number(token), new Map([[cellKey, ended]]));
    else ends.set(cellKey, ended);
  }

  #endLease({ token, ended, endedMs }: Of<"lease-ended">): void {
    this.#leaseEnds.set(Number(token), { where: { token: Number(token) }, set: { ended, ended_ms: endedMs } });
  }

  #appendMetrics(change: Of<"metrics-appended">): void {
    const { streamId, firstOffset, count, data } = change;
    this.#moveStream(change, count);
    this.#insert("metric_chunk", { stream_id: streamId, first_offset: firstOffset, count, data });
  }

  #appendLogs(change: Of<"logs-appended">): void {
    const { streamId, firstOffset, lines } = change;
    this.#moveStream(change, lines.length);
    for (const [index, line] of lines.entries()) this.#insert("log_line", lineRow(streamId, firstOffset + index, line));
  }

  /** Moves the end of a stream from where the append says it stands, and from nowhere else. */
  #moveStream(change: Of<"metrics-appended"> | Of<"logs-appended">, count: number): void {
    const { stream, streamId, firstOffset } = change;
    const added = this.#newStreams.get(streamId);
    const move = this.#streamMoves.get(streamId);
    const to = firstOffset + count;
    if (firstOffset === 0) {
      const { kind, cellKey, token, sessionId } = stream;
      const row = { stream_id: streamId, kind, cell_key: cellKey, token: Number(token), session_id: sessionId };
      const opened = { ...row, next_offset: to };
      this.#newStreams.set(streamId, opened);
      return this.#insert("stream", opened);
    }
    const end = added?.next_offset ?? move?.to ?? firstOffset;
    invariant(end === firstOffset, `stream ${streamId} ends at ${end}, not at ${firstOffset}`);
    if (added !== undefined) added.next_offset = to;
    else if (move !== undefined) move.to = to;
    else this.#streamMoves.set(streamId, { from: firstOffset, to });
  }

  #insert<T extends (typeof INSERT_ORDER)[number]>(table: T, row: Row<T>): void {
    // Into the row itself, which was made for this: a copy costs as much as its seal.
    if (isSealed(table)) (row as { crc?: number }).crc = sealOf(table, row);
    (this.#inserts[table] as Row<T>[]).push(row);
  }

  async #insertAll(table: (typeof INSERT_ORDER)[number]): Promise<void> {
    const known = KEPT_WHEN_KNOWN.has(table) ? "keep" : "fail";
    await this.#rows.insert(this.#db, table, this.#inserts[table] ?? [], known);
  }

  async #changeSweeps(): Promise<void> {
    for (const { seq, state, finishedMs, expandedTo, expanded } of this.#sweeps.values()) {
      await this.#db
        .updateTable("sweep")
        .set({ state, finished_ms: finishedMs, expanded_to: expandedTo, expanded: Number(expanded) })
        .where("seq", "=", seq)
        .execute();
    }
    for (const { seq, paused, priority, maxWorkers } of this.#steered.values()) {
      const set = { paused, priority, max_workers: maxWorkers };
      await this.#db.updateTable("sweep").set(set).where("seq", "=", seq).execute();
    }
  }

  async #upsertBrokenWorkers(): Promise<void> {
    for (const { worker_id, ...set } of this.#brokenWorkers.values()) {
      await this.#db
        .insertInto("broken_worker")
        .values({ worker_id, ...set })
        .onConflict((conflict) => conflict.column("worker_id").doUpdateSet(set))
        .execute();
    }
  }

  async #upsertFuseGroups(): Promise<void> {
    for (const { fuse_key, ...figures } of this.#fuseGroups.values()) {
      await this.#db
        .insertInto("fuse_group")
        .values({ fuse_key, ...figures })
        .onConflict((conflict) => conflict.column("fuse_key").doUpdateSet(figures))
        .execute();
    }
  }

  async #update<T extends keyof Tables>(table: T, changes: ReadonlyMap<unknown, RowChange<T>>): Promise<void> {
    await this.#rows.update(this.#db, table, [...changes.values()]);
  }

  async #moveStreams(): Promise<void> {
    const moves = [...this.#streamMoves].map(([stream_id, { from, to }]) => ({
      where: { stream_id, next_offset: from },
      set: { next_offset: to },
    }));
    const moved = await this.#rows.update(this.#db, "stream", moves);
    invariant(moved === moves.length, "a stream does not end where an append to it starts");
  }

  async #setCellState(keys: readonly number[], state: "committed" | "cancelled"): Promise<void> {
    const { runs, singles } = runsOf(keys);
    for (const [first, last] of runs) {
      const cells = this.#db.updateTable("cell").set({ state, reason: "" });
      await cells.where("cell_key", ">=", first).where("cell_key", "<=", last).execute();
    }
    const changes = singles.map((cell_key) => ({ where: { cell_key }, set: { state, reason: "" } }));
    await this.#rows.update(this.#db, "cell", changes);
  }

  async #countGrants(): Promise<void> {
    for (const times of new Set(this.#granted.values())) {
      const keys = [...this.#granted].filter(([, count]) => count === times).map(([key]) => key);
      const { runs, singles } = runsOf(keys);
      for (const [first, last] of runs) {
        const cells = this.#db.updateTable("cell").set((eb) => ({ attempts: eb("attempts", "+", times) }));
        await cells.where("cell_key", ">=", first).where("cell_key", "<=", last).execute();
      }
      for (const part of partsOf(singles, KEYS_MAX)) {
        const cells = this.#db.updateTable("cell").set((eb) => ({ attempts: eb("attempts", "+", times) }));
        await cells.where("cell_key", "in", part).execute();
      }
    }
  }
}

function sweepRow({ sweep }: Of<"sweep-added">): Row<"sweep"> {
  return {
    seq: sweep.seq,
    sweep_id: sweep.id,
    name: sweep.name,
    scope: sweep.scope,
    state: sweep.state,
    spec_text: sweep.specText,
    file_name: sweep.fileName,
    created_ms: sweep.createdMs,
    finished_ms: sweep.finishedMs,
    expanded_to: sweep.expandedTo,
    expanded: Number(sweep.expanded),
    paused: sweep.paused,
    priority: sweep.priority,
    max_workers: sweep.maxWorkers,
    require_json: listText(sweep.require),
    submitter: sweep.submitter,
  };
}

function resultRow(result: ResultRecord): Row<"result"> {
  return {
    cell_key: result.cellKey,
    token: Number(result.token),
    worker_id: result.workerId,
    digest: result.digest,
    json: result.json,
    diverged: Number(result.diverged),
    verdict: result.verdict,
    lambda_hat: result.lambdaHat,
    test_loss: result.testLoss,
    committed_ms: result.committedMs,
  };
}

function findingRow({ cellKey, token, workerId, digest, json, notedMs }: Of<"finding-noted">): Row<"finding"> {
  return { cell_key: cellKey, token: Number(token), worker_id: workerId, digest, json, noted_ms: notedMs };
}

function lineRow(streamId: number, place: number, line: LogLine): Row<"log_line"> {
  return {
    seq: line.seq,
    stream_id: streamId,
    place,
    worker_id: line.workerId,
    cell_key: line.cellKey,
    token: Number(line.token),
    time_ms: line.timeMs,
    level: line.level,
    message: line.message,
    fields_json: line.fieldsJson,
  };
}

/** Keys of one statement, at the most; SQLite binds 32,766 and PostgreSQL 65,535. */
const KEYS_MAX = 10_000;
