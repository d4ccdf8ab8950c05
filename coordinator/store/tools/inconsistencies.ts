/**
 * What rows must say together and no constraint of the database can: each a query that gives the keys of those that do not.
 * `not exists` and never `not in (select ...)`, which PostgreSQL answers row by row once the list outgrows its work_mem.
 */
import { sql, type RawBuilder } from "kysely";

export interface Inconsistency {
  readonly where: string;
  readonly what: string;
  readonly rows: RawBuilder<unknown>;
}

export const INCONSISTENCIES: readonly Inconsistency[] = [
  {
    where: "cell",
    what: "its state is none",
    rows: sql`select cell_key from cell where state not in ('pending', 'committed', 'quarantined', 'cancelled')`,
  },
  {
    where: "cell",
    what: "it counts as committed and has no result",
    rows: sql`select cell_key from cell where state = 'committed'
      and not exists (select 1 from result where result.cell_key = cell.cell_key)`,
  },
  {
    where: "result",
    what: "its cell does not count as committed",
    rows: sql`select result.cell_key from result left join cell on cell.cell_key = result.cell_key
      where cell.state is null or cell.state <> 'committed'`,
  },
  {
    where: "cell",
    what: "it was granted another number of times than it says",
    rows: sql`select cell.cell_key from cell
      left join (select cell_key, count(*) as granted from attempt group by cell_key) as known on known.cell_key = cell.cell_key
      where coalesce(known.granted, 0) <> cell.attempts`,
  },
  {
    where: "cell",
    what: "it has no configuration",
    rows: sql`select cell_key from cell
      where not exists (select 1 from config where config.cell_key = cell.cell_key)`,
  },
  {
    where: "cell",
    what: "it is not found by its id",
    rows: sql`select cell.cell_key from cell
      left join cell_name on cell_name.name = substr(cell.cell_id, 1, 20) and cell_name.scope = cell.scope
      where cell_name.cell_key is null or cell_name.cell_key <> cell.cell_key`,
  },
  {
    where: "sweep_cell",
    what: "it names a sweep or a cell that is not there",
    rows: sql`select sweep_seq, grid_index from sweep_cell
      left join sweep on sweep.seq = sweep_cell.sweep_seq left join cell on cell.cell_key = sweep_cell.cell_key
      where sweep.seq is null or cell.cell_key is null`,
  },
  {
    where: "sweep",
    what: "its state is none",
    rows: sql`select seq from sweep where state not in ('running', 'finished', 'cancelled')`,
  },
  {
    where: "stream",
    what: "its records are not as many as it says",
    rows: sql`select stream.stream_id from stream
      left join (select stream_id, sum(count) as n, max(first_offset + count) as end_offset from metric_chunk group by stream_id)
        as chunks on chunks.stream_id = stream.stream_id
      left join (select stream_id, count(*) as n, max(place) + 1 as end_offset from log_line group by stream_id)
        as lines on lines.stream_id = stream.stream_id
      where coalesce(chunks.n, lines.n, 0) <> stream.next_offset
        or coalesce(chunks.end_offset, lines.end_offset, 0) <> stream.next_offset`,
  },
  {
    where: "attempt",
    what: "it goes on and its lease has ended",
    rows: sql`select attempt.token, attempt.cell_key from attempt join lease on lease.token = attempt.token
      where attempt.ended is null and lease.ended is not null`,
  },
];
