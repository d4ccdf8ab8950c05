/** A cell's row with what belongs to it, as several reads need it. */
import type { Kysely, Selectable } from "kysely";
import { asCellId, asFuseKey, asWorkerId } from "../../src/core/ids.ts";
import type { StoredCellState } from "./change.ts";
import { listOf } from "./list-text.ts";
import type { StoredCell } from "./store.ts";
import type { Tables } from "./tables.ts";

/** A cell and, when there is one, its result's digest; to be narrowed by the caller. */
export function storedCellQuery(db: Kysely<Tables>) {
  return db
    .selectFrom("cell")
    .leftJoin("result", "result.cell_key", "cell.cell_key")
    .select([
      "cell.cell_key",
      "cell.cell_id",
      "cell.scope",
      "cell.fuse_key",
      "cell.state",
      "cell.reason",
      "cell.attempts",
      "cell.lost",
      "cell.failed",
      "cell.oom",
      "cell.width_limit",
      "cell.preempted",
      "cell.tried_on",
      "cell.memory_above",
      "result.digest",
      "result.diverged",
    ]);
}

type StoredCellRow = Selectable<Tables["cell"]> & {
  readonly digest: string | null;
  readonly diverged: number | null;
};

/** Without its sweeps. */
export function storedCell(row: StoredCellRow): StoredCell {
  return {
    key: row.cell_key,
    id: asCellId(row.cell_id),
    scope: row.scope,
    fuseKey: asFuseKey(row.fuse_key),
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
    digest: row.digest ?? "",
    diverged: row.diverged === 1,
    sweeps: [],
  };
}

/** The same cells with the sweeps that contain them. */
export async function withSweeps(db: Kysely<Tables>, cells: readonly StoredCell[]): Promise<readonly StoredCell[]> {
  if (cells.length === 0) return cells;
  const keys = cells.map((cell) => cell.key);
  const links = await db
    .selectFrom("sweep_cell")
    .select(["cell_key", "sweep_seq"])
    .where("cell_key", "in", keys)
    .orderBy("cell_key")
    .orderBy("sweep_seq")
    .execute();
  return joinSweeps(cells, links);
}

/** @param links in the order of sweeps; of other cells as well */
export function joinSweeps(
  cells: readonly StoredCell[],
  links: readonly Pick<Tables["sweep_cell"], "cell_key" | "sweep_seq">[],
): readonly StoredCell[] {
  const sweeps = new Map<number, number[]>(cells.map((cell) => [cell.key, []]));
  for (const { cell_key, sweep_seq } of links) sweeps.get(cell_key)?.push(sweep_seq);
  return cells.map((cell) => ({ ...cell, sweeps: sweeps.get(cell.key) ?? [] }));
}
