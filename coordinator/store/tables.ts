/**
 * The tables, as Kysely sees them, and their migrations, for both dialects. Times are epoch milliseconds. Booleans are 0/1.
 *
 * What the database itself makes true:
 * - one cell per (content id, scope) and one result per cell: `cell_name` and `result` primary keys;
 * - a token is granted once: `lease` primary key; an attempt is one (token, cell);
 * - offsets are contiguous: a stream's end moves only from where it stands (compare and set), chunks are unique by start;
 * - a grid index of a sweep is one cell, and a cell is in a sweep once.
 */
import { sql, type ColumnDataType, type Generated, type Kysely, type RawBuilder } from "kysely";
import { narrowCells } from "./narrow-cells.ts";

/** See seal.ts; null: the row is older than the seals. */
type Seal = Generated<number | null>;

export interface Tables {
  meta: { name: string; value: string };
  /** One row: who may write. */
  leader: {
    one: number;
    /** Grows with every coordinator that begins to lead. */
    epoch: number;
    /** Where it serves; "": nobody leads. */
    address: string;
    /** Grows with every sign of life of the leader. */
    beat: number;
  };
  sweep: {
    seq: number;
    sweep_id: string;
    name: string;
    scope: string;
    state: string;
    spec_text: string;
    file_name: string;
    created_ms: number;
    finished_ms: number | null;
    expanded_to: number;
    expanded: number;
    paused: Generated<string>;
    priority: Generated<number>;
    max_workers: Generated<number>;
    /** JSON list of texts; "": none. */
    require_json: Generated<string>;
    submitter: Generated<string>;
    crc: Seal;
  };
  fuse_group: { fuse_key: string; bytes_per_member: number; flops_per_cell: number };
  /** See config-parts.ts. */
  config: { cell_key: number; parts: string; crc: Seal };
  config_part: { part_id: number; text: string; crc: Seal };
  /** Which cell an id means in a scope: by the first NAME_CHARS of it. */
  cell_name: { name: string; scope: string; cell_key: number };
  cell: {
    cell_key: number;
    cell_id: string;
    scope: string;
    fuse_key: string;
    state: string;
    reason: string;
    attempts: number;
    lost: number;
    failed: number;
    oom: number;
    width_limit: number;
    preempted: Generated<number>;
    /** JSON list of worker ids; "": none. */
    tried_on: Generated<string>;
    memory_above: Generated<number>;
  };
  sweep_cell: { sweep_seq: number; grid_index: number; cell_key: number; cached: number };
  session: { seq: number; session_id: string; worker_id: string; seen_ms: number };
  /** Workers that get no cells, and those that did not for a while. */
  broken_worker: { worker_id: string; reason: string; times: number };
  lease: {
    token: number;
    worker_id: string;
    session_id: string;
    fuse_key: string;
    width: number;
    granted_ms: number;
    ended: string | null;
    ended_ms: number | null;
  };
  attempt: { token: number; cell_key: number; ended: string | null };
  result: {
    cell_key: number;
    token: number;
    worker_id: string;
    digest: string;
    json: string;
    diverged: number;
    verdict: string;
    lambda_hat: number | null;
    test_loss: number | null;
    committed_ms: number;
    crc: Seal;
  };
  finding: {
    cell_key: number;
    token: number;
    worker_id: string;
    digest: string;
    json: string;
    noted_ms: number;
    crc: Seal;
  };
  stream: {
    stream_id: number;
    kind: string;
    cell_key: number;
    token: number;
    session_id: string;
    next_offset: number;
  };
  metric_chunk: { stream_id: number; first_offset: number; count: number; data: Uint8Array; crc: Seal };
  log_line: {
    seq: number;
    stream_id: number;
    place: number;
    worker_id: string;
    cell_key: number;
    token: number;
    time_ms: number;
    level: number;
    message: string;
    fields_json: string;
    crc: Seal;
  };
}

/** The column types that differ by dialect. */
export interface DialectTypes {
  readonly dialect: "sqlite" | "postgres";
  /** 64-bit integer. */
  readonly int8: ColumnDataType;
  readonly bytes: ColumnDataType;
  /** Text that is compared byte by byte, whatever the language of the database. */
  readonly id: ColumnDataType | RawBuilder<string>;
}

type Migration = (db: Kysely<Tables>, types: DialectTypes) => Promise<void>;

/** In order; a store's schema version is how many of them it has seen. Never edit one that was released: add one. */
export const MIGRATIONS: readonly Migration[] = [
  async (db, types) => {
    await createSweeps(db, types);
    await createCells(db, types);
    await createLeases(db, types);
    await createResults(db, types);
    await createStreams(db, types);
  },
  async (db, types) => {
    await createLeader(db, types);
    await addSeals(db, types);
  },
  addSteering,
  narrowCells,
];

async function addSteering(db: Kysely<Tables>, { int8, id }: DialectTypes): Promise<void> {
  const texts = { sweep: ["paused", "require_json", "submitter"], cell: ["tried_on"] } as const;
  const counts = { sweep: ["priority", "max_workers"], cell: ["preempted"] } as const;
  for (const table of ["sweep", "cell"] as const) {
    for (const name of texts[table]) await addColumn(db, table, name, "text", "");
    for (const name of counts[table]) await addColumn(db, table, name, "integer", 0);
  }
  await addColumn(db, "cell", "memory_above", int8, 0);
  await db.schema
    .createTable("broken_worker")
    .addColumn("worker_id", id, (column) => column.primaryKey())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("times", "integer", (column) => column.notNull())
    .execute();
}

/** Of rows that are there already it has the default. Neither dialect rewrites them for it. */
async function addColumn(
  db: Kysely<Tables>,
  table: "sweep" | "cell",
  name: string,
  type: ColumnDataType,
  value: string | number,
): Promise<void> {
  await db.schema
    .alterTable(table)
    .addColumn(name, type, (column) => column.notNull().defaultTo(value))
    .execute();
}

async function addSeals(db: Kysely<Tables>, { int8 }: DialectTypes): Promise<void> {
  for (const table of ["sweep", "config", "result", "finding", "metric_chunk", "log_line"] as const) {
    await db.schema.alterTable(table).addColumn("crc", int8).execute();
  }
}

/** An epoch was a row of `meta` before. */
async function createLeader(db: Kysely<Tables>, { int8 }: DialectTypes): Promise<void> {
  await db.schema
    .createTable("leader")
    .addColumn("one", "integer", (column) => column.primaryKey().check(sql`one = 1`))
    .addColumn("epoch", int8, (column) => column.notNull())
    .addColumn("address", "text", (column) => column.notNull())
    .addColumn("beat", int8, (column) => column.notNull())
    .execute();
  const before = await db.selectFrom("meta").select("value").where("name", "=", "epoch").executeTakeFirst();
  await db
    .insertInto("leader")
    .values({ one: 1, epoch: Number(before?.value ?? 0), address: "", beat: 0 })
    .execute();
  await db.deleteFrom("meta").where("name", "=", "epoch").execute();
}

async function createSweeps(db: Kysely<Tables>, { int8 }: DialectTypes): Promise<void> {
  await db.schema
    .createTable("sweep")
    .addColumn("seq", int8, (column) => column.primaryKey())
    .addColumn("sweep_id", "text", (column) => column.notNull().unique())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("spec_text", "text", (column) => column.notNull())
    .addColumn("file_name", "text", (column) => column.notNull())
    .addColumn("created_ms", int8, (column) => column.notNull())
    .addColumn("finished_ms", int8)
    .addColumn("expanded_to", int8, (column) => column.notNull())
    .addColumn("expanded", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("sweep_cell")
    .addColumn("sweep_seq", int8, (column) => column.notNull().references("sweep.seq"))
    .addColumn("grid_index", int8, (column) => column.notNull())
    .addColumn("cell_key", int8, (column) => column.notNull())
    .addColumn("cached", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("sweep_cell_pk", ["sweep_seq", "grid_index"])
    .addUniqueConstraint("sweep_cell_once", ["cell_key", "sweep_seq"])
    .execute();
}

async function createCells(db: Kysely<Tables>, { int8, id }: DialectTypes): Promise<void> {
  await db.schema
    .createTable("fuse_group")
    .addColumn("fuse_key", "text", (column) => column.primaryKey())
    .addColumn("bytes_per_member", "double precision", (column) => column.notNull())
    .addColumn("flops_per_cell", "double precision", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("config")
    .addColumn("cell_id", id, (column) => column.primaryKey())
    .addColumn("json", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("cell")
    .addColumn("cell_key", int8, (column) => column.primaryKey())
    .addColumn("cell_id", id, (column) => column.notNull())
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("fuse_key", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("lost", "integer", (column) => column.notNull())
    .addColumn("failed", "integer", (column) => column.notNull())
    .addColumn("oom", "integer", (column) => column.notNull())
    .addColumn("width_limit", "integer", (column) => column.notNull())
    .addUniqueConstraint("cell_once", ["cell_id", "scope"])
    .addCheckConstraint("cell_explained", sql`state <> 'quarantined' or reason <> ''`)
    .execute();
  await sql`create index cell_pending on cell (cell_key) where state = 'pending'`.execute(db);
}

async function createLeases(db: Kysely<Tables>, { int8 }: DialectTypes): Promise<void> {
  await db.schema
    .createTable("session")
    .addColumn("seq", int8, (column) => column.primaryKey())
    .addColumn("session_id", "text", (column) => column.notNull().unique())
    .addColumn("worker_id", "text", (column) => column.notNull())
    .addColumn("seen_ms", int8, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("lease")
    .addColumn("token", int8, (column) => column.primaryKey())
    .addColumn("worker_id", "text", (column) => column.notNull())
    .addColumn("session_id", "text", (column) => column.notNull())
    .addColumn("fuse_key", "text", (column) => column.notNull())
    .addColumn("width", "integer", (column) => column.notNull())
    .addColumn("granted_ms", int8, (column) => column.notNull())
    .addColumn("ended", "text")
    .addColumn("ended_ms", int8)
    .execute();
  await sql`create index lease_open on lease (token) where ended is null`.execute(db);
  await db.schema
    .createTable("attempt")
    .addColumn("token", int8, (column) => column.notNull().references("lease.token"))
    .addColumn("cell_key", int8, (column) => column.notNull().references("cell.cell_key"))
    .addColumn("ended", "text")
    .addPrimaryKeyConstraint("attempt_pk", ["token", "cell_key"])
    .execute();
}

async function createResults(db: Kysely<Tables>, { int8 }: DialectTypes): Promise<void> {
  await db.schema
    .createTable("result")
    .addColumn("cell_key", int8, (column) => column.primaryKey().references("cell.cell_key"))
    .addColumn("token", int8, (column) => column.notNull())
    .addColumn("worker_id", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("json", "text", (column) => column.notNull())
    .addColumn("diverged", "integer", (column) => column.notNull())
    .addColumn("verdict", "text", (column) => column.notNull())
    .addColumn("lambda_hat", "double precision")
    .addColumn("test_loss", "double precision")
    .addColumn("committed_ms", int8, (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("finding")
    .addColumn("cell_key", int8, (column) => column.notNull().references("cell.cell_key"))
    .addColumn("token", int8, (column) => column.notNull())
    .addColumn("worker_id", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("json", "text", (column) => column.notNull())
    .addColumn("noted_ms", int8, (column) => column.notNull())
    .addPrimaryKeyConstraint("finding_pk", ["cell_key", "token", "digest"])
    .execute();
}

async function createStreams(db: Kysely<Tables>, { int8, bytes }: DialectTypes): Promise<void> {
  await db.schema
    .createTable("stream")
    .addColumn("stream_id", int8, (column) => column.primaryKey())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("cell_key", int8, (column) => column.notNull())
    .addColumn("token", int8, (column) => column.notNull())
    .addColumn("session_id", "text", (column) => column.notNull())
    .addColumn("next_offset", int8, (column) => column.notNull())
    .addUniqueConstraint("stream_once", ["cell_key", "token", "session_id", "kind"])
    .execute();
  await db.schema
    .createTable("metric_chunk")
    .addColumn("stream_id", int8, (column) => column.notNull().references("stream.stream_id"))
    .addColumn("first_offset", int8, (column) => column.notNull())
    .addColumn("count", "integer", (column) => column.notNull())
    .addColumn("data", bytes, (column) => column.notNull())
    .addPrimaryKeyConstraint("metric_chunk_pk", ["stream_id", "first_offset"])
    .addCheckConstraint("metric_chunk_some", sql`count > 0`)
    .execute();
  await db.schema
    .createTable("log_line")
    .addColumn("seq", int8, (column) => column.primaryKey())
    .addColumn("stream_id", int8, (column) => column.notNull().references("stream.stream_id"))
    .addColumn("place", int8, (column) => column.notNull())
    .addColumn("worker_id", "text", (column) => column.notNull())
    .addColumn("cell_key", int8, (column) => column.notNull())
    .addColumn("token", int8, (column) => column.notNull())
    .addColumn("time_ms", int8, (column) => column.notNull())
    .addColumn("level", "integer", (column) => column.notNull())
    .addColumn("message", "text", (column) => column.notNull())
    .addColumn("fields_json", "text", (column) => column.notNull())
    .addUniqueConstraint("log_line_once", ["stream_id", "place"])
    .execute();
  await db.schema.createIndex("log_line_cell").on("log_line").columns(["cell_key", "seq"]).execute();
}
