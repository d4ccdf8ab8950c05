/**
 * Writes new cells: their rows, their names, and their places in sweeps; of all writes the one that may be of a million rows.
 *
 * What it costs is pages. Names are random, so that each of them is on a page of its own but for those of one transaction, which
 * are written in their order. Names and places are made from the rows of the cells: to bind a value costs as much as to write it.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { sql, type Insertable, type Kysely } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import type { Change, LinkRun, NewCell } from "./change.ts";
import { int8 } from "./int8.ts";
import type { NewParts } from "./config-parts.ts";
import { NAME_CHARS } from "./narrow-cells.ts";
import type { RowWriter } from "./row-writer.ts";
import { sealOf } from "./seal.ts";
import type { Tables } from "./tables.ts";

type Added = Extract<Change, { readonly kind: "cells-added" }>;

export type SweepRun = LinkRun & { readonly sweepSeq: number };

/**
 * Cells that are written between two turns of the event loop, some 10 ms on SQLite: others have their turn, and wait for the
 * connection when they need it. Their rows are gone before V8 takes them for something that lasts.
 */
const CELLS_AT_ONCE = 2_048;

/** What their configurations add to `parts` is left to the caller. */
export async function writeNewCells(
  db: Kysely<Tables>,
  writer: RowWriter,
  parts: NewParts,
  added: readonly Added[],
): Promise<void> {
  let rows = new NewRows();
  for (const { scope, firstKey, cells } of added) {
    for (const [at, cell] of cells.entries()) {
      rows.add(firstKey + at, scope, cell, parts);
      if (rows.cells.length < CELLS_AT_ONCE) continue;
      await rows.insert(db, writer);
      rows = new NewRows();
      await nextTurn();
    }
  }
  await rows.insert(db, writer);
  for (const range of rangesOf(added)) await nameCells(db, range);
}

class NewRows {
  readonly configs: Insertable<Tables["config"]>[] = [];
  readonly cells: Insertable<Tables["cell"]>[] = [];

  add(key: number, scope: string, { id, arm, own }: NewCell, parts: NewParts): void {
    const config = { cell_key: key, parts: parts.listOf(arm, own), crc: 0 };
    config.crc = sealOf("config", config);
    this.configs.push(config);
    this.cells.push({
      cell_key: key,
      cell_id: id,
      scope,
      fuse_key: arm.fuseKey,
      state: "pending",
      reason: "",
      attempts: 0,
      lost: 0,
      failed: 0,
      oom: 0,
      width_limit: 0,
    });
  }

  async insert(db: Kysely<Tables>, writer: RowWriter): Promise<void> {
    await writer.insert(db, "config", this.configs, "fail");
    await writer.insert(db, "cell", this.cells, "fail");
  }
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Of their keys, which follow one another over several changes too. */
function rangesOf(added: readonly Added[]): readonly Range[] {
  const ranges: Range[] = [];
  for (const { firstKey, cells } of added) {
    const before = ranges.at(-1);
    const last = firstKey + cells.length - 1;
    if (before?.last === firstKey - 1) ranges[ranges.length - 1] = { first: before.first, last };
    else ranges.push({ first: firstKey, last });
  }
  return ranges;
}

async function nameCells(db: Kysely<Tables>, { first, last }: Range): Promise<void> {
  await sql`insert into cell_name (name, scope, cell_key)
    select substr(cell_id, 1, ${sql.lit(NAME_CHARS)}), scope, cell_key from cell
    where cell_key >= ${first} and cell_key <= ${last} order by 1`.execute(db);
  if (last - first >= CELLS_AT_ONCE) await nextTurn();
}

/** There are as many rows as it says, or the keys of the cells would not follow one another. */
export async function linkRuns(db: Kysely<Tables>, runs: readonly SweepRun[]): Promise<void> {
  for (const { sweepSeq, gridIndex, firstKey, lastKey, cached } of runs) {
    const { numAffectedRows } = await sql`insert into sweep_cell (sweep_seq, grid_index, cell_key, cached)
      select ${int8(sweepSeq)}, cell_key + ${int8(gridIndex - firstKey)}, cell_key, ${int8(Number(cached))}
      from cell where cell_key >= ${firstKey} and cell_key <= ${lastKey}`.execute(db);
    invariant(Number(numAffectedRows) === lastKey - firstKey + 1, `cells ${firstKey} to ${lastKey} are all there`);
    if (lastKey - firstKey >= CELLS_AT_ONCE) await nextTurn();
  }
}
