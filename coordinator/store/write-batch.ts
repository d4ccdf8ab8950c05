/**
 * Turns a list of changes into statements, inside the caller's transaction. What many callers do at once (results, ends of
 * attempts, chunks, log lines) is gathered and written as a few statements of many rows by `finish`; everything else is
 * written in the order given. Gathering keeps the meaning: a committed cell never changes again, of two ends of one attempt
 * the later counts, and rows of streams are only added.
 */
import type { Insertable, Kysely, SqlBool, Expression } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import type { Change, LogLine, ResultRecord } from "./change.ts";
import type { Tables } from "./tables.ts";

type Of<K extends Change["kind"]> = Extract<Change, { readonly kind: K }>;

export class WriteBatch {
  readonly #db: Kysely<Tables>;
  /** Bound parameters of one statement, at the most. */
  readonly #parametersMax: number;
  readonly #results: ResultRecord[] = [];
  readonly #attemptEnds = new Map<string, Of<"attempt-ended">>();
  readonly #chunks: Insertable<Tables["metric_chunk"]>[] = [];
  readonly #lines: Insertable<Tables["log_line"]>[] = [];

  constructor(db: Kysely<Tables>, parametersMax: number) {
    this.#db = db;
    this.#parametersMax = parametersMax;
  }

  async add(change: Change): Promise<void> {
    switch (change.kind) {
      case "sweep-added":
        return this.#addSweep(change);
      case "sweep-changed":
        return this.#changeSweep(change);
      case "fuse-group-set":
        return this.#setFuseGroup(change);
      case "cells-added":
        return this.#addCells(change);
      case "cells-linked":
        return this.#linkCells(change);
      case "cell-changed":
        return this.#changeCell(change);
      case "cells-cancelled":
        return this.#setCellState(change.cellKeys, "cancelled");
      case "session-added":
        return this.#addSession(change);
      case "lease-granted":
        return this.#grantLease(change);
      case "attempt-ended":
        this.#attemptEnds.set(`${change.token}/${change.cellKey}`, change);
        return;
      case "lease-ended":
        return this.#endLease(change);
      case "result-committed":
        this.#results.push(change.result);
        return;
      case "finding-noted":
        return this.#noteFinding(change);
      case "metrics-appended":
        return this.#appendMetrics(change);
      case "logs-appended":
        return this.#appendLogs(change);
    }
  }

  /** Writes what was gathered. To be called once, last. */
  async finish(): Promise<void> {
    await this.#insert("result", this.#results.map(resultRow));
    await this.#setCellState(
      this.#results.map((result) => result.cellKey),
      "committed",
    );
    await this.#endAttempts();
    await this.#insert("metric_chunk", this.#chunks);
    await this.#insert("log_line", this.#lines);
  }

  async #addSweep({ sweep }: Of<"sweep-added">): Promise<void> {
    await this.#insert("sweep", [
      {
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
      },
    ]);
  }

  async #changeSweep(change: Of<"sweep-changed">): Promise<void> {
    await this.#db
      .updateTable("sweep")
      .set({
        state: change.state,
        finished_ms: change.finishedMs,
        expanded_to: change.expandedTo,
        expanded: Number(change.expanded),
      })
      .where("seq", "=", change.seq)
      .execute();
  }

  async #setFuseGroup({ fuseKey, bytesPerMember, flopsPerCell }: Of<"fuse-group-set">): Promise<void> {
    const figures = { bytes_per_member: bytesPerMember, flops_per_cell: flopsPerCell };
    await this.#db
      .insertInto("fuse_group")
      .values({ fuse_key: fuseKey, ...figures })
      .onConflict((conflict) => conflict.column("fuse_key").doUpdateSet(figures))
      .execute();
  }

  async #addCells({ cells }: Of<"cells-added">): Promise<void> {
    const configs = cells.map((cell) => ({ cell_id: cell.id as string, json: cell.configJson }));
    for (const rows of this.#split(configs)) {
      await this.#db
        .insertInto("config")
        .values(rows)
        .onConflict((conflict) => conflict.column("cell_id").doNothing())
        .execute();
    }
    await this.#insert(
      "cell",
      cells.map((cell) => ({
        cell_key: cell.key,
        cell_id: cell.id,
        scope: cell.scope,
        fuse_key: cell.fuseKey,
        state: "pending",
        reason: "",
        attempts: 0,
        lost: 0,
        failed: 0,
        oom: 0,
        width_limit: 0,
      })),
    );
  }

  async #linkCells({ sweepSeq, links }: Of<"cells-linked">): Promise<void> {
    await this.#insert(
      "sweep_cell",
      links.map((link) => ({
        sweep_seq: sweepSeq,
        grid_index: link.gridIndex,
        cell_key: link.cellKey,
        cached: Number(link.cached),
      })),
    );
  }

  async #changeCell({ cellKey, figures }: Of<"cell-changed">): Promise<void> {
    const { state, reason, lost, failed, oom, widthLimit } = figures;
    await this.#db
      .updateTable("cell")
      .set({ state, reason, lost, failed, oom, width_limit: widthLimit })
      .where("cell_key", "=", cellKey)
      .execute();
  }

  /** Keys of one sweep mostly follow one another: a run of them is one range. */
  async #setCellState(keys: readonly number[], state: "committed" | "cancelled"): Promise<void> {
    const { runs, single } = runsOf(keys);
    for (const { first, last } of runs) {
      await this.#updateState(state).where("cell_key", ">=", first).where("cell_key", "<=", last).execute();
    }
    for (let from = 0; from < single.length; from += this.#parametersMax / 2) {
      const part = single.slice(from, from + this.#parametersMax / 2);
      await this.#updateState(state).where("cell_key", "in", part).execute();
    }
  }

  #updateState(state: "committed" | "cancelled") {
    return this.#db.updateTable("cell").set({ state, reason: "" });
  }

  async #addSession({ seq, sessionId, workerId, seenMs }: Of<"session-added">): Promise<void> {
    await this.#insert("session", [{ seq, session_id: sessionId, worker_id: workerId, seen_ms: seenMs }]);
  }

  async #grantLease(change: Of<"lease-granted">): Promise<void> {
    const token = Number(change.token);
    await this.#insert("lease", [
      {
        token,
        worker_id: change.workerId,
        session_id: change.sessionId,
        fuse_key: change.fuseKey,
        width: change.cellKeys.length,
        granted_ms: change.grantedMs,
        ended: null,
        ended_ms: null,
      },
    ]);
    await this.#insert(
      "attempt",
      change.cellKeys.map((cell_key) => ({ token, cell_key, ended: null })),
    );
    await this.#db
      .updateTable("cell")
      .set((eb) => ({ attempts: eb("attempts", "+", 1) }))
      .where("cell_key", "in", change.cellKeys)
      .execute();
  }

  async #endAttempts(): Promise<void> {
    const byEnd = groupByEnd(this.#attemptEnds.values());
    for (const [ended, ends] of byEnd) {
      for (const part of this.#split(ends.map(({ token, cellKey }) => ({ token: Number(token), cellKey })))) {
        await this.#db
          .updateTable("attempt")
          .set({ ended })
          .where((eb): Expression<SqlBool> => {
            const pairs = part.map(({ token, cellKey }) => eb.tuple(token, cellKey));
            return eb(eb.refTuple("token", "cell_key"), "in", pairs);
          })
          .execute();
      }
    }
  }

  async #endLease({ token, ended, endedMs }: Of<"lease-ended">): Promise<void> {
    await this.#db.updateTable("lease").set({ ended, ended_ms: endedMs }).where("token", "=", Number(token)).execute();
  }

  async #noteFinding(change: Of<"finding-noted">): Promise<void> {
    const { cellKey, token, workerId, digest, json, notedMs } = change;
    await this.#db
      .insertInto("finding")
      .values({
        cell_key: cellKey,
        token: Number(token),
        worker_id: workerId,
        digest,
        json,
        noted_ms: notedMs,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async #appendMetrics(change: Of<"metrics-appended">): Promise<void> {
    await this.#moveStream(change, change.count);
    const { streamId, firstOffset, count, data } = change;
    this.#chunks.push({ stream_id: streamId, first_offset: firstOffset, count, data });
  }

  async #appendLogs(change: Of<"logs-appended">): Promise<void> {
    await this.#moveStream(change, change.lines.length);
    const { streamId, firstOffset, lines } = change;
    for (const [index, line] of lines.entries()) this.#lines.push(lineRow(streamId, firstOffset + index, line));
  }

  /** Moves the end of a stream from where the append says it stands, and from nowhere else. */
  async #moveStream(change: Of<"metrics-appended"> | Of<"logs-appended">, count: number): Promise<void> {
    const { stream, streamId, firstOffset } = change;
    if (firstOffset === 0) {
      const { kind, cellKey, token, sessionId } = stream;
      const row = { kind, cell_key: cellKey, token: Number(token), session_id: sessionId, next_offset: count };
      return this.#insert("stream", [{ stream_id: streamId, ...row }]);
    }
    const moved = await this.#db
      .updateTable("stream")
      .set({ next_offset: firstOffset + count })
      .where("stream_id", "=", streamId)
      .where("next_offset", "=", firstOffset)
      .executeTakeFirst();
    invariant(moved.numUpdatedRows === 1n, `stream ${streamId} does not end at ${firstOffset}`);
  }

  async #insert<T extends keyof Tables>(table: T, rows: readonly Insertable<Tables[T]>[]): Promise<void> {
    for (const part of this.#split(rows)) await this.#db.insertInto(table).values(part).execute();
  }

  /** Parts of as many rows as one statement can bind. */
  *#split<R extends object>(rows: readonly R[]): Generator<readonly R[]> {
    if (rows.length === 0) return;
    const size = Math.max(1, Math.floor(this.#parametersMax / Object.keys(rows[0]!).length));
    for (let from = 0; from < rows.length; from += size) yield rows.slice(from, from + size);
  }
}

function resultRow(result: ResultRecord): Insertable<Tables["result"]> {
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

function lineRow(streamId: number, place: number, line: LogLine): Insertable<Tables["log_line"]> {
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

function groupByEnd(ends: Iterable<Of<"attempt-ended">>): Map<string, Of<"attempt-ended">[]> {
  const groups = new Map<string, Of<"attempt-ended">[]>();
  for (const end of ends) {
    const group = groups.get(end.ended);
    if (group === undefined) groups.set(end.ended, [end]);
    else group.push(end);
  }
  return groups;
}

/** Shorter ones are cheaper in a list. */
const RUN_MIN = 8;

interface Runs {
  readonly runs: readonly { readonly first: number; readonly last: number }[];
  readonly single: readonly number[];
}

/** Ranges of consecutive keys, and the keys that are in none. */
function runsOf(keys: readonly number[]): Runs {
  const sorted = [...keys].sort((left, right) => left - right);
  const runs: { first: number; last: number }[] = [];
  const single: number[] = [];
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (sorted[to + 1] === sorted[to]! + 1) to += 1;
    if (to - from + 1 >= RUN_MIN) runs.push({ first: sorted[from]!, last: sorted[to]! });
    else single.push(...sorted.slice(from, to + 1));
    from = to + 1;
  }
  return { runs, single };
}
