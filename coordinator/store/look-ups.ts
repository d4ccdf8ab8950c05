/** Reads by key: one cell, attempt, stream or config, or a bounded list of them. */
import { sql, type Kysely } from "kysely";
import { asCellId, asWorkerId, type CellId, type LeaseToken } from "../../src/core/ids.ts";
import type { AttemptEnd, StoredCellState, StreamKey } from "./change.ts";
import type { ConfigParts } from "./config-parts.ts";
import { runsOf } from "./key-runs.ts";
import { NAME_CHARS } from "./narrow-cells.ts";
import { storedCell, storedCellQuery, withSweeps } from "./stored-cell.ts";
import type { KeyRange, StoredAttempt, StoredCell, StoredStream } from "./store.ts";
import type { Tables } from "./tables.ts";

export async function findCells(
  db: Kysely<Tables>,
  scope: string,
  ids: readonly CellId[],
): Promise<readonly StoredCell[]> {
  if (ids.length === 0) return [];
  const rows = await storedCellQuery(db)
    .innerJoin("cell_name", "cell_name.cell_key", "cell.cell_key")
    .where("cell_name.name", "in", ids.map(nameOf))
    .where("cell_name.scope", "=", scope)
    .execute();
  const asked = new Set<string>(ids);
  return withSweeps(db, rows.filter((row) => asked.has(row.cell_id)).map(storedCell));
}

export async function keysOf(db: Kysely<Tables>, sweepSeq: number): Promise<KeyRange | undefined> {
  const row = await db
    .selectFrom("sweep_cell")
    .select((eb) => [eb.fn.min("cell_key").as("first"), eb.fn.max("cell_key").as("last")])
    .where("sweep_seq", "=", sweepSeq)
    .executeTakeFirst();
  return row?.first == null ? undefined : { first: row.first, last: row.last };
}

/** A range, and no limit: a page then costs the same wherever it is, whatever a server takes the table to hold. */
export async function findCellsIn(
  db: Kysely<Tables>,
  sweepSeq: number,
  state: StoredCellState,
  { first, last }: KeyRange,
): Promise<readonly StoredCell[]> {
  const rows = await storedCellQuery(db)
    .where("cell.cell_key", ">=", first)
    .where("cell.cell_key", "<=", last)
    .where("cell.state", "=", state)
    .orderBy("cell.cell_key")
    .execute();
  const cells = await withSweeps(db, rows.map(storedCell));
  return cells.filter(({ sweeps }) => sweeps.includes(sweepSeq));
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

export async function readConfigs(
  db: Kysely<Tables>,
  parts: ConfigParts,
  keys: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (keys.length === 0) return new Map();
  const configs = db.selectFrom("config").select(["cell_key", "parts"]);
  const { runs, singles } = runsOf(keys);
  const [run] = runs;
  // The cells of a shard mostly follow one another. A statement with many keys takes as long to build as to run.
  const some =
    run !== undefined && runs.length === 1 && singles.length === 0
      ? configs.where("cell_key", ">=", run[0]).where("cell_key", "<=", run[1])
      : configs.where("cell_key", "in", keys);
  const rows = await some.execute();
  const texts = await parts.textsOf(
    db,
    rows.map((row) => row.parts),
  );
  return new Map(rows.map((row, index) => [row.cell_key, texts[index]!]));
}

export async function findCached(db: Kysely<Tables>, ids: readonly CellId[]): Promise<readonly CellId[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom("cell_name")
    .innerJoin("cell", "cell.cell_key", "cell_name.cell_key")
    .select("cell.cell_id")
    .where("cell_name.name", "in", ids.map(nameOf))
    .where("cell_name.scope", "=", sql.lit(""))
    .where("cell.state", "=", "committed")
    .execute();
  const asked = new Set<string>(ids);
  return rows.flatMap(({ cell_id }) => (asked.has(cell_id) ? asCellId(cell_id) : []));
}

const nameOf = (id: CellId): string => id.slice(0, NAME_CHARS);
