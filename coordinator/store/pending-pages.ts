/**
 * Pending cells in large pages, for a start with a million of them: each column of a page comes as one text, for a value of a
 * row costs a driver several times what a piece of a text does. Both databases know `string_agg`, and give it the rows of a
 * sorted subquery in their order; to sort them in the call would cost as much again.
 */
import { sql, type Kysely } from "kysely";
import { invariant } from "../../src/core/errors.ts";
import { asCellId, asFuseKey, asWorkerId, type WorkerId } from "../../src/core/ids.ts";
import { listOf } from "./list-text.ts";
import type { StoredCell } from "./store.ts";
import type { Tables } from "./tables.ts";

/** Neither ids nor fuse keys nor sweeps' ids, which scopes are, hold a line end. */
const BETWEEN = "\n";

interface Columns {
  readonly keys: string | null;
  readonly ids: string;
  readonly scopes: string;
  readonly fuse_keys: string;
  /** attempts, lost, failed, oom, width limit, preempted, memory above, and the workers that had it; "" of a fresh cell. */
  readonly figures: string;
}

export async function loadPendingCells(
  db: Kysely<Tables>,
  afterKey: number,
  limit: number,
): Promise<readonly StoredCell[]> {
  const { rows } = await sql<Columns>`select ${column("cast(cell_key as text)", "keys")}, ${column("cell_id", "ids")},
    ${column("scope", "scopes")}, ${column("fuse_key", "fuse_keys")}, ${column(FIGURES, "figures")}
    from (select * from cell where state = 'pending' and cell_key > ${afterKey} order by cell_key limit ${limit}) as page`.execute(
    db,
  );
  const [page] = rows;
  if (page === undefined || page.keys === null) return [];
  const keys = page.keys.split(BETWEEN).map(Number);
  invariant(isAscending(keys), "a page of pending cells comes in the order of keys");
  const sweepsOf = await loadSweepsOf(db, keys);
  const [ids, scopes, fuseKeys, figures] = [page.ids, page.scopes, page.fuse_keys, page.figures].map((text) =>
    text.split(BETWEEN),
  ) as [string[], string[], string[], string[]];
  const same = new SameTexts();
  return keys.map((key, at): StoredCell => {
    const [attempts, lost, failed, oom, widthLimit, preempted, memoryAbove, triedOn] = figuresOf(figures[at]!);
    return {
      key,
      id: asCellId(ids[at]!),
      scope: same.of(scopes[at]!),
      fuseKey: asFuseKey(same.of(fuseKeys[at]!)),
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

const FIGURES = `case when attempts = 0 and lost = 0 and failed = 0 and oom = 0 and width_limit = 0 and preempted = 0
    and memory_above = 0 and tried_on = '' then ''
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

/** The sweeps of each of these cells, which follow one another in the order of their keys. */
async function loadSweepsOf(db: Kysely<Tables>, keys: readonly number[]): Promise<readonly (readonly number[])[]> {
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
