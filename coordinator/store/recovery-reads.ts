/** What a coordinator's memory is rebuilt from after a start. */
import { sql, type Kysely } from "kysely";
import { asFuseKey, asLeaseToken, asSessionId, asSweepId, asWorkerId } from "../../src/core/ids.ts";
import type { StoredCellState, SweepRecord, SweepState } from "./change.ts";
import { listOf } from "./list-text.ts";
import type { BrokenWorker, Counters, StoredCounts, StoredFuseGroup, StoredLease, StoredSession } from "./store.ts";
import type { Tables } from "./tables.ts";

export async function loadCounters(db: Kysely<Tables>): Promise<Counters> {
  const after = async (table: "lease" | "cell" | "sweep" | "session" | "stream" | "log_line", column: string) => {
    const row = await db
      .selectFrom(table)
      .select(sql<number | null>`max(${sql.ref(column)})`.as("last"))
      .executeTakeFirstOrThrow();
    return (row.last ?? 0) + 1;
  };
  return {
    nextToken: await after("lease", "token"),
    nextCellKey: await after("cell", "cell_key"),
    nextSweepSeq: await after("sweep", "seq"),
    nextSessionSeq: await after("session", "seq"),
    nextStreamId: await after("stream", "stream_id"),
    nextLogSeq: await after("log_line", "seq"),
  };
}

export async function nextPartId(db: Kysely<Tables>): Promise<number> {
  const { last } = await db
    .selectFrom("config_part")
    .select(({ fn }) => fn.max<number | null>("part_id").as("last"))
    .executeTakeFirstOrThrow();
  return (last ?? 0) + 1;
}

export async function loadSweeps(db: Kysely<Tables>): Promise<readonly SweepRecord[]> {
  const rows = await db.selectFrom("sweep").selectAll().orderBy("seq").execute();
  return rows.map((row) => ({
    seq: row.seq,
    id: asSweepId(row.sweep_id),
    name: row.name,
    scope: row.scope,
    state: row.state as SweepState,
    specText: row.spec_text,
    fileName: row.file_name,
    createdMs: row.created_ms,
    finishedMs: row.finished_ms,
    expandedTo: row.expanded_to,
    expanded: row.expanded === 1,
    paused: row.paused,
    priority: row.priority,
    maxWorkers: row.max_workers,
    require: listOf(row.require_json),
    submitter: row.submitter,
  }));
}

export async function loadCounts(db: Kysely<Tables>): Promise<readonly StoredCounts[]> {
  const rows = await db
    .selectFrom("cell")
    // The sign keeps SQLite from going through the links of every pending cell: it is to begin with the cells, and few have ended.
    .innerJoin("sweep_cell as link", (join) => join.on("link.cell_key", "=", sql`+cell.cell_key`))
    .leftJoin("result", "result.cell_key", "link.cell_key")
    .select(({ fn }) => [
      "link.sweep_seq",
      "link.cached",
      "cell.state",
      fn.coalesce("result.diverged", sql<number>`0`).as("diverged"),
      fn.countAll<number>().as("count"),
      fn.sum<number>("cell.lost").as("lost"),
      fn.sum<number>("cell.failed").as("failed"),
      fn.sum<number>("cell.oom").as("oom"),
      fn.sum<number>("cell.preempted").as("preempted"),
    ])
    .where("cell.state", "<>", "pending")
    .groupBy((eb) => ["link.sweep_seq", "link.cached", "cell.state", eb.fn.coalesce("result.diverged", sql<number>`0`)])
    .execute();
  return rows.map((row) => ({
    sweepSeq: row.sweep_seq,
    state: row.state as StoredCellState,
    diverged: row.diverged === 1,
    cached: row.cached === 1,
    count: row.count,
    faults: { lost: row.lost, failed: row.failed, oom: row.oom, preempted: row.preempted },
  }));
}

export async function loadFuseGroups(db: Kysely<Tables>): Promise<readonly StoredFuseGroup[]> {
  const rows = await db.selectFrom("fuse_group").selectAll().execute();
  return rows.map((row) => ({
    fuseKey: asFuseKey(row.fuse_key),
    bytesPerMember: row.bytes_per_member,
    flopsPerCell: row.flops_per_cell,
  }));
}

export async function loadOpenLeases(db: Kysely<Tables>): Promise<readonly StoredLease[]> {
  const leases = await db.selectFrom("lease").selectAll().where("ended", "is", null).orderBy("token").execute();
  const attempts = await db
    .selectFrom("attempt")
    .innerJoin("lease", "lease.token", "attempt.token")
    .select(["attempt.token", "attempt.cell_key"])
    .where("lease.ended", "is", null)
    .where("attempt.ended", "is", null)
    .orderBy("attempt.token")
    .orderBy("attempt.cell_key")
    .execute();
  const openCells = new Map<number, number[]>(leases.map((lease) => [lease.token, []]));
  for (const { token, cell_key } of attempts) openCells.get(token)?.push(cell_key);
  return leases.map((row) => ({
    token: asLeaseToken(BigInt(row.token)),
    workerId: asWorkerId(row.worker_id),
    sessionId: asSessionId(row.session_id),
    fuseKey: asFuseKey(row.fuse_key),
    width: row.width,
    openCells: openCells.get(row.token) ?? [],
  }));
}

export async function loadBrokenWorkers(db: Kysely<Tables>): Promise<readonly BrokenWorker[]> {
  const rows = await db.selectFrom("broken_worker").selectAll().where("reason", "<>", "").execute();
  return rows.map(({ worker_id, reason, times }) => ({ workerId: asWorkerId(worker_id), reason, times }));
}

export async function loadSessions(db: Kysely<Tables>, limit: number): Promise<readonly StoredSession[]> {
  const rows = await db.selectFrom("session").selectAll().orderBy("seq", "desc").limit(limit).execute();
  return rows
    .map((row) => ({ seq: row.seq, sessionId: asSessionId(row.session_id), workerId: asWorkerId(row.worker_id) }))
    .toReversed();
}

export async function loadCommitCounts(db: Kysely<Tables>): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom("result")
    .select(({ fn }) => ["worker_id", fn.countAll<number>().as("count")])
    .groupBy("worker_id")
    .execute();
  return new Map(rows.map((row) => [row.worker_id, row.count]));
}
