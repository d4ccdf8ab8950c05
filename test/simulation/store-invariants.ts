/** What must hold of the store, at any moment: after a crash, after a restart, at the end. */
import { sql } from "kysely";
import { decodeChunk } from "../../coordinator/ingest/metric-chunk.ts";
import type { Store } from "../../coordinator/store/store.ts";
import { INCONSISTENCIES } from "../../coordinator/store/tools/inconsistencies.ts";
import type { Disk } from "./disk.ts";
import type { History } from "./history.ts";
import { must } from "./violation.ts";

/** Rows say together what they must: what `occam store check` looks for. */
export async function checkRows({ db }: Disk): Promise<void> {
  for (const { where, what, rows } of INCONSISTENCIES) {
    const found = await sql`${rows} limit 1`.execute(db);
    must(found.rows.length === 0, () => `${where} ${JSON.stringify(found.rows[0])}: ${what}`);
  }
}

/** Everything that a worker was told is in the store. To be called when nothing is on its way to it. */
export async function checkPromises(store: Store, history: History): Promise<void> {
  for (const { cellId, token, digest } of history.committed) {
    const found = await store.findAttempt(token, cellId);
    must(
      found?.cell.state === "committed" && found.cell.digest === digest && found.ended === "committed",
      () => `cell ${cellId} was acknowledged as committed under ${token} and the store says ${found?.cell.state}`,
    );
  }
  for (const { cellId, token, kind, count } of history.acked.values()) {
    const key = (await store.findAttempt(token, cellId))?.cell.key;
    must(key !== undefined, () => `records of an attempt ${token} were acknowledged that the store does not know`);
    const stream = await store.findStream({ kind, cellKey: key, token, sessionId: "" });
    const stored = stream?.nextOffset ?? 0;
    must(stored >= count, () => `${count} ${kind} of ${cellId} were acknowledged, ${stored} are stored`);
  }
  const findings = await store.listFindings();
  for (const { cellId, token, digest } of history.different) {
    must(
      findings.some((finding) => finding.cellId === cellId && finding.token === token && finding.digest === digest),
      () => `a different result of ${cellId} was acknowledged and is not recorded`,
    );
  }
}

export interface Expected {
  readonly outcomes: readonly string[];
  readonly points: number;
  readonly lines: number;
}

/** What each cell came to, and that the streams of its committed attempt are whole: record i is the i-th that was made. */
export async function checkOutcome(
  disk: Disk,
  sweepSeq: number,
  cells: number,
  expected: (index: number) => Expected,
): Promise<void> {
  const store = disk.store();
  const rows = await store.listCells({ sweepSeq, states: [], idPrefix: "" }, -1, cells + 1);
  must(rows.length === cells, () => `the sweep has ${rows.length} cells, not ${cells}`);
  const points = await pointsOf(store, sweepSeq);
  const lines = await linesOf(disk);
  for (const row of rows) {
    const wanted = expected(row.gridIndex);
    must(
      wanted.outcomes.includes(row.state),
      () => `cell ${row.gridIndex} is ${row.state} (${row.reason}), not ${wanted.outcomes.join(" or ")}`,
    );
    if (row.state === "quarantined") must(row.reason !== "", () => `cell ${row.gridIndex} has no reason`);
    if (row.state !== "committed") continue;
    const have = points.get(row.id) ?? 0;
    must(have === wanted.points, () => `cell ${row.gridIndex} has ${have} points of ${wanted.points}`);
    const said = lines.get(row.key) ?? 0;
    must(said === wanted.lines, () => `cell ${row.gridIndex} has ${said} lines of ${wanted.lines}`);
  }
}

/** Points of the committed attempts. */
async function pointsOf(store: Store, sweepSeq: number): Promise<ReadonlyMap<string, number>> {
  const points = new Map<string, number>();
  for (const { cellId, data, firstOffset } of await allChunks(store, sweepSeq)) {
    const before = points.get(cellId) ?? 0;
    must(firstOffset === before, () => `a chunk of ${cellId} starts at ${firstOffset}, not at ${before}`);
    const { step } = decodeChunk(data);
    for (const [index, at] of step.entries()) {
      must(at === BigInt(before + index), () => `point ${before + index} of ${cellId} is that of step ${at}`);
    }
    points.set(cellId, before + step.length);
  }
  return points;
}

/** Log lines of the committed attempts, by the key of their cell. */
async function linesOf({ db }: Disk): Promise<ReadonlyMap<number, number>> {
  const found = await db
    .selectFrom("log_line")
    .innerJoin("stream", "stream.stream_id", "log_line.stream_id")
    .innerJoin("result", (join) =>
      join.onRef("result.cell_key", "=", "stream.cell_key").onRef("result.token", "=", "stream.token"),
    )
    .select(["stream.cell_key", "log_line.place", "log_line.message"])
    .orderBy("stream.cell_key")
    .orderBy("log_line.place")
    .execute();
  const lines = new Map<number, number>();
  for (const { cell_key: key, place, message } of found) {
    const before = lines.get(key) ?? 0;
    must(place === before && message === `line ${before}`, () => `line ${before} of cell ${key} is "${message}"`);
    lines.set(key, before + 1);
  }
  return lines;
}

async function allChunks(store: Store, sweepSeq: number) {
  const chunks = [];
  let after = { gridIndex: -1, firstOffset: -1 };
  for (;;) {
    const page = await store.listChunks(sweepSeq, "", after, 50);
    chunks.push(...page);
    if (page.length < 50) return chunks;
    after = page.at(-1)!;
  }
}
