/**
 * Pending cells in large pages, for a start with a million of them: each column of a page comes as one text, for a value of a
 * row costs a driver several times what a piece of a text does, and a column that is the same all over the page as one value.
 * Both databases know `string_agg`, and give it the rows of a sorted subquery in their order; to sort them in the call would
 * cost as much again.
 */
import { sql, type Kysely, type RawBuilder } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import { asCellId, asFuseKey, asWorkerId, type WorkerId } from "../../src/core/ids.ts";
import { listOf } from "./list-text.ts";
import type { StoredCell } from "./store.ts";
import type { Tables } from "./tables.ts";

/** Neither ids nor fuse keys nor sweeps' ids, which scopes are, hold a line end. */
const BETWEEN = "\n";

interface Page {
  readonly cells: number;
  readonly first_key: number;
  readonly last_key: number;
  readonly ids: string;
  readonly first_scope: string;
  readonly last_scope: string;
  readonly first_fuse_key: string;
  readonly last_fuse_key: string;
  /** Cells that something has happened to. */
  readonly moved: number;
}

type Column = "keys" | "scopes" | "fuse_keys" | "figures";

export async function loadPendingCells(
  db: Kysely<Tables>,
  afterKey: number,
  limit: number,
): Promise<readonly StoredCell[]> {
  const from = sql`(select * from cell where state = 'pending' and cell_key > ${afterKey} order by cell_key limit ${limit}) as page`;
  const { rows } = await sql<Page>`select count(*) as cells, min(cell_key) as first_key, max(cell_key) as last_key,
    ${column("cell_id", "ids")}, min(scope) as first_scope, max(scope) as last_scope, min(fuse_key) as first_fuse_key,
    max(fuse_key) as last_fuse_key, sum(case when ${sql.raw(IS_FRESH)} then 0 else 1 end) as moved
    from ${from}`.execute(db);
  const [page] = rows;
  if (page === undefined || page.cells === 0) return [];
  const isWhole = page.last_key - page.first_key + 1 === page.cells;
  const columns = {
    keys: isWhole ? undefined : sql.raw("cast(cell_key as text)"),
    scopes: page.first_scope === page.last_scope ? undefined : sql.raw("scope"),
    fuse_keys: page.first_fuse_key === page.last_fuse_key ? undefined : sql.raw("fuse_key"),
    // The workers that had a cell are a list of texts, in which a line end is escaped.
    figures: page.moved === 0 ? undefined : sql.raw(FIGURES),
  };
  const texts = await loadColumns(db, from, columns);
  const keys = texts.keys?.map(Number) ?? Array.from({ length: page.cells }, (_, at) => page.first_key + at);
  invariant(isAscending(keys), "a page of pending cells comes in the order of keys");
  const ids = page.ids.split(BETWEEN);
  const sweepsOf = await loadSweepsOf(db, keys, isWhole);
  const same = new SameTexts();
  return keys.map((key, at): StoredCell => {
    const figures = figuresOf(texts.figures?.[at] ?? "");
    const [attempts, lost, failed, oom, widthLimit, preempted, memoryAbove, triedOn] = figures;
    return {
      key,
      id: asCellId(ids[at]!),
      scope: same.of(texts.scopes?.[at] ?? page.first_scope),
      fuseKey: asFuseKey(same.of(texts.fuse_keys?.[at] ?? page.first_fuse_key)),
      state: "pending",
      reason: "",
      attempts,
      lost,
      failed,
      oom,
      preempted,
      widthLimit,
      triedOn,
      memoryAbove,
      digest: "",
      diverged: false,
      sweeps: sweepsOf[at]!,
    };
  });
}

/** Of a page those columns that are not the same all over it. */
async function loadColumns(
  db: Kysely<Tables>,
  from: RawBuilder<unknown>,
  columns: Readonly<Record<Column, RawBuilder<unknown> | undefined>>,
): Promise<Readonly<Partial<Record<Column, readonly string[]>>>> {
  const wanted = Object.entries(columns).filter(([, expression]) => expression !== undefined);
  if (wanted.length === 0) return {};
  const list = wanted.map(
    ([name, expression]) => sql`string_agg(${expression!}, ${sql.lit(BETWEEN)}) as ${sql.ref(name)}`,
  );
  const { rows } = await sql<Record<string, string>>`select ${sql.join(list)} from ${from}`.execute(db);
  return Object.fromEntries(wanted.map(([name]) => [name, rows[0]![name]!.split(BETWEEN)]));
}

const IS_FRESH = `attempts = 0 and lost = 0 and failed = 0 and oom = 0 and width_limit = 0 and preempted = 0
    and memory_above = 0 and tried_on = ''`;

/** attempts, lost, failed, oom, width limit, preempted, memory above, and the workers that had it; "" of a fresh cell. */
const FIGURES = `case when ${IS_FRESH} then ''
  else attempts || ',' || lost || ',' || failed || ',' || oom || ',' || width_limit || ',' || preempted || ',' ||
    memory_above || ',' || tried_on end`;

const column = (expression: string, name: string) => sql.raw(`string_agg(${expression}, '${BETWEEN}') as ${name}`);

type Figures = readonly [
  attempts: number,
  lost: number,
  failed: number,
  oom: number,
  widthLimit: number,
  preempted: number,
  memoryAbove: number,
  triedOn: readonly WorkerId[],
];

const FRESH: Figures = [0, 0, 0, 0, 0, 0, 0, []];

/** The list is the last of them: its text may hold commas. */
function figuresOf(text: string): Figures {
  if (text === "") return FRESH;
  const parts = text.split(",");
  const [attempts, lost, failed, oom, widthLimit, preempted, memoryAbove] = parts.slice(0, 7).map(Number) as [
    number, number, number, number, number, number, number,
  ]; // prettier-ignore
  const triedOn = listOf(parts.slice(7).join(",")).map(asWorkerId);
  return [attempts, lost, failed, oom, widthLimit, preempted, memoryAbove, triedOn];
}

/** The sweeps of each of these cells, which follow one another in the order of their keys; `isWhole`: without a gap. */
async function loadSweepsOf(
  db: Kysely<Tables>,
  keys: readonly number[],
  isWhole: boolean,
): Promise<readonly (readonly number[])[]> {
  const shared = isWhole ? await loadSharedSweeps(db, keys) : undefined;
  if (shared !== undefined) return keys.map(() => shared);
  // A range of keys: a list of thousands takes as long to bind as to look up.
  const { rows } = await sql<{ readonly keys: string | null; readonly seqs: string }>`
    select ${column("cast(cell_key as text)", "keys")}, ${column("cast(sweep_seq as text)", "seqs")}
    from (select cell_key, sweep_seq from sweep_cell where cell_key >= ${keys[0]} and cell_key <= ${keys.at(-1)}
      order by cell_key, sweep_seq) as links`.execute(db);
  const linked = rows[0]?.keys?.split(BETWEEN).map(Number) ?? [];
  const seqs = rows[0]?.seqs?.split(BETWEEN) ?? [];
  const lists = new Map<string, readonly number[]>();
  const listOf = (text: string): readonly number[] => {
    const known = lists.get(text) ?? (text === "" ? [] : text.split(",").map(Number));
    lists.set(text, known);
    return known;
  };
  invariant(isAscending(linked), "the sweeps of cells come in the order of the cells");
  let place = 0;
  return keys.map((key) => {
    while (place < linked.length && linked[place]! < key) place += 1;
    const from = place;
    while (linked[place] === key) place += 1;
    return listOf(place === from + 1 ? seqs[from]! : seqs.slice(from, place).join(","));
  });
}

/** The sweeps that every cell of a range of keys is in, when no other sweep has one of them. */
async function loadSharedSweeps(db: Kysely<Tables>, keys: readonly number[]): Promise<readonly number[] | undefined> {
  const { rows } = await sql<{ readonly sweep_seq: number; readonly cells: number }>`
    select sweep_seq, count(*) as cells from sweep_cell where cell_key >= ${keys[0]} and cell_key <= ${keys.at(-1)}
    group by sweep_seq order by sweep_seq`.execute(db);
  // A cell is in a sweep once.
  return rows.every(({ cells }) => cells === keys.length) ? rows.map(({ sweep_seq }) => sweep_seq) : undefined;
}

const isAscending = (keys: readonly number[]): boolean => keys.every((key, at) => at === 0 || keys[at - 1]! <= key);

/** One object for equal texts: a million cells share a few. */
class SameTexts {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#known.set(text, text);
    return text;
  }
}
