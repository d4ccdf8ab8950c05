/** Reads by key: one cell, attempt, stream or config, or a bounded list of them. */
import { sql, type Kysely } from "kysely";
import { asCellId, asWorkerId, type CellId, type LeaseToken } from "../../src/core/ids.ts";
import type { AttemptEnd, StoredCellState, StreamKey } from "./change.ts";
import { storedCell, storedCellQuery, withSweeps } from "./stored-cell.ts";
import type { StoredAttempt, StoredCell, StoredStream } from "./store.ts";
import type { Tables } from "./tables.ts";

export async function findCells(
  db: Kysely<Tables>,
  scope: string,
  ids: readonly CellId[],
): Promise<readonly StoredCell[]> {
  if (ids.length === 0) return [];
  const rows = await storedCellQuery(db).where("cell.cell_id", "in", ids).where("cell.scope", "=", scope).execute();
  return withSweeps(db, rows.map(storedCell));
}

export async function findCellsIn(
  db: Kysely<Tables>,
  sweepSeq: number,
  state: StoredCellState,
  afterKey: number,
  limit: number,
): Promise<readonly StoredCell[]> {
  const rows = await storedCellQuery(db)
    .where("cell.cell_key", "in", (eb) =>
      eb.selectFrom("sweep_cell").select("cell_key").where("sweep_seq", "=", sweepSeq),
    )
    .where("cell.state", "=", state)
    .where("cell.cell_key", ">", afterKey)
    .orderBy("cell.cell_key")
    .limit(limit)
    .execute();
  return withSweeps(db, rows.map(storedCell));
}

export async function findAttempt(
  db: Kysely<Tables>,
  token: LeaseToken,
  cellId: CellId,
): Promise<StoredAttempt | undefined> {
  const row = await storedCellQuery(db)
    .innerJoin("attempt", "attempt.cell_key", "cell.cell_key")
    .innerJoin("lease", "lease.token", "attempt.token")
    .select(["attempt.ended", "lease.worker_id"])
    .where("attempt.token", "=", Number(token))
    .where("cell.cell_id", "=", cellId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const [cell] = await withSweeps(db, [storedCell(row)]);
  return { workerId: asWorkerId(row.worker_id), ended: row.ended as AttemptEnd | null, cell: cell! };
}

export async function findStream(db: Kysely<Tables>, stream: StreamKey): Promise<StoredStream | undefined> {
  const row = await db
    .selectFrom("stream")
    .select(["stream_id", "next_offset"])
    .where("cell_key", "=", stream.cellKey)
    .where("token", "=", Number(stream.token))
    .where("session_id", "=", stream.sessionId)
    .where("kind", "=", stream.kind)
    .executeTakeFirst();
  return row === undefined ? undefined : { streamId: row.stream_id, nextOffset: row.next_offset };
}

export async function readConfigs(db: Kysely<Tables>, ids: readonly CellId[]): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom("config").selectAll().where("cell_id", "in", ids).execute();
  return new Map(rows.map((row) => [row.cell_id, row.json]));
}

export async function findCached(db: Kysely<Tables>, ids: readonly CellId[]): Promise<readonly CellId[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom("cell")
    .select("cell_id")
    .where("cell_id", "in", ids)
    .where("scope", "=", sql.lit(""))
    .where("state", "=", "committed")
    .execute();
  return rows.map((row) => asCellId(row.cell_id));
}
