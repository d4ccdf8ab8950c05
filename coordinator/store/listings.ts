/** Pages of cells, metric chunks and log lines, each after a place. */
import { sql, type Expression, type Kysely, type Selectable, type SqlBool } from "kysely";
import { asCellId, asLeaseToken, asWorkerId } from "../../src/core/ids.ts";
import type { StoredCellState } from "./change.ts";
import type { ConfigParts } from "./config-parts.ts";
import { listOf } from "./list-text.ts";
import { NAME_CHARS } from "./narrow-cells.ts";
import type { CellQuery, CellRow, ChunkRow, FindingRow, LambdaExtremes, LogQuery, LogRow } from "./store.ts";
import type { Tables } from "./tables.ts";

export async function listCells(
  db: Kysely<Tables>,
  parts: ConfigParts,
  query: CellQuery,
  afterIndex: number,
  limit: number,
): Promise<readonly CellRow[]> {
  let select = db
    .selectFrom("sweep_cell as link")
    .innerJoin("cell", "cell.cell_key", "link.cell_key")
    .innerJoin("config", "config.cell_key", "link.cell_key")
    .leftJoin("result", "result.cell_key", "link.cell_key")
    .selectAll("cell")
    .select(["link.grid_index", "link.cached", "config.parts"])
    .select(["result.json as result_json", "result.worker_id", "result.committed_ms"])
    .where("link.sweep_seq", "=", query.sweepSeq)
    .where("link.grid_index", ">", afterIndex);
  if (query.states.length > 0) select = select.where("cell.state", "in", query.states);
  if (query.idPrefix !== "") select = whereIdBegins(select, query.idPrefix);
  const rows = await select.orderBy("link.grid_index").limit(limit).execute();
  const configs = await parts.textsOf(
    db,
    rows.map((row) => row.parts),
  );
  return rows.map((row, index) => ({
    gridIndex: row.grid_index,
    key: row.cell_key,
    id: asCellId(row.cell_id),
    scope: row.scope,
    state: row.state as StoredCellState,
    reason: row.reason,
    attempts: row.attempts,
    lost: row.lost,
    failed: row.failed,
    oom: row.oom,
    preempted: row.preempted,
    widthLimit: row.width_limit,
    triedOn: listOf(row.tried_on).map(asWorkerId),
    memoryAbove: row.memory_above,
    cached: row.cached === 1,
    configJson: configs[index]!,
    result:
      row.result_json === null
        ? undefined
        : { json: row.result_json, workerId: asWorkerId(row.worker_id ?? ""), committedMs: row.committed_ms ?? 0 },
  }));
}

/** Ids are hex digits, so a prefix is a range: of names, which are found at once, and then of the ids themselves. */
function whereIdBegins<Q extends { where(condition: Expression<SqlBool>): Q }>(query: Q, prefix: string): Q {
  const name = prefix.slice(0, NAME_CHARS);
  return query.where(
    sql<SqlBool>`cell.cell_key in (select cell_key from cell_name where name >= ${name} and name < ${`${name}g`})
      and cell.cell_id >= ${prefix} and cell.cell_id < ${`${prefix}g`}`,
  );
}

export async function listChunks(
  db: Kysely<Tables>,
  sweepSeq: number,
  idPrefix: string,
  after: Pick<ChunkRow, "gridIndex" | "firstOffset">,
  limit: number,
): Promise<readonly ChunkRow[]> {
  let select = db
    .selectFrom("sweep_cell as link")
    .innerJoin("cell", "cell.cell_key", "link.cell_key")
    .innerJoin("result", "result.cell_key", "link.cell_key")
    .innerJoin("stream", (join) =>
      join.onRef("stream.cell_key", "=", "link.cell_key").onRef("stream.token", "=", "result.token"),
    )
    .innerJoin("metric_chunk as chunk", "chunk.stream_id", "stream.stream_id")
    .select(["link.grid_index", "cell.cell_id", "chunk.first_offset", "chunk.data"])
    .where("link.sweep_seq", "=", sweepSeq)
    .where("stream.kind", "=", "metrics")
    .where("link.grid_index", ">=", after.gridIndex)
    .where((eb) =>
      eb.or([eb("link.grid_index", ">", after.gridIndex), eb("chunk.first_offset", ">", after.firstOffset)]),
    );
  if (idPrefix !== "") select = whereIdBegins(select, idPrefix);
  const rows = await select.orderBy("link.grid_index").orderBy("chunk.first_offset").limit(limit).execute();
  return rows.map((row) => ({
    gridIndex: row.grid_index,
    cellId: asCellId(row.cell_id),
    firstOffset: row.first_offset,
    data: row.data,
  }));
}

/** Places of log lines, both ends left out. */
interface LogSpan {
  readonly afterSeq: number | undefined;
  readonly beforeSeq: number | undefined;
  readonly order: "asc" | "desc";
}

/** The id of a cell in full. */
const ID_CHARS = 64;

export async function listLogs(
  db: Kysely<Tables>,
  query: LogQuery,
  { afterSeq, beforeSeq, order }: LogSpan,
  limit: number,
): Promise<readonly LogRow[]> {
  const { sweepSeq, cellIdPrefix } = query;
  let select = db
    .selectFrom("log_line as line")
    .leftJoin("cell", "cell.cell_key", "line.cell_key")
    .selectAll("line")
    .select("cell.cell_id")
    .where("line.level", ">=", query.minLevel);
  if (sweepSeq !== undefined) {
    // A look-up a line: a list of the sweep's cells would be a million long.
    select = select.where((eb) =>
      eb.exists(
        eb
          .selectFrom("sweep_cell as link")
          .select("link.cell_key")
          .whereRef("link.cell_key", "=", "line.cell_key")
          .where("link.sweep_seq", "=", sweepSeq),
      ),
    );
  }
  if (cellIdPrefix.length >= ID_CHARS) select = select.where("cell.cell_id", "=", cellIdPrefix);
  else if (cellIdPrefix !== "") {
    // Not by the index of the ids: a short prefix names cells without number, a span of lines is bounded.
    const id = sql<string>`cell.cell_id || ''`;
    select = select.where(id, ">=", cellIdPrefix).where(id, "<", `${cellIdPrefix}g`);
  }
  if (query.workerId !== "") select = select.where("line.worker_id", "=", query.workerId);
  if (query.sinceMs > 0) select = select.where("line.time_ms", ">=", query.sinceMs);
  if (afterSeq !== undefined) select = select.where("line.seq", ">", afterSeq);
  if (beforeSeq !== undefined) select = select.where("line.seq", "<", beforeSeq);
  select = select.orderBy("line.seq", order);
  const rows = await select.limit(limit).execute();
  return rows.map((row) => logRow(row, row.cell_id ?? ""));
}

export async function lastLines(db: Kysely<Tables>, cellKey: number, limit: number): Promise<readonly LogRow[]> {
  const rows = await db
    .selectFrom("log_line")
    .selectAll()
    .where("cell_key", "=", cellKey)
    .orderBy("seq", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => logRow(row, "")).toReversed();
}

function logRow(row: Selectable<Tables["log_line"]>, cellId: string): LogRow {
  return {
    seq: row.seq,
    workerId: row.worker_id,
    cellId,
    token: asLeaseToken(BigInt(row.token)),
    timeMs: row.time_ms,
    level: row.level,
    message: row.message,
    fieldsJson: row.fields_json,
  };
}

export async function lambdaExtremes(db: Kysely<Tables>, sweepSeq: number): Promise<LambdaExtremes> {
  const one = async (order: "asc" | "desc") => {
    const row = await db
      .selectFrom("sweep_cell as link")
      .innerJoin("result", "result.cell_key", "link.cell_key")
      .innerJoin("cell", "cell.cell_key", "link.cell_key")
      .select(["cell.cell_id", "result.lambda_hat", "result.test_loss"])
      .where("link.sweep_seq", "=", sweepSeq)
      .where("result.verdict", "=", "ok")
      .where("result.lambda_hat", "is not", null)
      .orderBy("result.lambda_hat", order)
      .orderBy("link.grid_index")
      .limit(1)
      .executeTakeFirst();
    if (row === undefined || row.lambda_hat === null) return undefined;
    return { cellId: asCellId(row.cell_id), lambdaHat: row.lambda_hat, testLoss: row.test_loss };
  };
  return { lowest: await one("asc"), highest: await one("desc") };
}

export async function listFindings(db: Kysely<Tables>): Promise<readonly FindingRow[]> {
  const rows = await db
    .selectFrom("finding")
    .innerJoin("cell", "cell.cell_key", "finding.cell_key")
    .select(["cell.cell_id", "finding.token", "finding.worker_id", "finding.digest"])
    .orderBy("finding.noted_ms")
    .execute();
  return rows.map((row) => ({
    cellId: asCellId(row.cell_id),
    token: asLeaseToken(BigInt(row.token)),
    workerId: asWorkerId(row.worker_id),
    digest: row.digest,
  }));
}
